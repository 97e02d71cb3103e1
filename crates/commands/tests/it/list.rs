//! List commands.

use testkit::{Dispatcher, check, check_effects, check_effects_within, check_resp3, check_with};

#[test]
fn elements_are_added_at_both_ends() {
    check(
        "
        > LPUSH l a b
        < :2
        > RPUSH l c 12
        < :4
        > LRANGE l 0 -1
        < [\"b\", \"a\", \"c\", \"12\"]
        > LPUSHX l x
        < :5
        > RPUSHX l y z
        < :7
        > LPUSHX other x
        < :0
        > RPUSHX other x
        < :0
        > EXISTS other
        < :0
        > LLEN l
        < :7
        > LLEN other
        < :0
        > LPUSH l
        < -ERR wrong number of arguments for 'lpush' command
        > SET s v
        < +OK
        > LPUSH s a
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > RPUSHX s a
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > LLEN s
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        ",
    );
}

#[test]
fn elements_are_popped_at_both_ends() {
    check(
        "
        > RPUSH l a b c d e
        < :5
        > LPOP l
        < \"a\"
        > RPOP l
        < \"e\"
        > RPOP l 2
        < [\"d\", \"c\"]
        > LPOP l 0
        < []
        > LPOP l 9
        < [\"b\"]
        > EXISTS l
        < :0
        > LPOP l
        < nil
        > LPOP l 1
        < nil-array
        > LPOP l 0
        < nil-array
        > RPOP l -1
        < -ERR value is out of range, must be positive
        > RPOP l x
        < -ERR value is out of range, must be positive
        > LPOP l x y
        < -ERR wrong number of arguments for 'lpop' command
        > RPOP l 1 2
        < -ERR wrong number of arguments for 'rpop' command
        > SET s v
        < +OK
        > LPOP s
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > RPOP s 0
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        ",
    );
    check_resp3("> LPOP l\n< _\n> LPOP l 1\n< _");
}

#[test]
fn the_first_of_several_lists_is_popped() {
    check(
        "
        > RPUSH b 1 2 3
        < :3
        > RPUSH c x
        < :1
        > LMPOP 3 a b c LEFT
        < [\"b\", [\"1\"]]
        > LMPOP 3 a b c right count 10
        < [\"b\", [\"3\", \"2\"]]
        > LMPOP 2 a b LEFT
        < nil-array
        > LMPOP 0 a LEFT
        < -ERR numkeys should be greater than 0
        > LMPOP x a LEFT
        < -ERR numkeys should be greater than 0
        > LMPOP 3 a b LEFT
        < -ERR syntax error
        > LMPOP 1 a MIDDLE
        < -ERR syntax error
        > LMPOP 1 a LEFT COUNT 0
        < -ERR count should be greater than 0
        > LMPOP 1 a LEFT COUNT
        < -ERR syntax error
        > LMPOP 1 a LEFT COUNT 1 COUNT 2
        < -ERR syntax error
        > SET s v
        < +OK
        > LMPOP 2 a s LEFT
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        ",
    );
    check_resp3("> LMPOP 1 a LEFT\n< _");
}

#[test]
fn elements_move_between_lists() {
    check(
        "
        > RPUSH a 1 2 3
        < :3
        > LMOVE a b LEFT RIGHT
        < \"1\"
        > RPOPLPUSH a b
        < \"3\"
        > LRANGE b 0 -1
        < [\"3\", \"1\"]
        > LMOVE b b RIGHT LEFT
        < \"1\"
        > LRANGE b 0 -1
        < [\"1\", \"3\"]
        > RPOPLPUSH a a
        < \"2\"
        > RPOPLPUSH a b
        < \"2\"
        > EXISTS a
        < :0
        > RPOPLPUSH a b
        < nil
        > LMOVE a s LEFT LEFT
        < nil
        > SET s v
        < +OK
        > RPOPLPUSH b s
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > LMOVE s b LEFT LEFT
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > LLEN b
        < :3
        > LMOVE b a UP LEFT
        < -ERR syntax error
        > LMOVE b a LEFT DOWN
        < -ERR syntax error
        ",
    );
    check_resp3("> RPOPLPUSH a b\n< _");
}

#[test]
fn a_moved_element_keeps_the_time_to_live_of_a_list_of_one() {
    check(
        "
        > RPUSH a 1
        < :1
        > PEXPIRE a 5000
        < :1
        > LMOVE a a LEFT RIGHT
        < \"1\"
        > PTTL a
        < :5000
        ",
    );
}

#[test]
fn elements_are_read_by_index() {
    check(
        "
        > RPUSH l a 2 c
        < :3
        > LINDEX l 1
        < \"2\"
        > LINDEX l -1
        < \"c\"
        > LINDEX l 3
        < nil
        > LINDEX l -4
        < nil
        > LINDEX l x
        < -ERR value is not an integer or out of range
        > LINDEX other x
        < nil
        > LRANGE l -2 10
        < [\"2\", \"c\"]
        > LRANGE l 2 1
        < []
        > LRANGE l 9223372036854775807 -9223372036854775808
        < []
        > LRANGE other 0 x
        < -ERR value is not an integer or out of range
        > LRANGE other 0 1
        < []
        > SET s v
        < +OK
        > LINDEX s x
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > LRANGE s 0 1
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        ",
    );
}

#[test]
fn elements_are_found_by_value() {
    check(
        "
        > RPUSH l a b 1 b b c
        < :6
        > LPOS l b
        < :1
        > LPOS l 1
        < :2
        > LPOS l b RANK 2
        < :3
        > LPOS l b RANK -1
        < :4
        > LPOS l b COUNT 2
        < [:1, :3]
        > LPOS l b COUNT 0 RANK -2
        < [:3, :1]
        > LPOS l b COUNT 0 MAXLEN 4
        < [:1, :3]
        > LPOS l c MAXLEN 3 RANK -1
        < :5
        > LPOS l x
        < nil
        > LPOS l x COUNT 1
        < []
        > LPOS other x
        < nil
        > LPOS other x COUNT 1
        < []
        > LPOS l b RANK 0
        < -ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list
        > LPOS l b RANK -9223372036854775808
        ! refused since Redis 7.2
        < -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        > LPOS l b RANK x
        < -ERR value is not an integer or out of range
        > LPOS l b COUNT -1
        < -ERR COUNT can't be negative
        > LPOS l b MAXLEN -1
        < -ERR MAXLEN can't be negative
        > LPOS l b RANK
        < -ERR syntax error
        > LPOS l b FIRST 1
        < -ERR syntax error
        > SET s v
        < +OK
        > LPOS s b
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        ",
    );
}

#[test]
fn lists_are_changed_in_their_middle() {
    check(
        "
        > RPUSH l a b c b
        < :4
        > LINSERT l BEFORE b x
        < :5
        > LINSERT l after c y
        < :6
        > LRANGE l 0 -1
        < [\"a\", \"x\", \"b\", \"c\", \"y\", \"b\"]
        > LINSERT l AFTER missing y
        < :-1
        > LINSERT other AFTER a y
        < :0
        > LINSERT l AROUND a y
        < -ERR syntax error
        > LSET l 1 X
        < +OK
        > LSET l -2 Y
        < +OK
        > LSET l 6 z
        < -ERR index out of range
        > LSET l -7 z
        < -ERR index out of range
        > LSET l x z
        < -ERR value is not an integer or out of range
        > LSET other x z
        < -ERR no such key
        > LRANGE l 0 -1
        < [\"a\", \"X\", \"b\", \"c\", \"Y\", \"b\"]
        > LREM l -1 b
        < :1
        > LREM l 0 missing
        < :0
        > LREM other 0 a
        < :0
        > LREM l x a
        < -ERR value is not an integer or out of range
        > LTRIM l 1 -2
        < +OK
        > LRANGE l 0 -1
        < [\"X\", \"b\", \"c\"]
        > LTRIM l 5 9
        < +OK
        > EXISTS l
        < :0
        > LTRIM l 0 1
        < +OK
        > LTRIM l 0 x
        < -ERR value is not an integer or out of range
        > RPUSH l a a a
        < :3
        > LREM l 2 a
        < :2
        > LREM l 0 a
        < :1
        > EXISTS l
        < :0
        > SET s v
        < +OK
        > LINSERT s BEFORE a b
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > LSET s x b
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > LREM s 0 b
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > LTRIM s 0 1
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        ",
    );
}

/// A list of `count` elements of 100 bytes, each beginning with its number.
fn fill(server: &mut Dispatcher, key: &str, count: usize) {
    for number in 0..count {
        server.call(&format!("RPUSH {key} {number:0>100}"));
    }
}

#[test]
fn the_form_follows_the_size_both_ways() {
    let mut server = Dispatcher::default();
    fill(&mut server, "l", 79);
    check_with(
        &mut server,
        "> OBJECT ENCODING l\n< \"listpack\"\n> RPUSH l tail\n< :80\n> OBJECT ENCODING l\n< \"listpack\"",
    );
    fill(&mut server, "l", 1);
    check_with(
        &mut server,
        "
        > OBJECT ENCODING l
        < \"quicklist\"
        > LINDEX l 79
        < \"tail\"
        > LTRIM l 0 39
        < +OK
        > OBJECT ENCODING l
        < \"quicklist\"
        > LPOP l
        <
        > OBJECT ENCODING l
        < \"listpack\"
        > LLEN l
        < :39
        ",
    );
}

#[test]
fn long_lists_answer_as_short_ones_do() {
    let mut server = Dispatcher::default();
    for number in 0..3000 {
        server.call(&format!("RPUSH l {number}"));
    }
    check_with(
        &mut server,
        "
        > OBJECT ENCODING l
        < \"quicklist\"
        > LRANGE l 1998 2001
        < [\"1998\", \"1999\", \"2000\", \"2001\"]
        > LINDEX l -1
        < \"2999\"
        > LPOS l 2500
        < :2500
        > LINSERT l BEFORE 1500 new
        < :3001
        > LPOS l new RANK -1
        < :1500
        > LSET l 1500 1500
        < +OK
        > LREM l -1 1500
        < :1
        > LMOVE l l LEFT RIGHT
        < \"0\"
        > LINDEX l 2999
        < \"0\"
        > RPOP l 2
        < [\"0\", \"2999\"]
        > LLEN l
        < :2998
        ",
    );
}

#[test]
fn events_counts_and_log_are_those_of_redis() {
    check_effects(
        "
        > RPUSH l a b c d e
        = 5; new l, rpush l; own
        > LPUSH l x
        = 1; lpush l; own
        > LPUSHX other x
        = 0; -; nothing
        > LSET l 0 y
        = 1; lset l; own
        > LINSERT l BEFORE a z
        = 1; linsert l; own
        > LINSERT l BEFORE missing z
        = 0; -; nothing
        > LREM l 0 missing
        = 0; -; nothing
        > LREM l 0 z
        = 1; lrem l; own
        > LTRIM l 0 -1
        = 0; ltrim l; nothing
        > LTRIM l 1 -1
        = 1; ltrim l; own
        > LPOP l 0
        = 0; -; nothing
        > LPOP l
        = 1; lpop l; own
        > RPOP l 2
        = 2; rpop l; own
        > LMOVE l l LEFT RIGHT
        = 1; rpush l, lpop l; own
        > LMOVE l m RIGHT LEFT
        = 1; new m, lpush m, rpop l; own
        > RPOPLPUSH l m
        = 1; lpush m, rpop l, del l; own
        > LMPOP 2 l m LEFT COUNT 1
        = 1; lpop m; LPOP m 1
        > LMPOP 2 l m RIGHT COUNT 9
        = 1; rpop m, del m; RPOP m 1
        > LMPOP 2 l m RIGHT
        = 0; -; nothing
        > RPUSH l a a
        = 2; new l, rpush l; own
        > LREM l 0 a
        = 2; lrem l, del l; own
        > RPUSH l a a
        = 2; new l, rpush l; own
        > LTRIM l 5 6
        = 2; ltrim l, del l; own
        ",
    );
}

#[test]
fn long_ranges_are_left_to_a_lane_before_anything_happens() {
    check_effects_within(
        3,
        "
        > RPUSH l a b c d e
        = 5; new l, rpush l; own
        > LRANGE l 0 3
        = elsewhere: 0; -; nothing
        > LPOP l 4
        = elsewhere: 0; -; nothing
        > RPOP l 5
        = elsewhere: 0; -; nothing
        > LTRIM l 0 0
        = elsewhere: 0; -; nothing
        > LMPOP 1 l LEFT COUNT 4
        = elsewhere: 0; -; nothing
        > LRANGE l 1 3
        = 0; -; nothing
        > LTRIM l 1 -2
        = 2; ltrim l; own
        > LPOP l 3
        = 3; lpop l, del l; own
        ",
    );
}
