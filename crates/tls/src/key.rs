//! Private keys: PKCS#8, PKCS#1 and SEC1 in PEM, plain or encrypted as PKCS#8 (PBES2) or in OpenSSL's old way.

use std::path::Path;
use std::sync::Arc;

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipher, BlockDecryptMut, KeyInit, KeyIvInit};
use md5::{Digest, Md5};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use rustls::sign::SigningKey;
use zeroize::Zeroizing;

use crate::error::TlsError;
use crate::pem::{self, Section};
use crate::settings::Passphrase;

/// Where a key comes from: its file and what the directives are called.
pub(crate) struct KeySource<'a> {
    /// The directive that names the file.
    pub(crate) directive: &'static str,
    /// The directive that holds the passphrase.
    pub(crate) pass_directive: &'static str,
    /// The file.
    pub(crate) file: &'a Path,
    /// The passphrase, if one is configured.
    pub(crate) passphrase: Option<&'a Passphrase>,
}

/// Reads the first private key of a PEM file.
pub(crate) fn load(source: &KeySource<'_>) -> Result<Arc<dyn SigningKey>, TlsError> {
    let text = std::fs::read(source.file)
        .map_err(|error| TlsError::unreadable(source.directive, source.file, &error))?;
    parse(source, &Zeroizing::new(text))
}

fn parse(source: &KeySource<'_>, text: &[u8]) -> Result<Arc<dyn SigningKey>, TlsError> {
    if text.first() == Some(&DER_SEQUENCE) {
        return Err(source.error(
            "is DER or PKCS#12, not PEM",
            "convert it: openssl pkey -inform DER -in KEY -out KEY.pem (or openssl pkcs12 -in FILE -nocerts -nodes)",
        ));
    }
    let sections = pem::sections(text).map_err(|malformed| {
        source.error(
            format!("is not valid PEM: {malformed}"),
            "write the key file again",
        )
    })?;
    let section = sections
        .iter()
        .find(|section| section.label.ends_with("PRIVATE KEY"))
        .ok_or_else(|| {
            source.error(
                "holds no private key",
                "name the PEM file with the PRIVATE KEY section",
            )
        })?;
    let (der, form, was_encrypted) = source.decrypted(section)?;
    let key = match form {
        Form::Pkcs8 => PrivateKeyDer::from(PrivatePkcs8KeyDer::from(der.as_slice())),
        Form::Pkcs1 => PrivatePkcs1KeyDer::from(der.as_slice()).into(),
        Form::Sec1 => PrivateSec1KeyDer::from(der.as_slice()).into(),
    };
    any_supported_type(&key).map_err(|_| {
        // A wrong passphrase passes the padding check once in 256 times; then what comes out is no DER.
        if was_encrypted && !is_der_sequence(&der) {
            return source.wrong_passphrase();
        }
        source.error(
            "holds a key of no supported kind",
            "use RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519",
        )
    })
}

#[derive(Clone, Copy)]
enum Form {
    Pkcs8,
    Pkcs1,
    Sec1,
}

impl KeySource<'_> {
    fn error(
        &self,
        reason: impl Into<std::borrow::Cow<'static, str>>,
        remedy: &'static str,
    ) -> TlsError {
        TlsError::of_file(self.directive, self.file, reason, remedy)
    }

    fn wrong_passphrase(&self) -> TlsError {
        let remedy = format!("correct {}", self.pass_directive);
        TlsError::of_file(
            self.directive,
            self.file,
            "cannot be decrypted with the passphrase given",
            remedy,
        )
    }

    fn passphrase(&self) -> Result<&[u8], TlsError> {
        self.passphrase.and_then(Passphrase::bytes).ok_or_else(|| {
            let remedy = format!("set {}", self.pass_directive);
            TlsError::of_file(
                self.directive,
                self.file,
                "is encrypted and no passphrase is set",
                remedy,
            )
        })
    }

    /// The key's DER, its form, and whether it was encrypted.
    fn decrypted(&self, section: &Section) -> Result<(Zeroizing<Vec<u8>>, Form, bool), TlsError> {
        let form = match section.label.as_str() {
            "PRIVATE KEY" => Form::Pkcs8,
            "RSA PRIVATE KEY" => Form::Pkcs1,
            "EC PRIVATE KEY" => Form::Sec1,
            "ENCRYPTED PRIVATE KEY" => {
                return Ok((self.decrypt_pkcs8(section)?, Form::Pkcs8, true));
            }
            label => {
                return Err(self.error(
                    format!("holds a key of an unsupported kind ({label})"),
                    "use an RSA, ECDSA or Ed25519 key, converted by: openssl pkey -in KEY -out KEY.pem",
                ));
            }
        };
        if section
            .header("Proc-Type")
            .is_some_and(|kind| kind.contains("ENCRYPTED"))
        {
            return Ok((self.decrypt_traditional(section)?, form, true));
        }
        Ok((section.body.clone(), form, false))
    }

    /// PKCS#8 with PBES2: PBKDF2 or scrypt, AES-CBC or 3DES.
    fn decrypt_pkcs8(&self, section: &Section) -> Result<Zeroizing<Vec<u8>>, TlsError> {
        let unsupported = || {
            self.error(
                "is encrypted in a way that is not supported",
                "encrypt it again: openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out KEY.pem",
            )
        };
        let info = pkcs8::EncryptedPrivateKeyInfo::try_from(section.body.as_slice())
            .map_err(|_| unsupported())?;
        let passphrase = self.passphrase()?;
        match info.decrypt(passphrase) {
            Ok(document) => Ok(document.to_bytes()),
            Err(pkcs8::Error::EncryptedPrivateKey(
                pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. }
                | pkcs8::pkcs5::Error::NoPbes1CryptSupport,
            )) => Err(unsupported()),
            Err(_) => Err(self.wrong_passphrase()),
        }
    }

    /// OpenSSL's old format: `DEK-Info: cipher,IV`, the key made of passphrase and IV by EVP_BytesToKey with MD5.
    fn decrypt_traditional(&self, section: &Section) -> Result<Zeroizing<Vec<u8>>, TlsError> {
        let info = section.header("DEK-Info").unwrap_or_default();
        let (name, iv) = info.split_once(',').unwrap_or((info, ""));
        let cipher = TraditionalCipher::named(name.trim()).ok_or_else(|| {
            let reason = format!(
                "is encrypted with '{}', which is not supported",
                name.trim()
            );
            self.error(
                reason,
                "encrypt it again: openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out KEY.pem",
            )
        })?;
        let iv = hex(iv.trim())
            .filter(|iv| iv.len() == cipher.iv_bytes())
            .ok_or_else(|| self.error("has a damaged DEK-Info line", "write the key file again"))?;
        let passphrase = self.passphrase()?;
        cipher
            .decrypt(passphrase, &iv, &section.body)
            .ok_or_else(|| self.wrong_passphrase())
    }
}

/// The ciphers that OpenSSL's `-aes256`, `-aes192`, `-aes128`, `-des3` and `-des` write.
#[derive(Clone, Copy)]
enum TraditionalCipher {
    Aes256,
    Aes192,
    Aes128,
    TripleDes,
    Des,
}

impl TraditionalCipher {
    fn named(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "AES-256-CBC" => Some(Self::Aes256),
            "AES-192-CBC" => Some(Self::Aes192),
            "AES-128-CBC" => Some(Self::Aes128),
            "DES-EDE3-CBC" => Some(Self::TripleDes),
            "DES-CBC" => Some(Self::Des),
            _ => None,
        }
    }

    fn iv_bytes(self) -> usize {
        match self {
            Self::Aes256 | Self::Aes192 | Self::Aes128 => 16,
            Self::TripleDes | Self::Des => 8,
        }
    }

    fn decrypt(self, passphrase: &[u8], iv: &[u8], body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Aes256 => cbc_decrypt::<aes::Aes256>(32, passphrase, iv, body),
            Self::Aes192 => cbc_decrypt::<aes::Aes192>(24, passphrase, iv, body),
            Self::Aes128 => cbc_decrypt::<aes::Aes128>(16, passphrase, iv, body),
            Self::TripleDes => cbc_decrypt::<des::TdesEde3>(24, passphrase, iv, body),
            Self::Des => cbc_decrypt::<des::Des>(8, passphrase, iv, body),
        }
    }
}

fn cbc_decrypt<C>(
    key_bytes: usize,
    passphrase: &[u8],
    iv: &[u8],
    body: &[u8],
) -> Option<Zeroizing<Vec<u8>>>
where
    C: BlockCipher + BlockDecryptMut + KeyInit,
{
    let key = bytes_to_key(passphrase, iv.get(..8)?, key_bytes);
    let mut plain = Zeroizing::new(body.to_vec());
    let decryptor = cbc::Decryptor::<C>::new_from_slices(&key, iv).ok()?;
    let length = decryptor
        .decrypt_padded_mut::<Pkcs7>(&mut plain)
        .ok()?
        .len();
    plain.truncate(length);
    Some(plain)
}

/// EVP_BytesToKey with MD5 and one round: D1 = MD5(pass, salt), D2 = MD5(D1, pass, salt), and so on.
fn bytes_to_key(passphrase: &[u8], salt: &[u8], key_bytes: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(48));
    let mut block = Zeroizing::new(Vec::new());
    while key.len() < key_bytes {
        let digest = Md5::new()
            .chain_update(&*block)
            .chain_update(passphrase)
            .chain_update(salt)
            .finalize();
        *block = digest.to_vec();
        key.extend_from_slice(&block);
    }
    key.truncate(key_bytes);
    key
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pairs = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect()
}

/// Whether the bytes are one whole DER SEQUENCE.
fn is_der_sequence(der: &[u8]) -> bool {
    x509_parser::der_parser::ber::ber_read_element_header(der).is_ok_and(|(rest, header)| {
        header.is_constructed()
            && header
                .length()
                .definite()
                .is_ok_and(|length| length == rest.len())
    }) && der.first() == Some(&DER_SEQUENCE)
}

const DER_SEQUENCE: u8 = 0x30;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, passphrase: &str) -> Result<Arc<dyn SigningKey>, String> {
        let passphrase = Passphrase::new(passphrase);
        let source = KeySource {
            directive: "tls-key-file",
            pass_directive: "tls-key-file-pass",
            file: Path::new("k.pem"),
            passphrase: Some(&passphrase),
        };
        parse(&source, text.as_bytes()).map_err(|error| error.to_string())
    }

    fn public(text: &str, passphrase: &str) -> Vec<u8> {
        read(text, passphrase)
            .unwrap()
            .public_key()
            .unwrap()
            .to_vec()
    }

    macro_rules! pem {
        ($name:literal) => {
            include_str!(concat!("../testdata/", $name))
        };
    }

    #[test]
    fn every_plain_form_is_read() {
        let ec = public(pem!("ec-pkcs8.key"), "");
        assert_eq!(public(pem!("ec-sec1.key"), ""), ec);
        let rsa = public(pem!("rsa-pkcs8.key"), "");
        assert_eq!(public(pem!("rsa-pkcs1.key"), ""), rsa);
        public(pem!("ed25519.key"), "");
    }

    #[test]
    fn every_encrypted_form_is_read() {
        let ec = public(pem!("ec-pkcs8.key"), "");
        for (name, text) in [
            ("pbes2 aes256", pem!("ec-pbes2-aes256.key")),
            ("pbes2 3des", pem!("ec-pbes2-des3.key")),
            ("pbes2 scrypt", pem!("ec-pbes2-scrypt.key")),
            ("aes256", pem!("ec-old-aes256.key")),
            ("aes192", pem!("ec-old-aes192.key")),
            ("aes128", pem!("ec-old-aes128.key")),
            ("des3", pem!("ec-old-des3.key")),
        ] {
            assert_eq!(public(text, "test-pass"), ec, "{name}");
            for (passphrase, expected) in [
                (
                    "wrong",
                    "tls-key-file k.pem: cannot be decrypted with the passphrase given; correct tls-key-file-pass",
                ),
                (
                    "",
                    "tls-key-file k.pem: is encrypted and no passphrase is set; set tls-key-file-pass",
                ),
            ] {
                assert_eq!(read(text, passphrase).unwrap_err(), expected, "{name}");
            }
        }
        assert_eq!(
            public(pem!("rsa-old-aes256.key"), "test-pass"),
            public(pem!("rsa-pkcs8.key"), "")
        );
    }

    /// One wrong passphrase in 256 leaves valid padding: those must be told as wrong passphrases too.
    #[test]
    fn wrong_passphrases_are_told_as_such_whatever_the_padding() {
        for number in 0..1500 {
            let error = read(pem!("ec-old-aes128.key"), &format!("wrong{number}")).unwrap_err();
            assert!(error.contains("cannot be decrypted"), "{number}: {error}");
        }
    }

    #[test]
    fn what_is_no_key_is_told() {
        for (text, expected) in [
            ("", "holds no private key"),
            ("\u{30}\u{1}", "DER or PKCS#12"),
            (
                "-----BEGIN PRIVATE KEY-----\nZm9v\n-----END PRIVATE KEY-----",
                "holds a key of no supported kind",
            ),
            (
                "-----BEGIN DSA PRIVATE KEY-----\nZm9v\n-----END DSA PRIVATE KEY-----",
                "unsupported kind (DSA PRIVATE KEY)",
            ),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nZm9v\n-----END ENCRYPTED PRIVATE KEY-----",
                "encrypted in a way",
            ),
            (
                "-----BEGIN PRIVATE KEY-----\nZm9v\n",
                "is not valid PEM: line 3",
            ),
            (
                "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: RC2-CBC,00\n\nZm9v\n-----END EC PRIVATE KEY-----",
                "is encrypted with 'RC2-CBC'",
            ),
            (
                "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0g\n\nZm9v\n-----END EC PRIVATE KEY-----",
                "damaged DEK-Info",
            ),
        ] {
            let error = read(text, "x").unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains('\n'));
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(
            body in proptest::collection::vec(any::<u8>(), 0..80),
            label in prop_oneof![Just("ENCRYPTED "), Just(""), Just("RSA "), Just("EC ")],
            headers in prop_oneof![Just(""), Just("Proc-Type: 4,ENCRYPTED\nDEK-Info: DES-CBC,0011223344556677\n\n")],
        ) {
            use base64ct::Encoding;
            let encoded = base64ct::Base64::encode_string(&body);
            let text = format!("-----BEGIN {label}PRIVATE KEY-----\n{headers}{encoded}\n-----END {label}PRIVATE KEY-----\n");
            prop_assert!(read(&text, "x").is_err());
        }
    }
}
