//! ZRANDMEMBER: what it answers, and that chance is even.

use super::{LARGE, with_large};
use resp::Value;
use std::collections::BTreeMap;
use testkit::{check, check_resp3};

/// How often each member occurs in the reply.
fn counts(reply: Value) -> BTreeMap<Vec<u8>, f64> {
    let Value::Array(items) = reply else {
        panic!("{reply:?} is no array")
    };
    let mut counts = BTreeMap::new();
    for item in items {
        let member = item.as_bytes().expect("members are strings").to_vec();
        *counts.entry(member).or_insert(0.0) += 1.0;
    }
    counts
}

/// Checks that `draws` draws among `choices` are even: the chi-square statistic lies below what chance exceeds once in a
/// million (Wilson and Hilferty's approximation of its distribution).
#[track_caller]
fn assert_even(counts: &BTreeMap<Vec<u8>, f64>, choices: u32, draws: f64) {
    let expected = draws / f64::from(choices);
    let missed = f64::from(choices) - counts.len() as f64;
    let chi_square: f64 = counts
        .values()
        .map(|count| (count - expected).powi(2) / expected)
        .sum::<f64>()
        + missed * expected;
    let freedom = f64::from(choices - 1);
    let spread = 2.0 / (9.0 * freedom);
    let bound = freedom * (1.0 - spread + 4.75 * spread.sqrt()).powi(3);
    assert!(
        chi_square < bound,
        "chi-square {chi_square} of {choices} choices exceeds {bound}"
    );
}

#[test]
fn random_members_are_drawn_evenly() {
    let mut server = with_large();
    for number in 0..20 {
        server.call(&format!("ZADD small {number} {number}"));
    }
    for (key, choices) in [("small", 20), ("big", LARGE)] {
        let drawn = server.call(&format!("ZRANDMEMBER {key} -20000"));
        assert_even(&counts(drawn), choices, 20_000.0);
        for share in [choices / 10, choices / 2] {
            let mut total = BTreeMap::new();
            let rounds = 20_000 / share;
            for _ in 0..rounds {
                let drawn = counts(server.call(&format!("ZRANDMEMBER {key} {share}")));
                assert_eq!(drawn.len(), share as usize, "all are different");
                for (member, count) in drawn {
                    *total.entry(member).or_insert(0.0) += count;
                }
            }
            assert_even(&total, choices, f64::from(rounds * share));
        }
    }
}

#[test]
fn random_members_come_as_they_are_asked_for() {
    check(
        "
        > ZRANDMEMBER z
        < nil
        > ZRANDMEMBER z 2
        < []
        > ZADD z 1 a
        < :1
        > ZRANDMEMBER z
        < \"a\"
        > ZRANDMEMBER z 5
        < [\"a\"]
        > ZRANDMEMBER z -3
        < [\"a\", \"a\", \"a\"]
        > ZRANDMEMBER z 0
        < []
        > ZRANDMEMBER z -2 WITHSCORES
        < [\"a\", \"1\", \"a\", \"1\"]
        > ZRANDMEMBER z x
        < -ERR value is not an integer or out of range
        > ZRANDMEMBER z -9223372036854775808
        < -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        > ZRANDMEMBER z -9223372036854775807 WITHSCORES
        < -ERR value is out of range
        > ZRANDMEMBER z 1 WITHSCORE
        < -ERR syntax error
        > ZRANDMEMBER z 1 WITHSCORES x
        < -ERR syntax error
        ",
    );
    check_resp3(
        "> ZADD z 1 a\n< :1\n> ZRANDMEMBER z 1 WITHSCORES\n< [[\"a\", ,1]]\n> ZRANDMEMBER y\n< _",
    );
}
