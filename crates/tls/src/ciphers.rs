//! `tls-ciphers` and `tls-ciphersuites`: OpenSSL's cipher lists evaluated over the suites that rustls has, and the
//! OpenSSL names of those suites.

use rustls::crypto::aws_lc_rs::cipher_suite as suite;
use rustls::{CipherSuite, SupportedCipherSuite};

/// The OpenSSL name of a negotiated suite, such as `ECDHE-RSA-AES256-GCM-SHA384`, as CLIENT LIST shows it.
pub fn openssl_cipher_name(suite: CipherSuite) -> &'static str {
    let tls12 = TLS12
        .iter()
        .find(|known| known.suite.suite() == suite)
        .map(|known| known.name);
    let tls13 = || {
        TLS13
            .iter()
            .find(|(_, known)| known.suite() == suite)
            .map(|(name, _)| *name)
    };
    tls12.or_else(tls13).unwrap_or("unknown")
}

/// Evaluates an OpenSSL cipher list for TLS 1.2; the suites come in order of preference.
///
/// Words that add nothing which rustls has (CBC, RSA key exchange, misspellings) go to `dropped`; words that only
/// take away need no match. The operators are OpenSSL's: `!` for good, `-` for now, `+` to the end, `A+B` both,
/// `@STRENGTH`, `@SECLEVEL=n`. What was taken away last comes back first, as there.
pub(crate) fn tls12(list: &str, dropped: &mut Vec<String>) -> Vec<SupportedCipherSuite> {
    let mut evaluation = Evaluation::new();
    for word in list
        .split([':', ',', ';', ' ', '\t'])
        .filter(|word| !word.is_empty())
    {
        if !evaluation.apply(word) {
            dropped.push(word.to_owned());
        }
    }
    evaluation.finish()
}

/// Reads a list of TLS 1.3 suites, in order of preference; names that rustls lacks go to `dropped`.
pub(crate) fn tls13(list: &str, dropped: &mut Vec<String>) -> Vec<SupportedCipherSuite> {
    let mut suites: Vec<SupportedCipherSuite> = Vec::new();
    for word in list.split([':', ',', ' ']).filter(|word| !word.is_empty()) {
        match TLS13
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word))
        {
            Some((_, found)) if suites.contains(found) => {}
            Some((_, found)) => suites.push(*found),
            None => dropped.push(word.to_owned()),
        }
    }
    suites
}

/// A TLS 1.2 suite of rustls: all of them are ECDHE with an AEAD.
struct Known {
    name: &'static str,
    iana: &'static str,
    suite: SupportedCipherSuite,
    key: Key,
    cipher: Cipher,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Ecdsa,
    Rsa,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cipher {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20,
}

impl Cipher {
    fn strength_bits(self) -> u32 {
        match self {
            Self::Aes128Gcm => 128,
            Self::Aes256Gcm | Self::ChaCha20 => 256,
        }
    }
}

/// The list being evaluated, as indices into [`TLS12`].
struct Evaluation {
    /// Chosen, in order of preference.
    active: Vec<usize>,
    /// Not chosen, in the order in which they would be.
    inactive: Vec<usize>,
    /// From `@SECLEVEL`: the least strength.
    strength_bits_min: u32,
}

impl Evaluation {
    fn new() -> Self {
        Self {
            active: Vec::new(),
            inactive: (0..TLS12.len()).collect(),
            strength_bits_min: 0,
        }
    }

    /// Applies one word; false if it was to add something and found nothing that rustls has.
    fn apply(&mut self, word: &str) -> bool {
        if let Some(command) = word.strip_prefix('@') {
            return self.command(command);
        }
        if let Some(words) = word.strip_prefix('!') {
            self.active.retain(|&index| !matches(words, index));
            self.inactive.retain(|&index| !matches(words, index));
        } else if let Some(words) = word.strip_prefix('-') {
            let (mut taken, kept) = self
                .active
                .iter()
                .partition::<Vec<usize>, _>(|&&index| matches(words, index));
            self.active = kept;
            taken.append(&mut self.inactive);
            self.inactive = taken;
        } else if let Some(words) = word.strip_prefix('+') {
            self.active.sort_by_key(|&index| matches(words, index));
        } else {
            let (mut added, rest) = self
                .inactive
                .iter()
                .partition::<Vec<usize>, _>(|&&index| matches(word, index));
            self.active.append(&mut added);
            self.inactive = rest;
            return (0..TLS12.len()).any(|index| matches(word, index))
                || EMPTY_BY_NATURE.contains(&word);
        }
        true
    }

    fn command(&mut self, command: &str) -> bool {
        if command == "STRENGTH" {
            self.active.sort_by_key(|&index| {
                TLS12
                    .get(index)
                    .map(|known| u32::MAX - known.cipher.strength_bits())
            });
            return true;
        }
        let level = command
            .strip_prefix("SECLEVEL=")
            .and_then(|level| level.parse::<u8>().ok());
        // Up to level 3 (128 bits, forward secrecy) every suite here qualifies; 4 asks for 192 bits, 5 for 256.
        self.strength_bits_min = match level {
            Some(0..=3) => 0,
            Some(4..=5) => 256,
            _ => return false,
        };
        true
    }

    fn finish(self) -> Vec<SupportedCipherSuite> {
        let chosen = self.active.iter().filter_map(|&index| TLS12.get(index));
        let strong = chosen.filter(|known| known.cipher.strength_bits() >= self.strength_bits_min);
        strong.map(|known| known.suite).collect()
    }
}

/// Whether a suite is meant by `A+B+C`: by each of the words.
fn matches(words: &str, index: usize) -> bool {
    let Some(known) = TLS12.get(index) else {
        return false;
    };
    words.split('+').all(|word| means(word, known))
}

/// Whether a suite is meant by one word: its name or a group. What `openssl ciphers` answers for each, checked with 3.0.
fn means(word: &str, known: &Known) -> bool {
    let aes = known.cipher != Cipher::ChaCha20;
    match word {
        "ALL" | "DEFAULT" | "HIGH" | "TLSv1.2" | "ECDHE" | "EECDH" | "kECDHE" | "kEECDH" => true,
        "AES" | "AESGCM" | "FIPS" => aes,
        "AES128" => known.cipher == Cipher::Aes128Gcm,
        "AES256" => known.cipher == Cipher::Aes256Gcm,
        "CHACHA20" => known.cipher == Cipher::ChaCha20,
        "ECDSA" | "aECDSA" => known.key == Key::Ecdsa,
        "aRSA" => known.key == Key::Rsa,
        "SUITEB128" => aes && known.key == Key::Ecdsa,
        "SUITEB128ONLY" | "SUITEB128C2" => {
            known.cipher == Cipher::Aes128Gcm && known.key == Key::Ecdsa
        }
        "SUITEB192" => known.cipher == Cipher::Aes256Gcm && known.key == Key::Ecdsa,
        name => name == known.name || name == known.iana,
    }
}

/// Groups that mean nothing in OpenSSL's own default build either: no loss to tell of.
const EMPTY_BY_NATURE: &[&str] = &["COMPLEMENTOFALL", "COMPLEMENTOFDEFAULT"];

/// In OpenSSL's default order of preference.
static TLS12: [Known; 6] = [
    Known {
        name: "ECDHE-ECDSA-AES256-GCM-SHA384",
        iana: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        suite: suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        key: Key::Ecdsa,
        cipher: Cipher::Aes256Gcm,
    },
    Known {
        name: "ECDHE-RSA-AES256-GCM-SHA384",
        iana: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        suite: suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        key: Key::Rsa,
        cipher: Cipher::Aes256Gcm,
    },
    Known {
        name: "ECDHE-ECDSA-CHACHA20-POLY1305",
        iana: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        suite: suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        key: Key::Ecdsa,
        cipher: Cipher::ChaCha20,
    },
    Known {
        name: "ECDHE-RSA-CHACHA20-POLY1305",
        iana: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        suite: suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        key: Key::Rsa,
        cipher: Cipher::ChaCha20,
    },
    Known {
        name: "ECDHE-ECDSA-AES128-GCM-SHA256",
        iana: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        suite: suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        key: Key::Ecdsa,
        cipher: Cipher::Aes128Gcm,
    },
    Known {
        name: "ECDHE-RSA-AES128-GCM-SHA256",
        iana: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        suite: suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        key: Key::Rsa,
        cipher: Cipher::Aes128Gcm,
    },
];

/// OpenSSL names TLS 1.3 suites as IANA does.
static TLS13: [(&str, SupportedCipherSuite); 3] = [
    ("TLS_AES_256_GCM_SHA384", suite::TLS13_AES_256_GCM_SHA384),
    (
        "TLS_CHACHA20_POLY1305_SHA256",
        suite::TLS13_CHACHA20_POLY1305_SHA256,
    ),
    ("TLS_AES_128_GCM_SHA256", suite::TLS13_AES_128_GCM_SHA256),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Short names of what a list gives: `E`/`R` for the key, then `256`, `cha`, `128`.
    fn short(list: &str) -> (String, Vec<String>) {
        let mut dropped = Vec::new();
        let suites = tls12(list, &mut dropped);
        let names = suites.iter().map(|suite| {
            let name = openssl_cipher_name(suite.suite());
            let key = if name.contains("ECDSA") { 'E' } else { 'R' };
            let cipher = [("AES256", "256"), ("CHACHA20", "cha"), ("AES128", "128")];
            format!(
                "{key}{}",
                cipher
                    .iter()
                    .find(|(part, _)| name.contains(part))
                    .unwrap()
                    .1
            )
        });
        (names.collect::<Vec<_>>().join(" "), dropped)
    }

    #[track_caller]
    fn check(list: &str, expected: &str, dropped: &[&str]) {
        let (names, lost) = short(list);
        assert_eq!(names, expected, "{list}");
        assert_eq!(lost, dropped, "{list}");
    }

    /// The expectations are what `openssl ciphers` 3.0 lists for the same words, less what rustls lacks.
    #[test]
    fn lists_mean_what_they_mean_to_openssl() {
        let all = "E256 R256 Echa Rcha E128 R128";
        check("DEFAULT", all, &[]);
        check("ALL:COMPLEMENTOFDEFAULT", all, &[]);
        check("HIGH:!aNULL:!MD5:!3DES", all, &[]);
        check("ECDSA", "E256 Echa E128", &[]);
        check("FIPS", "E256 R256 E128 R128", &[]);
        check("AESGCM+AES256", "E256 R256", &[]);
        check("SUITEB128", "E256 E128", &[]);
        check(
            "ECDHE+AESGCM:ECDHE+CHACHA20",
            "E256 R256 E128 R128 Echa Rcha",
            &[],
        );
        check(
            "HIGH:-AES128:AES128:+aRSA",
            "E256 Echa E128 R256 Rcha R128",
            &[],
        );
        check(
            "CHACHA20:AES128:AESGCM:@STRENGTH",
            "Echa Rcha E256 R256 E128 R128",
            &[],
        );
        check(
            "AES256:-ECDHE-RSA-AES256-GCM-SHA384:ALL",
            "E256 R256 Echa Rcha E128 R128",
            &[],
        );
        check("ALL:!CHACHA20:CHACHA20", "E256 R256 E128 R128", &[]);
        check("ALL:@SECLEVEL=2", all, &[]);
        check("ALL:@SECLEVEL=5", "E256 R256 Echa Rcha", &[]);
        check(
            "ECDHE-RSA-AES128-GCM-SHA256,ECDHE-ECDSA-CHACHA20-POLY1305 kEECDH+aRSA",
            "R128 Echa R256 Rcha",
            &[],
        );
    }

    #[test]
    fn what_rustls_lacks_is_named() {
        check(
            "AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256:LOW:!EXPORT:PSK",
            "R128",
            &["AES128-SHA", "LOW", "PSK"],
        );
        check(
            "SHA384:kRSA:TLS_AES_128_GCM_SHA256",
            "",
            &["SHA384", "kRSA", "TLS_AES_128_GCM_SHA256"],
        );
        check("HIGH+kRSA:@NONSENSE:-", "", &["HIGH+kRSA", "@NONSENSE"]);
    }

    #[test]
    fn tls13_names_in_order() {
        let mut dropped = Vec::new();
        let suites = tls13(
            "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_CCM_SHA256:TLS_AES_128_GCM_SHA256",
            &mut dropped,
        );
        let names: Vec<_> = suites
            .iter()
            .map(|suite| openssl_cipher_name(suite.suite()))
            .collect();
        assert_eq!(
            names,
            ["TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"]
        );
        assert_eq!(dropped, ["TLS_AES_128_CCM_SHA256"]);
    }

    #[test]
    fn every_suite_of_the_provider_has_a_name() {
        for suite in rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES {
            assert_ne!(openssl_cipher_name(suite.suite()), "unknown", "{suite:?}");
        }
    }

    proptest! {
        #[test]
        fn any_list_is_evaluated(list in "([!+@-]?(ALL|DEFAULT|AES128|CHACHA20|aRSA|SECLEVEL=|STRENGTH|[ -~]{0,8})[:+, ]){0,12}") {
            let (names, _) = short(&list);
            let mut unique: Vec<_> = names.split_ascii_whitespace().collect();
            let count = unique.len();
            unique.sort_unstable();
            unique.dedup();
            prop_assert_eq!(unique.len(), count);
        }

        #[test]
        fn any_text_is_evaluated(list in any::<String>()) {
            let _ = tls12(&list, &mut Vec::new());
            let _ = tls13(&list, &mut Vec::new());
        }
    }
}
