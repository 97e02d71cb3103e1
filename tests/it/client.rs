//! CLIENT and its subcommands.

use resp::Value;

use crate::server::TestServer;
use crate::transcript::Caller;

#[test]
fn names_and_libraries_are_shown() {
    let server = TestServer::plain("");
    Caller::of(&server).check(
        r#"
        > CLIENT GETNAME
        < nil
        > CLIENT SETNAME me
        < +OK
        > CLIENT GETNAME
        < "me"
        > CLIENT SETNAME "a b"
        < -ERR Client names cannot contain spaces, newlines or special characters.
        > CLIENT SETINFO lib-name jedis
        < +OK
        > CLIENT SETINFO LIB-VER 1.2
        < +OK
        > CLIENT SETINFO lib-ver "1 2"
        < -ERR lib-ver cannot contain spaces, newlines or special characters.
        > CLIENT SETINFO libname x
        < -ERR Unrecognized option 'libname'
        > CLIENT INFO
        ~ "id=* addr=127.0.0.1:* laddr=127.0.0.1:* fd=* name=me age=* idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 * events=r cmd=client|info user=default redir=-1 resp=2 lib-name=jedis lib-ver=1.2\\n"
        > CLIENT SETNAME ""
        < +OK
        > CLIENT GETNAME
        < nil
        "#,
    );
}

#[test]
fn lists_are_of_all_of_a_kind_or_of_some() {
    let server = TestServer::plain("");
    let (mut one, mut two) = (Caller::of(&server), Caller::of(&server));
    one.check("> CLIENT SETNAME one\n < +OK");
    two.check("> SUBSCRIBE c\n ~ \\[\"subscribe\"*");
    let lines = |text: String| text.lines().count();
    assert_eq!(lines(one.text("CLIENT LIST")), 2);
    assert_eq!(lines(one.text("CLIENT LIST TYPE normal")), 1);
    assert!(
        one.text("CLIENT LIST TYPE pubsub")
            .contains("flags=P db=0 sub=1 ")
    );
    assert_eq!(lines(one.text("CLIENT LIST TYPE REPLICA")), 0);
    let Value::Integer(id) = one.call("CLIENT ID") else {
        panic!("an id is a number")
    };
    let listed = one.text(&format!("CLIENT LIST ID 999 {id} {id}"));
    assert!(
        lines(listed.clone()) == 2 && listed.contains("name=one"),
        "{listed}"
    );
    one.check(
        "
        > CLIENT LIST TYPE robots
        < -ERR Unknown client type 'robots'
        > CLIENT LIST ID x
        < -ERR Invalid client ID
        > CLIENT LIST ID
        < -ERR syntax error
        > CLIENT LIST all
        < -ERR syntax error
        ",
    );
}

#[test]
fn kill_ends_those_to_whom_all_options_apply() {
    let server = TestServer::plain("");
    let (mut one, mut two, mut three) = (
        Caller::of(&server),
        Caller::of(&server),
        Caller::of(&server),
    );
    let id = |caller: &mut Caller| match caller.call("CLIENT ID") {
        Value::Integer(id) => id,
        _ => panic!("an id is a number"),
    };
    let (one_id, two_id, _) = (id(&mut one), id(&mut two), id(&mut three));
    one.check(&format!(
        "
        > CLIENT KILL ID {two_id} TYPE pubsub
        < :0
        > CLIENT KILL ID {two_id} USER default LADDR {laddr} SKIPME no
        < :1
        > CLIENT KILL 1.2.3.4:5
        < -ERR No such client
        > CLIENT KILL ID 0
        < -ERR client-id should be greater than 0
        > CLIENT KILL TYPE robots ID 1
        < -ERR Unknown client type 'robots'
        > CLIENT KILL USER nobody ID 1
        < -ERR No such user 'nobody'
        > CLIENT KILL SKIPME perhaps ID 1
        < -ERR syntax error
        > CLIENT KILL ID 1 TYPE
        < -ERR syntax error
        > CLIENT KILL ID {one_id}
        < :0
        > CLIENT KILL TYPE normal
        < :1
        > CLIENT KILL ID {one_id} SKIPME no
        < :1
        ",
        laddr = server.address(cuirass::Kind::Tcp),
    ));
    for caller in [&mut one, &mut two, &mut three] {
        assert!(caller.receive().is_none());
    }
}

#[test]
fn replies_can_be_turned_off_and_skipped() {
    let server = TestServer::plain("");
    let mut caller = Caller::of(&server);
    let silent: [&[&str]; 6] = [
        &["CLIENT", "REPLY", "SKIP"],
        &["SET", "k", "1"],
        &["CLIENT", "REPLY", "OFF"],
        &["SET", "k", "2"],
        &["CLIENT", "REPLY", "SKIP"],
        &["GET", "k"],
    ];
    silent.iter().for_each(|words| caller.send(words));
    caller.check(
        "
        > CLIENT REPLY ON
        < +OK
        > GET k
        < \"2\"
        > CLIENT REPLY perhaps
        < -ERR syntax error
        ",
    );
}

#[test]
fn a_pause_holds_writes_back_until_it_ends() {
    let server = TestServer::plain("");
    let (mut admin, mut writer) = (Caller::of(&server), Caller::of(&server));
    admin.check("> CLIENT PAUSE 100000 WRITE\n < +OK");
    writer.check("> GET k\n < nil");
    writer.send(&["SET", "k", "v"]);
    crate::server::wait_until("the writer waits", || {
        server
            .engine()
            .clients
            .blocked
            .load(std::sync::atomic::Ordering::Relaxed)
            == 1
    });
    admin.check(
        "
        > GET k
        < nil
        > CLIENT UNPAUSE
        < +OK
        ",
    );
    assert_eq!(writer.receive(), Some(Value::Simple(b"OK".to_vec().into())));
    admin.check(
        "
        > CLIENT PAUSE 10 SOME
        < -ERR CLIENT PAUSE mode must be WRITE or ALL
        > CLIENT PAUSE x
        < -ERR timeout is not an integer or out of range
        > CLIENT PAUSE -1
        < -ERR timeout is negative
        > CLIENT PAUSE 9223372036854775807
        < -ERR timeout is out of range
        > CLIENT PAUSE 0
        < +OK
        ",
    );
}

#[test]
fn the_rest_of_the_subcommands() {
    let server = TestServer::plain("");
    Caller::of(&server).check(
        r#"
        > CLIENT GETREDIR
        < :-1
        > CLIENT TRACKINGINFO
        < ["flags", ["off"], "redirect", :-1, "prefixes", []]
        > CLIENT NO-EVICT on
        < +OK
        > CLIENT NO-TOUCH on
        < +OK
        > CLIENT INFO
        ~ "* flags=eT *
        > CLIENT NO-EVICT perhaps
        < -ERR syntax error
        > CLIENT UNBLOCK 999
        < :0
        > CLIENT UNBLOCK 999 ERROR
        < :0
        > CLIENT UNBLOCK 999 soon
        < -ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR
        > CLIENT UNBLOCK x
        < -ERR value is not an integer or out of range
        > CLIENT NONSENSE
        < -ERR unknown subcommand 'NONSENSE'. Try CLIENT HELP.
        > CLIENT
        < -ERR wrong number of arguments for 'client' command
        > CLIENT HELP
        ~ \[+CLIENT <subcommand> \[<arg> \[value\] \[opt\] ...\]. Subcommands are:, +*
        "#,
    );
}

#[test]
fn lists_are_of_those_to_which_all_options_apply() {
    let server = TestServer::plain("");
    let (mut one, mut two) = (Caller::of(&server), Caller::of(&server));
    let Value::Integer(id) = one.call("CLIENT ID") else {
        panic!("an id is a number")
    };
    for call in [
        "CLIENT SETNAME one",
        "CLIENT SETINFO lib-name lib",
        "CLIENT SETINFO lib-ver 1.2",
        "CLIENT CAPA nothing redirect",
        "SELECT 3",
    ] {
        one.call(call);
    }
    two.call("CLIENT SETNAME two");
    let addr = one.text("CLIENT INFO");
    let addr = addr
        .split(' ')
        .find_map(|field| field.strip_prefix("addr="));
    let addr = addr.expect("a line has an address").to_owned();
    let mut names = |options: &str| {
        let text = one.text(&format!("CLIENT LIST {options}"));
        let names = text.lines().map(|line| {
            let name = line
                .split(' ')
                .find_map(|field| field.strip_prefix("name="));
            name.expect("a line has a name").to_owned()
        });
        names.collect::<Vec<_>>().join(" ")
    };
    for (options, expected) in [
        ("NAME one", "one"),
        ("NOT-NAME one", "two"),
        ("not-name one skipme no", "two"),
        ("SKIPME yes", "two"),
        ("LIB-NAME lib LIB-VER 1.2", "one"),
        ("LIB-NAME lib LIB-VER 1.3", ""),
        ("NOT-LIB-VER 1.2", "two"),
        ("DB 3", "one"),
        ("NOT-DB 3", "two"),
        ("CAPA r", "one"),
        ("NOT-CAPA r", "two"),
        ("FLAGS N TYPE normal", "one two"),
        ("FLAGS x", ""),
        ("NOT-FLAGS x NOT-TYPE pubsub", "one two"),
        ("IP 127.0.0.1 USER default", "one two"),
        ("IP 127.0.0", ""),
        ("NOT-IP 127.0.0.1", ""),
        ("NOT-USER default", ""),
        (&format!("ADDR {addr}"), "one"),
        (&format!("NOT-ADDR {addr}"), "two"),
        ("NOT-LADDR 10.0.0.1:1", "one two"),
        (&format!("ID {id} 999 NAME one"), "one"),
        (&format!("ID {id} NAME two"), ""),
        (&format!("NOT-ID {id} 999"), "two"),
        ("MAXAGE 1000", ""),
        ("IDLE 1000", ""),
    ] {
        assert_eq!(names(options), expected, "{options}");
    }
    one.check(
        "
        > CLIENT LIST DB 16
        < -ERR DB number should be between 0 and 15
        > CLIENT LIST DB x
        < -ERR DB is not an integer or out of range
        > CLIENT LIST FLAGS xq
        < -ERR Unknown flags found in the provided filter: xq
        > CLIENT LIST CAPA q
        < -ERR Unknown capa found in the provided filter: q
        > CLIENT LIST MAXAGE 0
        < -ERR maxage should be greater than 0
        > CLIENT LIST IDLE x
        < -ERR idle is not an integer or out of range
        > CLIENT LIST NOT-IDLE 1
        < -ERR syntax error
        > CLIENT LIST NAME one x
        < -ERR syntax error
        > CLIENT LIST ID 1 x
        < -ERR Invalid client ID
        > CLIENT LIST NOT-USER nobody
        < -ERR No such user 'nobody'
        > CLIENT KILL NOT-NAME one NOT-ID 999 DB 3
        < :0
        > CLIENT KILL NOT-NAME one
        < :1
        > CLIENT LIST NAME two
        < \"\"
        ",
    );
    assert!(two.receive().is_none());
}
