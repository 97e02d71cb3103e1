//! Glob patterns as KEYS, SCAN and CONFIG GET read them (stringmatchlen, Redis 7.2).

/// Whether `text` matches `pattern`: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, and `\` before a literal.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    Matcher { fold: |byte| byte }.run(pattern, text)
}

/// As [`matches`], without regard to ASCII case.
#[must_use]
pub fn matches_ignoring_case(pattern: &[u8], text: &[u8]) -> bool {
    Matcher {
        fold: |byte| byte.to_ascii_lowercase(),
    }
    .run(pattern, text)
}

struct Matcher {
    fold: fn(u8) -> u8,
}

impl Matcher {
    /// Matches with one point of return: a later `*` makes an earlier one's choices irrelevant, so time stays within
    /// pattern times text whatever the pattern.
    fn run(&self, pattern: &[u8], text: &[u8]) -> bool {
        let (mut p, mut t) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        let mut stars = 0;
        loop {
            if pattern.get(p) == Some(&b'*') {
                let run = pattern.get(p..).unwrap_or_default();
                p += run.iter().take_while(|byte| **byte == b'*').count();
                if p == pattern.len() {
                    return true;
                }
                stars += 1;
                if stars > STARS_MAX {
                    return false;
                }
                retry = Some((p, t));
                continue;
            }
            let step = match (pattern.get(p), text.get(t)) {
                (None, None) => return true,
                (Some(_), Some(byte)) => self.one(pattern, p, *byte),
                _ => None,
            };
            match (step, retry) {
                (Some(next), _) => (p, t) = (next, t + 1),
                (None, Some((after_star, from))) if from < text.len() => {
                    retry = Some((after_star, from + 1));
                    (p, t) = (after_star, from + 1);
                }
                (None, _) => return false,
            }
        }
    }

    /// Matches one byte against the pattern's element at `p`; where the next element begins, `None` for no match.
    fn one(&self, pattern: &[u8], p: usize, byte: u8) -> Option<usize> {
        match *pattern.get(p)? {
            b'?' => Some(p + 1),
            b'[' => self.class(pattern, p + 1, byte),
            b'\\' if p + 1 < pattern.len() => {
                self.literal(*pattern.get(p + 1)?, byte).then_some(p + 2)
            }
            literal => self.literal(literal, byte).then_some(p + 1),
        }
    }

    fn literal(&self, expected: u8, byte: u8) -> bool {
        (self.fold)(expected) == (self.fold)(byte)
    }

    /// A class whose text begins at `p`; an unclosed one ends with the pattern.
    fn class(&self, pattern: &[u8], mut p: usize, byte: u8) -> Option<usize> {
        let negated = pattern.get(p) == Some(&b'^');
        if negated {
            p += 1;
        }
        let byte = (self.fold)(byte);
        let mut found = false;
        loop {
            match *pattern.get(p..)? {
                [] => break,
                [b'\\', escaped, ..] => {
                    found |= self.literal(escaped, byte);
                    p += 2;
                }
                [b']', ..] => {
                    p += 1;
                    break;
                }
                [low, b'-', high, ..] => {
                    let (low, high) = ((self.fold)(low.min(high)), (self.fold)(low.max(high)));
                    found |= (low..=high).contains(&byte);
                    p += 3;
                }
                [single, ..] => {
                    found |= self.literal(single, byte);
                    p += 1;
                }
            }
        }
        (found != negated).then_some(p)
    }
}

/// Runs of `*`, but for one at the end, above which a pattern matches nothing: Redis gives up there.
const STARS_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::{matches, matches_ignoring_case};

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "heeeello", true),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h\\*llo", "h*llo", true),
            ("h\\*llo", "hxllo", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("[abc", "a", true),
            ("[^]", "a", true),
            ("a\\", "a\\", true),
            ("**", "abc", true),
            ("*a", "ba", true),
            ("foo*", "fo", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
        assert!(matches_ignoring_case(b"MAX*", b"maxmemory"));
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = "a*".repeat(1000) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(5000).as_bytes()));
    }

    #[test]
    fn a_thousand_stars_are_enough() {
        let text = [b'a'; 2000];
        assert!(matches("*?".repeat(1000).as_bytes(), &text));
        assert!(matches(("*?".repeat(1000) + "**").as_bytes(), &text));
        assert!(!matches("*?".repeat(1001).as_bytes(), &text));
    }
}
