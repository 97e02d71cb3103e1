//! Stream commands.

use resp::Value;
use testkit::{Dispatcher, check, check_effects, check_resp3, check_with};

const INVALID_ID: &str = "ERR Invalid stream ID specified as stream command argument";

/// A server with the entries 1-1, 1-2, 2-0 and 3-0 in `s`.
fn with_entries() -> Dispatcher {
    let mut server = Dispatcher::default();
    check_with(
        &mut server,
        "
        > XADD s 1-1 a 1
        < \"1-1\"
        > XADD s 1-2 a 2 b x
        < \"1-2\"
        > XADD s 2 a 3
        < \"2-0\"
        > XADD s 3-0 a 4
        < \"3-0\"
        ",
    );
    server
}

#[test]
fn entries_get_the_ids_that_were_asked_for() {
    check(
        "
        > XADD s * f v
        < \"1710000000000-0\"
        > XADD s * f v
        < \"1710000000000-1\"
        @ 5
        > XADD s * f v
        < \"1710000000005-0\"
        > XADD s 1710000000005-* f v
        < \"1710000000005-1\"
        > XADD s 1800000000000-* f v
        < \"1800000000000-0\"
        > XADD s * f v
        < \"1800000000000-1\"
        > XADD s 1800000000000-1 f v
        < -ERR The ID specified in XADD is equal or smaller than the target stream top item
        > XADD s 7-* f v
        < -ERR The ID specified in XADD is equal or smaller than the target stream top item
        > XADD s 0-0 f v
        < -ERR The ID specified in XADD must be greater than 0-0
        > XADD t 0-* f v
        < \"0-1\"
        > XADD u 18446744073709551615-18446744073709551615 f v
        < \"18446744073709551615-18446744073709551615\"
        > XADD u * f v
        < -ERR The stream has exhausted the last possible ID, unable to add more items
        > XLEN s
        < :6
        > TYPE s
        < +stream
        > OBJECT ENCODING s
        < \"stream\"
        ",
    );
}

#[test]
fn xadd_refuses_what_redis_refuses() {
    check(&format!(
        "
        > XADD s
        < -ERR wrong number of arguments for 'xadd' command
        > XADD s * f v g
        < -ERR wrong number of arguments for 'xadd' command
        > XADD s maxlen 5 *
        < -ERR wrong number of arguments for 'xadd' command
        > XADD s x f v
        < -{INVALID_ID}
        > XADD s 1-2-3 f v
        < -{INVALID_ID}
        > XADD s + f v
        < -{INVALID_ID}
        > XADD s MAXLEN x * f v
        < -ERR value is not an integer or out of range
        > XADD s MAXLEN -1 * f v
        < -ERR The MAXLEN argument must be >= 0.
        > XADD s MAXLEN 1 MINID 1 * f v
        < -ERR syntax error, MAXLEN and MINID options at the same time are not compatible
        > XADD s MINID ~ x * f v
        < -{INVALID_ID}
        > XADD s LIMIT 5 * f v
        < -ERR syntax error, LIMIT cannot be used without specifying a trimming strategy
        > XADD s LIMIT -5 * f v
        < -ERR The LIMIT argument must be >= 0.
        > XADD s MAXLEN 5 LIMIT 5 * f v
        < -ERR syntax error, LIMIT cannot be used without the special ~ option
        > XADD s LIMIT 0 * f v
        < -ERR syntax error, LIMIT cannot be used without the special ~ option
        > XADD s NOMKSTREAM * f v
        < nil
        > EXISTS s
        < :0
        > SET s x
        < +OK
        > XADD s * f v
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        "
    ));
}

#[test]
fn ranges_go_both_ways() {
    let mut server = with_entries();
    check_with(
        &mut server,
        &format!(
            "
        > XRANGE s - +
        < [[\"1-1\", [\"a\", \"1\"]], [\"1-2\", [\"a\", \"2\", \"b\", \"x\"]], [\"2-0\", [\"a\", \"3\"]], [\"3-0\", [\"a\", \"4\"]]]
        > XREVRANGE s + - COUNT 1
        < [[\"3-0\", [\"a\", \"4\"]]]
        > XRANGE s 1-2 2
        < [[\"1-2\", [\"a\", \"2\", \"b\", \"x\"]], [\"2-0\", [\"a\", \"3\"]]]
        > XRANGE s (1-2 (3
        < [[\"2-0\", [\"a\", \"3\"]], [\"3-0\", [\"a\", \"4\"]]]
        > XRANGE s (1-2 (3-0
        < [[\"2-0\", [\"a\", \"3\"]]]
        > XREVRANGE s (2 (1-1
        < [[\"2-0\", [\"a\", \"3\"]], [\"1-2\", [\"a\", \"2\", \"b\", \"x\"]]]
        > XRANGE s 1 1 COUNT 1
        < [[\"1-1\", [\"a\", \"1\"]]]
        > XRANGE s 5 9
        < []
        > XRANGE s - + COUNT 0
        < nil-array
        > XRANGE s - + COUNT -5
        < nil-array
        > XRANGE none - + COUNT 0
        < []
        > XRANGE s (- +
        < -{INVALID_ID}
        > XRANGE s (18446744073709551615-18446744073709551615 +
        < -ERR invalid start ID for the interval
        > XRANGE s - (0-0
        < -ERR invalid end ID for the interval
        > XRANGE s - + COUNT
        < -ERR syntax error
        > XRANGE s - + COUNT x
        < -ERR value is not an integer or out of range
        > XRANGE s - + LIMIT 5
        < -ERR syntax error
        > SET k x
        < +OK
        > XRANGE k - +
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > XLEN k
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > XLEN none
        < :0
        "
        ),
    );
}

#[test]
fn deleted_entries_are_gone_and_an_empty_stream_stays() {
    let mut server = with_entries();
    check_with(
        &mut server,
        &format!(
            "
        > XDEL s 1-1 9-9 1-1
        < :1
        > XDEL s x
        < -{INVALID_ID}
        > XDEL none x
        < :0
        > XRANGE s - + COUNT 1
        < [[\"1-2\", [\"a\", \"2\", \"b\", \"x\"]]]
        > XDEL s 1-2 2 3
        < :3
        > XLEN s
        < :0
        > EXISTS s
        < :1
        > XRANGE s - +
        < []
        > XADD s 3-0 f v
        < -ERR The ID specified in XADD is equal or smaller than the target stream top item
        > XINFO STREAM s
        < [\"length\", :0, \"radix-tree-keys\", :0, \"radix-tree-nodes\", :1, \"last-generated-id\", \"3-0\", \"max-deleted-entry-id\", \"3-0\", \"entries-added\", :4, \"recorded-first-entry-id\", \"0-0\", \"groups\", :0, \"first-entry\", nil, \"last-entry\", nil]
        "
        ),
    );
}

#[test]
fn trims_are_exact_or_by_whole_nodes() {
    let mut server = Dispatcher::default();
    for number in 1..=350 {
        server.call(&format!("XADD s 1-{number} f {number}"));
    }
    check_with(
        &mut server,
        "
        > XTRIM s MAXLEN ~ 120
        < :200
        > XTRIM s MAXLEN ~ 120
        < :0
        > XTRIM s MAXLEN = 120
        < :30
        > XTRIM s MINID 1-300
        < :69
        > XTRIM s MINID ~ 1-320
        < :1
        > XTRIM s MAXLEN ~ 0 LIMIT 20
        < :0
        > XTRIM s MAXLEN ~ 0 LIMIT 0
        < :50
        > XTRIM none MAXLEN 5
        < :0
        > XTRIM s MAXLEN
        < -ERR wrong number of arguments for 'xtrim' command
        > XTRIM s LIMIT 5
        < -ERR syntax error, LIMIT cannot be used without specifying a trimming strategy
        > XTRIM s LIMIT 0
        < -ERR syntax error, XTRIM must be called with a trimming strategy
        > XTRIM s MAXLEN 5 NOMKSTREAM
        < -ERR syntax error
        > XADD s MAXLEN 1 2-1 f v
        < \"2-1\"
        > XADD s MAXLEN = 1 2-2 f v
        < \"2-2\"
        > XADD s MINID 2-3 2-3 f v
        < \"2-3\"
        > XRANGE s - +
        < [[\"2-3\", [\"f\", \"v\"]]]
        ",
    );
}

#[test]
fn xsetid_keeps_ids_growing() {
    let mut server = with_entries();
    check_with(
        &mut server,
        &format!(
            "
        > XSETID s 2-9
        < -ERR The ID specified in XSETID is smaller than the target stream top item
        > XSETID s 9-9 ENTRIESADDED 3
        < -ERR The entries_added specified in XSETID is smaller than the target stream length
        > XSETID s 9-9 ENTRIESADDED -3
        < -ERR entries_added must be positive
        > XSETID s 9-9 MAXDELETEDID 9-10
        < -ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id
        > XSETID s 9-9 MAXDELETEDID
        < -ERR syntax error
        > XSETID s +
        < -{INVALID_ID}
        > XSETID none 1-1
        < -ERR no such key
        > XSETID s 9-9 ENTRIESADDED 50 MAXDELETEDID 8-8
        < +OK
        > XSETID s 8-7
        < -ERR The ID specified in XSETID is smaller than current max_deleted_entry_id
        > XINFO STREAM s
        < [\"length\", :4, \"radix-tree-keys\", :1, \"radix-tree-nodes\", :2, \"last-generated-id\", \"9-9\", \"max-deleted-entry-id\", \"8-8\", \"entries-added\", :50, \"recorded-first-entry-id\", \"1-1\", \"groups\", :0, \"first-entry\", [\"1-1\", [\"a\", \"1\"]], \"last-entry\", [\"3-0\", [\"a\", \"4\"]]]
        "
        ),
    );
}

#[test]
fn xread_returns_what_is_behind_an_id() {
    let mut server = with_entries();
    check_with(
        &mut server,
        &format!(
            "
        > XREAD STREAMS s 1-2
        < [[\"s\", [[\"2-0\", [\"a\", \"3\"]], [\"3-0\", [\"a\", \"4\"]]]]]
        > XREAD COUNT 1 STREAMS none s 0 2
        < [[\"s\", [[\"3-0\", [\"a\", \"4\"]]]]]
        > XREAD COUNT 0 STREAMS s 2-0
        < [[\"s\", [[\"3-0\", [\"a\", \"4\"]]]]]
        > XREAD STREAMS s $
        < nil-array
        > XREAD STREAMS s 3-0
        < nil-array
        > XREAD BLOCK x STREAMS s $
        < -ERR timeout is not an integer or out of range
        > XREAD BLOCK -1 STREAMS s $
        < -ERR timeout is negative
        > XREAD BLOCK 9223372036854775807 STREAMS s $
        < -ERR timeout is out of range
        > XREAD STREAMS s t 0
        < -ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.
        > XREAD COUNT 1 BLOCK 1
        < -ERR syntax error
        > XREAD STREAMS s >
        < -ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.
        > XREAD GROUP g c STREAMS s 0
        < -ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.
        > XREAD NOACK STREAMS s 0
        < -ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.
        > XREAD STREAMS s -
        < -{INVALID_ID}
        > SET k x
        < +OK
        > XREAD STREAMS s k 0 0
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        "
        ),
    );
    check_resp3(
        "
        > XADD s 1-1 a 1
        < \"1-1\"
        > XADD t 1-1 b 2
        < \"1-1\"
        > XREAD STREAMS s t 0 0
        < {\"s\": [[\"1-1\", [\"a\", \"1\"]]], \"t\": [[\"1-1\", [\"b\", \"2\"]]]}
        > XREAD STREAMS s $
        < _
        ",
    );
}

#[test]
fn a_group_hands_each_entry_to_one_consumer() {
    let mut server = with_entries();
    check_with(
        &mut server,
        "
        > XGROUP CREATE s g 0
        < +OK
        > XREADGROUP GROUP g bob COUNT 2 STREAMS s >
        < [[\"s\", [[\"1-1\", [\"a\", \"1\"]], [\"1-2\", [\"a\", \"2\", \"b\", \"x\"]]]]]
        > XREADGROUP GROUP g ann COUNT 1 STREAMS s >
        < [[\"s\", [[\"2-0\", [\"a\", \"3\"]]]]]
        > XREADGROUP GROUP g ann NOACK STREAMS s >
        < [[\"s\", [[\"3-0\", [\"a\", \"4\"]]]]]
        > XREADGROUP GROUP g ann STREAMS s >
        < nil-array
        > XPENDING s g
        < [:3, \"1-1\", \"2-0\", [[\"ann\", \"1\"], [\"bob\", \"2\"]]]
        @ 100
        > XPENDING s g - + 10
        < [[\"1-1\", \"bob\", :100, :1], [\"1-2\", \"bob\", :100, :1], [\"2-0\", \"ann\", :100, :1]]
        > XPENDING s g IDLE 101 - + 10
        < []
        > XPENDING s g IDLE 100 (1-1 + 1 bob
        < [[\"1-2\", \"bob\", :100, :1]]
        > XPENDING s g - + 10 nobody
        < []
        > XDEL s 1-2
        < :1
        > XREADGROUP GROUP g bob STREAMS s 0
        < [[\"s\", [[\"1-1\", [\"a\", \"1\"]], [\"1-2\", nil-array]]]]
        > XPENDING s g - + 10 bob
        < [[\"1-1\", \"bob\", :0, :2], [\"1-2\", \"bob\", :100, :1]]
        > XREADGROUP GROUP g bob STREAMS s 1-2
        < [[\"s\", []]]
        > XACK s g 1-1 1-2 7-7
        < :2
        > XACK s g 1-1
        < :0
        > XACK s nogroup x
        < :0
        > XACK s g x
        < -ERR Invalid stream ID specified as stream command argument
        > XPENDING s g
        < [:1, \"2-0\", \"2-0\", [[\"ann\", \"1\"]]]
        > XGROUP SETID s g 0
        < +OK
        > XREADGROUP GROUP g bob STREAMS s >
        < [[\"s\", [[\"1-1\", [\"a\", \"1\"]], [\"2-0\", [\"a\", \"3\"]], [\"3-0\", [\"a\", \"4\"]]]]]
        > XPENDING s g
        < [:3, \"1-1\", \"3-0\", [[\"bob\", \"3\"]]]
        > XACK s g 1-1 2-0 3-0
        < :3
        > XPENDING s g
        < [:0, nil, nil, nil-array]
        ",
    );
}

#[test]
fn xreadgroup_and_xpending_refuse_what_redis_refuses() {
    let mut server = with_entries();
    check_with(
        &mut server,
        "
        > XGROUP CREATE s g 0
        < +OK
        > XREADGROUP GROUP h bob STREAMS s >
        < -NOGROUP No such key 's' or consumer group 'h' in XREADGROUP with GROUP option
        > XREADGROUP GROUP g bob STREAMS none >
        < -NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP option
        > XREADGROUP GROUP g bob STREAMS s $
        < -ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.
        > XREADGROUP COUNT 1 COUNT 1 STREAMS s >
        < -ERR Missing GROUP option for XREADGROUP
        > XREADGROUP GROUP g bob STREAMS s t >
        < -ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.
        > XREADGROUP GROUP g bob COUNT 1 NOACK
        < -ERR syntax error
        > XPENDING s h
        < -NOGROUP No such key 's' or consumer group 'h'
        > XPENDING s g -
        < -ERR syntax error
        > XPENDING s g - + x
        < -ERR value is not an integer or out of range
        > XPENDING s g IDLE 5 - +
        < -ERR syntax error
        > XPENDING s g - + 1 a b c d
        < -ERR syntax error
        ",
    );
}

#[test]
fn xclaim_moves_entries_between_consumers() {
    let mut server = with_entries();
    check_with(
        &mut server,
        "
        > XGROUP CREATE s g 0
        < +OK
        > XREADGROUP GROUP g bob COUNT 3 STREAMS s >
        <
        @ 50
        > XCLAIM s g ann 51 1-1
        < []
        > XCLAIM s g ann 50 1-1 1-2
        < [[\"1-1\", [\"a\", \"1\"]], [\"1-2\", [\"a\", \"2\", \"b\", \"x\"]]]
        > XCLAIM s g ann 0 2-0 JUSTID
        < [\"2-0\"]
        > XPENDING s g - + 10
        < [[\"1-1\", \"ann\", :0, :2], [\"1-2\", \"ann\", :0, :2], [\"2-0\", \"ann\", :0, :1]]
        > XCLAIM s g bob 0 3-0
        < []
        > XCLAIM s g bob 0 3-0 9-9 FORCE JUSTID IDLE 1000 RETRYCOUNT 7
        < [\"3-0\"]
        > XPENDING s g 3 3 10
        < [[\"3-0\", \"bob\", :1000, :7]]
        > XDEL s 1-1
        < :1
        > XCLAIM s g bob 0 1-1
        < []
        > XPENDING s g
        < [:3, \"1-2\", \"3-0\", [[\"ann\", \"2\"], [\"bob\", \"1\"]]]
        > XCLAIM s g bob 0 1-2 JUSTID TIME 99999999999999 LASTID 7-7
        < [\"1-2\"]
        > XINFO GROUPS s
        < [[\"name\", \"g\", \"consumers\", :2, \"pending\", :3, \"last-delivered-id\", \"7-7\", \"entries-read\", :3, \"lag\", :1]]
        > XCLAIM s h bob 0 1-2
        < -NOGROUP No such key 's' or consumer group 'h'
        > XCLAIM s g bob x 1-2
        < -ERR Invalid min-idle-time argument for XCLAIM
        > XCLAIM s g bob 0 1-2 IDLE x
        < -ERR Invalid IDLE option argument for XCLAIM
        > XCLAIM s g bob 0 1-2 TIME x
        < -ERR Invalid TIME option argument for XCLAIM
        > XCLAIM s g bob 0 1-2 RETRYCOUNT x
        < -ERR Invalid RETRYCOUNT option argument for XCLAIM
        > XCLAIM s g bob 0 1-2 LASTID x
        < -ERR Invalid stream ID specified as stream command argument
        > XCLAIM s g bob 0 1-2 Lastid
        < -ERR Unrecognized XCLAIM option 'Lastid'
        ",
    );
}

#[test]
fn xautoclaim_goes_through_what_is_pending() {
    let mut server = with_entries();
    check_with(
        &mut server,
        "
        > XGROUP CREATE s g 0
        < +OK
        > XREADGROUP GROUP g bob STREAMS s >
        <
        @ 10
        > XAUTOCLAIM s g ann 11 0
        < [\"0-0\", [], []]
        > XDEL s 1-2
        < :1
        > XAUTOCLAIM s g ann 10 - COUNT 1
        < [\"1-2\", [[\"1-1\", [\"a\", \"1\"]]], []]
        > XAUTOCLAIM s g ann 10 1-2 COUNT 2 JUSTID
        < [\"3-0\", [\"2-0\"], [\"1-2\"]]
        > XAUTOCLAIM s g ann 10 (2-0
        < [\"0-0\", [[\"3-0\", [\"a\", \"4\"]]], []]
        > XPENDING s g - + 10
        < [[\"1-1\", \"ann\", :0, :2], [\"2-0\", \"ann\", :0, :1], [\"3-0\", \"ann\", :0, :2]]
        > XAUTOCLAIM s g ann x 0
        < -ERR Invalid min-idle-time argument for XAUTOCLAIM
        > XAUTOCLAIM s g ann 0 x
        < -ERR Invalid stream ID specified as stream command argument
        > XAUTOCLAIM s g ann 0 0 COUNT 0
        < -ERR COUNT must be > 0
        > XAUTOCLAIM s g ann 0 0 FORCE
        < -ERR syntax error
        > XAUTOCLAIM s h ann 0 0
        < -NOGROUP No such key 's' or consumer group 'h'
        > XAUTOCLAIM none g ann 0 0
        < -NOGROUP No such key 'none' or consumer group 'g'
        ",
    );
    for number in 4..64 {
        server.call(&format!("XADD s {number} a b"));
    }
    server.call("XREADGROUP GROUP g bob STREAMS s >");
    // Ten looks for each entry that it may return, then it stops.
    check_with(
        &mut server,
        "
        > XAUTOCLAIM s g ann 1 0 COUNT 1
        < [\"11-0\", [], []]
        ",
    );
}

#[test]
fn groups_are_made_moved_and_removed() {
    check(
        "
        > XGROUP CREATE s g $
        < -ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        > XGROUP CREATE s g x MKSTREAM
        < -ERR Invalid stream ID specified as stream command argument
        > EXISTS s
        < :0
        > XGROUP CREATE s g $ MKSTREAM
        < +OK
        > XLEN s
        < :0
        > XGROUP CREATE s g $
        < -BUSYGROUP Consumer Group name already exists
        > XGROUP CREATE s h 5-5 ENTRIESREAD 3
        < +OK
        > XGROUP CREATE s i 5-5 ENTRIESREAD -2
        < -ERR value for ENTRIESREAD must be positive or -1
        > XGROUP Create s i 5-5 ENTRIESREAD
        < -ERR unknown subcommand or wrong number of arguments for 'Create'. Try XGROUP HELP.
        > XGROUP SETID s h $ MKSTREAM
        < -ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP.
        > XGROUP SETID s h 1-1 ENTRIESREAD 1 ENTRIESREAD 1
        < -ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP.
        > XGROUP CREATE s i 1-1 MKSTREAM MKSTREAM MKSTREAM MKSTREAM
        < -ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.
        > XGROUP SETID s i $
        < -NOGROUP No such consumer group 'i' for key name 's'
        > XGROUP SETID s h +
        < +OK
        > XGROUP CREATECONSUMER s g ann
        < :1
        > XGROUP CREATECONSUMER s g ann
        < :0
        > XGROUP DELCONSUMER s g bob
        < :0
        > XGROUP DELCONSUMER s g ann
        < :0
        > XINFO GROUPS s
        < [[\"name\", \"g\", \"consumers\", :0, \"pending\", :0, \"last-delivered-id\", \"0-0\", \"entries-read\", nil, \"lag\", :0], [\"name\", \"h\", \"consumers\", :0, \"pending\", :0, \"last-delivered-id\", \"18446744073709551615-18446744073709551615\", \"entries-read\", nil, \"lag\", :0]]
        > XGROUP DESTROY s g
        < :1
        > XGROUP DESTROY s g
        < :0
        > XGROUP DESTROY none g
        < -ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        > XGROUP DESTROY s
        < -ERR wrong number of arguments for 'xgroup|destroy' command
        > XGROUP NONSENSE s
        < -ERR unknown subcommand 'NONSENSE'. Try XGROUP HELP.
        > SET k x
        < +OK
        > XGROUP CREATE k g $ MKSTREAM
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        ",
    );
}

#[test]
fn removing_a_consumer_forgets_what_it_had() {
    let mut server = with_entries();
    check_with(
        &mut server,
        "
        > XGROUP CREATE s g 0
        < +OK
        > XREADGROUP GROUP g bob COUNT 3 STREAMS s >
        <
        > XGROUP DELCONSUMER s g bob
        < :3
        > XPENDING s g
        < [:0, nil, nil, nil-array]
        ",
    );
}

#[test]
fn xinfo_tells_about_all_there_is() {
    let mut server = with_entries();
    check_with(
        &mut server,
        "
        > XGROUP CREATE s g 1-1
        < +OK
        > XGROUP CREATECONSUMER s g ann
        < :1
        > XREADGROUP GROUP g bob COUNT 2 STREAMS s >
        <
        @ 7
        > XINFO CONSUMERS s g
        < [[\"name\", \"ann\", \"pending\", :0, \"idle\", :7, \"inactive\", :-1], [\"name\", \"bob\", \"pending\", :2, \"idle\", :7, \"inactive\", :7]]
        > XINFO STREAM s FULL COUNT 1
        < [\"length\", :4, \"radix-tree-keys\", :1, \"radix-tree-nodes\", :2, \"last-generated-id\", \"3-0\", \"max-deleted-entry-id\", \"0-0\", \"entries-added\", :4, \"recorded-first-entry-id\", \"1-1\", \"entries\", [[\"1-1\", [\"a\", \"1\"]]], \"groups\", [[\"name\", \"g\", \"last-delivered-id\", \"2-0\", \"entries-read\", nil, \"lag\", nil, \"pel-count\", :2, \"pending\", [[\"1-2\", \"bob\", :1710000000000, :1]], \"consumers\", [[\"name\", \"ann\", \"seen-time\", :1710000000000, \"active-time\", :-1, \"pel-count\", :0, \"pending\", []], [\"name\", \"bob\", \"seen-time\", :1710000000000, \"active-time\", :1710000000000, \"pel-count\", :2, \"pending\", [[\"1-2\", :1710000000000, :1]]]]]]]
        > XINFO CONSUMERS s h
        < -NOGROUP No such consumer group 'h' for key name 's'
        > XINFO CONSUMERS none g
        < -ERR no such key
        > XINFO GROUPS none
        < -ERR no such key
        > XINFO STREAM none
        < -ERR no such key
        > XINFO STREAM none FULL BAD
        < -ERR no such key
        > XINFO STREAM s FULL BAD
        < -ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.
        > XINFO stream s SOME
        < -ERR unknown subcommand or wrong number of arguments for 'stream'. Try XINFO HELP.
        > XINFO STREAM s FULL COUNT x
        < -ERR value is not an integer or out of range
        > XINFO STREAM s FULL MAX 5
        < -ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.
        ",
    );
    check_resp3(
        "
        > XADD s 1-1 a 1
        < \"1-1\"
        > XGROUP CREATE s g 0
        < +OK
        > XINFO STREAM s
        < {\"length\": :1, \"radix-tree-keys\": :1, \"radix-tree-nodes\": :2, \"last-generated-id\": \"1-1\", \"max-deleted-entry-id\": \"0-0\", \"entries-added\": :1, \"recorded-first-entry-id\": \"1-1\", \"groups\": :1, \"first-entry\": [\"1-1\", [\"a\", \"1\"]], \"last-entry\": [\"1-1\", [\"a\", \"1\"]]}
        > XINFO GROUPS s
        < [{\"name\": \"g\", \"consumers\": :0, \"pending\": :0, \"last-delivered-id\": \"0-0\", \"entries-read\": _, \"lag\": :1}]
        > XPENDING s g
        < [:0, _, _, _]
        ",
    );
    for help in ["XINFO HELP", "XGROUP HELP"] {
        let Value::Array(lines) = server.call(help) else {
            panic!("help is an array")
        };
        assert!(lines.len() > 8);
    }
}

#[test]
fn streams_leave_the_traces_that_redis_leaves() {
    check_effects(
        "
        > XADD s 1-1 f v
        = 1; new s, xadd s; own
        > XADD s 1-* f v
        = 1; xadd s; XADD s 1-2 f v
        > XADD s * f v
        = 1; xadd s; XADD s 1710000000000-0 f v
        > XADD s MAXLEN 2 NOMKSTREAM * f v
        = 1; xadd s, xtrim s; XADD s MAXLEN 2 NOMKSTREAM 1710000000000-1 f v
        > XADD s MAXLEN 1 1710000000000-2 f v
        = 1; xadd s, xtrim s; own
        > XADD s MAXLEN ~ 1 LIMIT 7 1710000000000-3 f v
        = 1; xadd s; XADD s MAXLEN = 2 LIMIT 7 1710000000000-3 f v
        > XADD s MINID ~ 9 1710000000000-4 f v
        = 1; xadd s; XADD s MINID = 1-1 1710000000000-4 f v
        > XADD s 1-1 f v
        = 0; -; nothing
        > XTRIM s MAXLEN ~ 0
        = 3; xtrim s; XTRIM s MAXLEN = 0
        > XTRIM s MAXLEN ~ 0
        = 0; -; nothing
        > XADD s 1710000000009-1 f v
        = 1; xadd s; own
        > XTRIM s MINID ~ 1710000000009-2
        = 1; xtrim s; XTRIM s MINID = 18446744073709551615-18446744073709551615
        > XADD s 1710000000009-2 f v
        = 1; xadd s; own
        > XTRIM s MAXLEN 0
        = 1; xtrim s; own
        > XADD s 1710000000009-3 f v
        = 1; xadd s; own
        > XDEL s 1710000000009-3
        = 1; xdel s; own
        > XDEL s 1710000000009-3
        = 0; -; nothing
        > XSETID s 1710000000010-0
        = 1; xsetid s; own
        ",
    );
}

#[test]
fn groups_leave_the_traces_that_redis_leaves() {
    check_effects(
        "
        > XGROUP CREATE s g $ MKSTREAM
        = 1; new s, xgroup-create s; own
        > XADD s 1-1 f v
        = 1; xadd s; own
        > XADD s 1-2 f v
        = 1; xadd s; own
        > XGROUP CREATECONSUMER s g ann
        = 1; xgroup-createconsumer s; own
        > XREADGROUP GROUP g ann COUNT 1 STREAMS s >
        = 1; -; XCLAIM s g ann 0 1-1 TIME 1710000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-1
        > XREADGROUP GROUP g bob NOACK STREAMS s >
        = 2; xgroup-createconsumer s; XGROUP CREATECONSUMER s g bob / XGROUP SETID s g 1-2 ENTRIESREAD 2
        > XREADGROUP GROUP g ann STREAMS s 0
        = 1; -; nothing
        > XREADGROUP GROUP g tim STREAMS s >
        = 1; xgroup-createconsumer s; nothing
        > XCLAIM s g bob 0 1-1 1-2
        = 1; -; XCLAIM s g bob 0 1-1 TIME 1710000000000 RETRYCOUNT 3 FORCE JUSTID LASTID 1-2
        > XCLAIM s g new 0 1 FORCE LASTID 1-3
        = 2; xgroup-createconsumer s; XGROUP SETID s g 1-3 ENTRIESREAD 2
        > XDEL s 1-1
        = 1; xdel s; own
        > XCLAIM s g bob 0 1-1
        = 1; -; XCLAIM s g bob 0 1-1 TIME 1710000000000 RETRYCOUNT 3 FORCE JUSTID LASTID 1-3
        > XCLAIM s g ann 0 1-2 FORCE JUSTID TIME 5
        = 1; -; XCLAIM s g ann 0 1-2 TIME 5 RETRYCOUNT 1 FORCE JUSTID LASTID 1-3
        > XAUTOCLAIM s g bob 0 0
        = 1; -; XCLAIM s g bob 0 1-2 TIME 1710000000000 RETRYCOUNT 2 FORCE JUSTID LASTID 1-3
        > XACK s g 1-2
        = 1; -; own
        > XACK s g 1-2
        = 0; -; nothing
        > XGROUP DELCONSUMER s g bob
        = 1; xgroup-delconsumer s; own
        > XGROUP DELCONSUMER s g bob
        = 0; -; nothing
        > XGROUP SETID s g 0
        = 1; xgroup-setid s; own
        > XGROUP DESTROY s g
        = 1; xgroup-destroy s; own
        > XGROUP DESTROY s g
        = 0; -; nothing
        ",
    );
}

/// Lets a new session wait with this call; its number.
#[track_caller]
fn wait(server: &mut Dispatcher, call: &str) -> usize {
    let session = server.connect();
    let words: Vec<&[u8]> = call.split(' ').map(str::as_bytes).collect();
    server.act(session, &words);
    assert_eq!(server.received(session), [], "{call} waits");
    session
}

#[track_caller]
fn received(server: &mut Dispatcher, session: usize, expected: &str) {
    let values: Vec<String> = server
        .received(session)
        .iter()
        .map(testkit::render)
        .collect();
    assert_eq!(values.join(" "), expected);
}

#[test]
fn readers_that_wait_get_what_is_added() {
    let mut server = Dispatcher::default();
    server.call("XADD s 1-1 f v");
    let end = wait(&mut server, "XREAD BLOCK 0 STREAMS none s $ $");
    let later = wait(&mut server, "XREAD BLOCK 0 STREAMS s 2-5");
    server.call("XADD other 5-5 f v");
    server.call("XDEL s 1-1");
    received(&mut server, end, "");
    server.call("XADD s 2-1 f v");
    received(&mut server, end, "[[\"s\", [[\"2-1\", [\"f\", \"v\"]]]]]");
    received(&mut server, later, "");
    server.call("XADD s 2-6 f v");
    received(&mut server, end, "");
    received(&mut server, later, "[[\"s\", [[\"2-6\", [\"f\", \"v\"]]]]]");
}

#[test]
fn consumers_that_wait_are_served_in_turn_and_learn_that_their_group_is_gone() {
    let mut server = Dispatcher::default();
    server.call("XGROUP CREATE s g $ MKSTREAM");
    let [first, second, third] = ["ann", "bob", "tim"].map(|name| {
        wait(
            &mut server,
            &format!("XREADGROUP GROUP g {name} BLOCK 0 STREAMS s >"),
        )
    });
    server.call("XADD s 1-1 f v");
    received(&mut server, first, "[[\"s\", [[\"1-1\", [\"f\", \"v\"]]]]]");
    received(&mut server, second, "");
    server.call("XADD s 1-2 f v");
    received(
        &mut server,
        second,
        "[[\"s\", [[\"1-2\", [\"f\", \"v\"]]]]]",
    );
    check_with(
        &mut server,
        "
        > XPENDING s g
        < [:2, \"1-1\", \"1-2\", [[\"ann\", \"1\"], [\"bob\", \"1\"]]]
        > XGROUP DESTROY s g
        < :1
        ",
    );
    let gone = "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";
    received(&mut server, third, gone);
    server.call("XGROUP CREATE s g $");
    let last = wait(&mut server, "XREADGROUP GROUP g ann BLOCK 0 STREAMS s >");
    server.call("DEL s");
    received(&mut server, last, gone);
}
