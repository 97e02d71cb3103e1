//! What the commands on keys of any type do beside their replies.

use commands::Settings;
use testkit::{check_effects, check_effects_with};

#[test]
fn of_presence() {
    check_effects(
        "
        > MSET a 1 b 2
        > DEL a nokey b
        = 2; del a, del b; own
        > UNLINK a
        = 0; -; nothing
        > EXISTS a
        = 0; keymiss a; nothing
        > TYPE a
        = 0; keymiss a; nothing
        > TTL a
        = 0; keymiss a; nothing
        > TOUCH a
        = 0; keymiss a; nothing
        > OBJECT ENCODING a
        = 0; -; nothing
        > SET a v PX 5
        @ 6
        > DEL a
        = 0; expired a; (DEL a) nothing
        ",
    );
}

#[test]
fn of_names() {
    check_effects(
        "
        > SET a 1
        > RENAME a b
        = 1; new b, rename_from a, rename_to b; own
        > RENAME b b
        = 0; -; nothing
        > SET a 1
        > RENAME a b
        = 1; new b, rename_from a, rename_to b; own
        > RENAMENX b c
        = 1; new c, rename_from b, rename_to c; own
        > COPY c d
        = 1; new d, copy_to d; own
        > COPY c d REPLACE
        = 1; new d, copy_to d; own
        > COPY c d
        = 0; -; nothing
        > COPY nokey d
        = 0; keymiss nokey; nothing
        > MOVE c 1
        = 1; new c, move_from c, move_to c; own
        ",
    );
}

#[test]
fn of_times_to_live() {
    let calls = "
        > SET k v
        > EXPIRE k 10
        = 1; expire k; PEXPIREAT k 1710000010000
        > EXPIRE k 20 XX GT
        = 1; expire k; PEXPIREAT k 1710000020000 XX GT
        > PEXPIRE k 5 NX
        = 0; -; nothing
        > EXPIREAT k 1710000030
        = 1; expire k; PEXPIREAT k 1710000030000
        > PEXPIREAT k 1710000040000
        = 1; expire k; own
        > PERSIST k
        = 1; persist k; own
        > PERSIST k
        = 0; -; nothing
        ";
    check_effects(&format!("{calls}\n> EXPIRE k -1\n= 1; del k; DEL k"));
    let lazily = Settings {
        lazy_expire: true,
        ..Settings::default()
    };
    check_effects_with(
        &lazily,
        &format!("{calls}\n> EXPIRE k -1\n= 1; del k; UNLINK k"),
    );
}

#[test]
fn of_sorting() {
    check_effects(
        "
        > RPUSH l 2 1
        > SORT l
        = 0; -; nothing
        > SORT l STORE d
        = 2; new d, sortstore d; own
        > SORT l GET # GET w_* STORE d
        = 4; keymiss w_1, keymiss w_2, sortstore d; own
        > SORT nokey STORE d
        = 1; keymiss nokey, del d; own
        > SORT nokey STORE d
        = 0; keymiss nokey; nothing
        ",
    );
}
