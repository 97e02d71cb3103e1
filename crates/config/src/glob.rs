//! The patterns of CONFIG GET: `*`, `?`, `[a-z]`, `[^a]` and `\` as Redis matches them, whatever the case.

/// Whether the pattern matches the whole name.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    // Where to go on when a byte fails: behind the last star, one byte of the name later.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some(rest) = pattern.strip_prefix(b"*") {
            pattern = rest;
            retry = Some((rest, name));
            continue;
        }
        match (pattern.is_empty(), name.split_first()) {
            (true, None) => return true,
            (false, Some((&byte, rest))) => {
                if let Some(rest_of_pattern) = one(pattern, byte) {
                    (pattern, name) = (rest_of_pattern, rest);
                    continue;
                }
            }
            _ => {}
        }
        match retry {
            Some((after_star, [_, rest @ ..])) => {
                (pattern, name) = (after_star, rest);
                retry = Some((after_star, rest));
            }
            _ => return false,
        }
    }
}

/// Whether a CONFIG GET argument is a pattern rather than a name.
pub(crate) fn is_pattern(argument: &[u8]) -> bool {
    argument
        .iter()
        .any(|byte| matches!(byte, b'[' | b'*' | b'?'))
}

/// What remains of the pattern when its first element accepts the byte.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', b'^', class @ ..] => refused(in_class(class, byte)),
        [b'[', class @ ..] => accepted(in_class(class, byte)),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => {
            literal.eq_ignore_ascii_case(&byte).then_some(rest)
        }
        [] => None,
    }
}

fn accepted((found, rest): (bool, &[u8])) -> Option<&[u8]> {
    found.then_some(rest)
}

fn refused((found, rest): (bool, &[u8])) -> Option<&[u8]> {
    (!found).then_some(rest)
}

/// Whether the byte is in the class, and what follows it. A class that does not close ends with the pattern.
fn in_class(mut class: &[u8], byte: u8) -> (bool, &[u8]) {
    let mut found = false;
    let lower = byte.to_ascii_lowercase();
    loop {
        let hit;
        (hit, class) = match class {
            [] => return (found, class),
            [b']', rest @ ..] => return (found, rest),
            [b'\\', literal, rest @ ..] => (*literal == byte, rest),
            [start, b'-', end, rest @ ..] => {
                let (start, end) = (start.min(end), start.max(end));
                let range = start.to_ascii_lowercase()..=end.to_ascii_lowercase();
                (range.contains(&lower), rest)
            }
            [literal, rest @ ..] => (literal.to_ascii_lowercase() == lower, rest),
        };
        found |= hit;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_as_in_redis() {
        for (pattern, name) in [
            ("*", "save"),
            ("*", ""),
            ("s*e", "save"),
            ("S?VE", "save"),
            ("**max**", "maxmemory"),
            ("*-*-port", "cluster-announce-port"),
            ("[rs]ave", "save"),
            ("[^r]ave", "save"),
            ("[z-a]ave", "save"),
            ("[A-S]ave", "save"),
            ("\\save", "save"),
            ("sav[e", "save"),
            ("[\\s]ave", "save"),
        ] {
            assert!(
                matches(pattern.as_bytes(), name.as_bytes()),
                "{pattern} {name}"
            );
        }
        for (pattern, name) in [
            ("", "save"),
            ("save?", "save"),
            ("sa", "save"),
            ("*x", "save"),
            ("[^s]ave", "save"),
            ("[]ave", "save"),
            ("[", "s"),
        ] {
            assert!(
                !matches(pattern.as_bytes(), name.as_bytes()),
                "{pattern} {name}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_pattern_ends(pattern in "[a-c*?\\[\\]^\\\\-]{0,20}", name in "[a-c]{0,20}") {
            let _ = matches(pattern.as_bytes(), name.as_bytes());
        }

        #[test]
        fn a_name_matches_itself_between_stars(name in "[a-z-]{0,12}") {
            prop_assert!(matches(name.as_bytes(), name.as_bytes()));
            let starred = format!("*{name}*");
            let longer = format!("x{name}y");
            prop_assert!(matches(starred.as_bytes(), longer.as_bytes()));
        }
    }
}
