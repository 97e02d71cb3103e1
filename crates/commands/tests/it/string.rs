//! String commands.

use testkit::check;

#[test]
fn get_and_getdel_of_a_missing_key() {
    check(
        "
        > GET k
        < nil
        > GETDEL k
        < nil
        > GET
        < -ERR wrong number of arguments for 'get' command
        ",
    );
}
