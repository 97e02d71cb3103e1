//! Certificates as far as the server looks into them: chains in PEM files, version, dates, serial, names.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Version};

use crate::error::TlsError;
use crate::pem;

/// What INFO says of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSummary {
    /// The serial number in upper-case hexadecimal, as `tls_*_cert_serial` shows it.
    pub serial: String,
    /// Start of validity, unix seconds.
    pub not_before_s: i64,
    /// End of validity, unix seconds; `tls_*_cert_expires_in_seconds` is this less the caller's now.
    pub not_after_s: i64,
    /// The subject, such as `CN=server, O=Example`.
    pub subject: String,
}

impl CertificateSummary {
    /// Reads it from DER; `None` if that is no X.509 certificate.
    pub(crate) fn of(der: &[u8]) -> Option<Self> {
        let certificate = parse(der)?;
        Some(Self {
            serial: serial(&certificate),
            not_before_s: certificate.validity().not_before.timestamp(),
            not_after_s: certificate.validity().not_after.timestamp(),
            subject: certificate.subject().to_string(),
        })
    }

    /// Whether it is valid at `now_s`.
    pub fn is_valid_at(&self, now_s: i64) -> bool {
        (self.not_before_s..=self.not_after_s).contains(&now_s)
    }
}

/// The certificates of INFO's TLS section; an absent one is shown as serial `none`, 0 seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateInfo {
    /// `tls-cert-file`'s leaf.
    pub server: Option<CertificateSummary>,
    /// `tls-client-cert-file`'s leaf.
    pub client: Option<CertificateSummary>,
    /// Of all CA certificates the one that expires first, as Valkey 9.1 has it.
    pub ca: Option<CertificateSummary>,
}

/// Reads the certificates of a PEM file, in order; never none.
pub(crate) fn load(
    directive: &'static str,
    file: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text =
        std::fs::read(file).map_err(|error| TlsError::unreadable(directive, file, &error))?;
    from_pem(&text).map_err(|(reason, remedy)| TlsError::of_file(directive, file, reason, remedy))
}

/// The certificates of a PEM text, or reason and remedy.
pub(crate) fn from_pem(
    text: &[u8],
) -> Result<Vec<CertificateDer<'static>>, (String, &'static str)> {
    if text.first() == Some(&0x30) {
        return Err((
            "is DER or PKCS#12, not PEM".into(),
            "convert it: openssl x509 -inform DER -in CERT -out CERT.pem",
        ));
    }
    let sections = pem::sections(text).map_err(|malformed| {
        (
            format!("is not valid PEM: {malformed}"),
            "write the file again",
        )
    })?;
    let mut found = Vec::new();
    for section in &sections {
        let der = match section.label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" => section.body.as_slice(),
            // OpenSSL's own format: trust settings follow the certificate.
            "TRUSTED CERTIFICATE" => without_rest(&section.body),
            _ => continue,
        };
        if parse(der).is_none() {
            let number = found.len() + 1;
            return Err((
                format!("certificate {number} in it is damaged"),
                "get the certificate again from its issuer",
            ));
        }
        found.push(CertificateDer::from(der.to_vec()));
    }
    if found.is_empty() {
        return Err((
            "holds no certificate".into(),
            "name a PEM file with a CERTIFICATE section",
        ));
    }
    Ok(found)
}

/// A whole certificate and nothing after it.
pub(crate) fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    rest.is_empty().then_some(certificate)
}

fn without_rest(der: &[u8]) -> &[u8] {
    let rest_bytes = X509Certificate::from_der(der).map_or(0, |(rest, _)| rest.len());
    der.get(..der.len() - rest_bytes).unwrap_or(der)
}

/// X.509 before version 3: no extensions, which neither webpki nor other TLS stacks of today take for a leaf.
pub(crate) fn is_before_v3(certificate: &X509Certificate<'_>) -> bool {
    certificate.version() != X509Version::V3
}

/// What to do about such a certificate.
pub(crate) const V1_REMEDY: &str = "issue it again as version 3: openssl x509 -req ... -extfile FILE with a line such as subjectAltName=DNS:NAME";

/// Whether OpenSSL would take it for a CA: `basicConstraints`, or else a key usage that allows signing, or a
/// self-issued version 1 root. What is none must not become a trust anchor: its holder could issue certificates.
pub(crate) fn is_ca(certificate: &X509Certificate<'_>) -> bool {
    let usage = certificate.key_usage().ok().flatten();
    if usage
        .as_ref()
        .is_some_and(|usage| !usage.value.key_cert_sign())
    {
        return false;
    }
    match certificate.basic_constraints() {
        Ok(Some(constraints)) => constraints.value.ca,
        Ok(None) if is_before_v3(certificate) => {
            certificate.subject().as_raw() == certificate.issuer().as_raw()
        }
        Ok(None) => usage.is_some(),
        Err(_) => false,
    }
}

/// Whether the public key of the certificate is the one in `spki`.
pub(crate) fn has_key(certificate: &X509Certificate<'_>, spki: &[u8]) -> bool {
    SubjectPublicKeyInfo::from_der(spki).is_ok_and(|(_, key)| {
        key.subject_public_key.data == certificate.public_key().subject_public_key.data
    })
}

/// The first common name of the subject.
pub(crate) fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    let name = certificate
        .subject()
        .iter_common_name()
        .next()?
        .as_str()
        .ok()?;
    // A NUL inside is an attempt to look like another name to a C program.
    (!name.is_empty() && !name.contains('\0')).then(|| name.to_owned())
}

/// The URIs among the subject alternative names, in order.
pub(crate) fn uris(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let uris = names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) if !uri.is_empty() && !uri.contains('\0') => {
                Some((*uri).to_owned())
            }
            _ => None,
        });
    uris.collect()
}

/// As OpenSSL's `BN_bn2hex` prints it: whole bytes, no leading zero byte.
pub(crate) fn serial(certificate: &X509Certificate<'_>) -> String {
    let bytes = certificate.raw_serial();
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let significant = bytes
        .get(zeros..)
        .filter(|bytes| !bytes.is_empty())
        .unwrap_or(&[0]);
    significant
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const V1: &[u8] = include_bytes!("../testdata/v1-leaf.crt");
    const V1_ROOT: &[u8] = include_bytes!("../testdata/v1-root.crt");
    const TRUSTED: &[u8] = include_bytes!("../testdata/trusted.crt");

    #[test]
    fn version_serial_and_dates() {
        let leaf = from_pem(V1).unwrap().remove(0);
        let certificate = parse(&leaf).unwrap();
        assert!(is_before_v3(&certificate) && !is_ca(&certificate));
        let summary = CertificateSummary::of(&leaf).unwrap();
        assert_eq!(
            (summary.serial.as_str(), summary.subject.as_str()),
            ("01A2", "CN=v1-leaf")
        );
        assert!(
            summary.is_valid_at(summary.not_after_s)
                && !summary.is_valid_at(summary.not_after_s + 1)
        );
        let root = from_pem(V1_ROOT).unwrap().remove(0);
        assert!(is_ca(&parse(&root).unwrap()));
    }

    #[test]
    fn openssls_trusted_certificates_are_read() {
        assert_eq!(from_pem(TRUSTED).unwrap(), from_pem(V1_ROOT).unwrap());
    }

    #[test]
    fn what_is_no_certificate_is_told() {
        assert_eq!(from_pem(b"").unwrap_err().0, "holds no certificate");
        assert_eq!(
            from_pem(b"\x30\x82").unwrap_err().0,
            "is DER or PKCS#12, not PEM"
        );
        let damaged = b"-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----";
        assert_eq!(
            from_pem(damaged).unwrap_err().0,
            "certificate 1 in it is damaged"
        );
    }

    proptest! {
        #[test]
        fn any_damage_is_read_or_refused(at in 0usize..500, byte in any::<u8>(), cut in 0usize..600) {
            let mut der = from_pem(V1).unwrap().remove(0).to_vec();
            if let Some(hit) = der.get_mut(at) {
                *hit = byte;
            }
            der.truncate(cut);
            if let Some(certificate) = parse(&der) {
                let _ = (serial(&certificate), common_name(&certificate), uris(&certificate), is_ca(&certificate));
            }
        }
    }
}
