//! `tls-protocols`: which TLS versions are spoken, in the notation of Redis.

use rustls::{ProtocolVersion, SupportedProtocolVersion};

use crate::error::TlsError;

/// The OpenSSL name of a version, such as `TLSv1.3`, as CLIENT LIST shows it.
pub fn openssl_protocol_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => "unknown",
    }
}

/// Reads `tls-protocols`; `None` means both versions. Versions that are known but not spoken go to `dropped`.
///
/// The words, their case-insensitivity and the wording of the error are those of Redis 7.2.
pub(crate) fn parse(
    value: Option<&str>,
    dropped: &mut Vec<String>,
) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(vec![&rustls::version::TLS13, &rustls::version::TLS12]);
    };
    let (mut tls12, mut tls13) = (false, false);
    for word in value.split_ascii_whitespace() {
        match word.to_ascii_lowercase().as_str() {
            "tlsv1.3" => tls13 = true,
            "tlsv1.2" => tls12 = true,
            "tlsv1" | "tlsv1.1" => dropped.push(word.to_owned()),
            _ => return Err(unknown()),
        }
    }
    let mut versions = Vec::new();
    if tls13 {
        versions.push(&rustls::version::TLS13);
    }
    if tls12 {
        versions.push(&rustls::version::TLS12);
    }
    if versions.is_empty() {
        return Err(TlsError::of_value(
            DIRECTIVE,
            format!("nothing is left of '{value}'"),
            "allow TLSv1.2 or TLSv1.3; older versions are not spoken",
        ));
    }
    Ok(versions)
}

pub(crate) const DIRECTIVE: &str = "tls-protocols";

fn unknown() -> TlsError {
    TlsError::of_value(
        DIRECTIVE,
        "Invalid tls-protocols specified",
        "Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(value: &str) -> Result<(Vec<&'static str>, Vec<String>), String> {
        let mut dropped = Vec::new();
        let versions = parse(Some(value), &mut dropped).map_err(|error| error.to_string())?;
        Ok((
            versions
                .iter()
                .map(|v| openssl_protocol_name(v.version))
                .collect(),
            dropped,
        ))
    }

    #[test]
    fn protocols_as_redis_writes_them() {
        assert_eq!(names(""), Ok((vec!["TLSv1.3", "TLSv1.2"], vec![])));
        assert_eq!(
            names("tlsv1.2 TLSV1.3"),
            Ok((vec!["TLSv1.3", "TLSv1.2"], vec![]))
        );
        assert_eq!(names(" TLSv1.2  TLSv1.2 "), Ok((vec!["TLSv1.2"], vec![])));
        assert_eq!(
            names("TLSv1 TLSv1.1 TLSv1.3"),
            Ok((vec!["TLSv1.3"], vec!["TLSv1".into(), "TLSv1.1".into()]))
        );
        assert_eq!(
            names("TLSv1.1"),
            Err("tls-protocols: nothing is left of 'TLSv1.1'; allow TLSv1.2 or TLSv1.3; older versions are not spoken".into())
        );
        assert!(
            names("SSLv3")
                .unwrap_err()
                .contains("Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.")
        );
    }
}
