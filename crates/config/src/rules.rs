//! The rules that only one directive has.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::choices::ShutdownFlags;
use crate::reason::Reason;
use crate::title;
use crate::value::{Occasion, Value};

/// Moving values around in memory is not built. A file that asks for it starts all the same, as any directive that is
/// kept but not built; CONFIG SET says so, in the words of a Redis without it.
pub(crate) fn active_defragmentation(value: &Value, occasion: Occasion) -> Result<(), Reason> {
    match (value, occasion) {
        (Value::Boolean(true), Occasion::Set) => Err(Reason::Rule(
            "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified \
             Jemalloc like the one shipped by default with the Redis source distribution",
        )),
        _ => Ok(()),
    }
}

pub(crate) fn snapshot_name(value: &Value, _: Occasion) -> Result<(), Reason> {
    refuse_when(
        text(value).iter().any(is_separator),
        "dbfilename can't be a path, just a filename",
    )
}

pub(crate) fn append_name(value: &Value, _: Occasion) -> Result<(), Reason> {
    refuse_when(text(value).is_empty(), "appendfilename can't be empty")?;
    refuse_when(
        text(value).iter().any(is_separator),
        "appendfilename can't be a path, just a filename",
    )
}

pub(crate) fn append_directory(value: &Value, _: Occasion) -> Result<(), Reason> {
    refuse_when(text(value).is_empty(), "appenddirname can't be empty")?;
    refuse_when(
        text(value).iter().any(is_separator),
        "appenddirname can't be a path, just a dirname",
    )
}

pub(crate) fn shutdown_flags(value: &Value, _: Occasion) -> Result<(), Reason> {
    let both = ShutdownFlags(ShutdownFlags::SAVE.0 | ShutdownFlags::NOSAVE.0);
    refuse_when(
        matches!(value, Value::Choice(bits) if ShutdownFlags(*bits).contains(both)),
        "shutdown options SAVE and NOSAVE can't be used simultaneously",
    )
}

pub(crate) fn host_name(value: &Value, _: Occasion) -> Result<(), Reason> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    refuse_when(
        text(value).len() >= 256,
        "Hostnames must be less than 256 characters",
    )?;
    refuse_when(
        !text(value).iter().all(allowed),
        "Hostnames may only contain alphanumeric characters, hyphens or dots",
    )
}

pub(crate) fn node_name(value: &Value, _: Occasion) -> Result<(), Reason> {
    refuse_when(
        text(value)
            .iter()
            .any(|byte| b"!#$%&()*+:;<>?@[]^{|}~".contains(byte)),
        "Announced human node name contained invalid character",
    )
}

pub(crate) fn ipv4(value: &Value, _: Occasion) -> Result<(), Reason> {
    refuse_when(
        !is_none_or_parses::<Ipv4Addr>(text(value)),
        "Invalid IPv4 address",
    )
}

pub(crate) fn ipv6(value: &Value, _: Occasion) -> Result<(), Reason> {
    refuse_when(
        !is_none_or_parses::<Ipv6Addr>(text(value)),
        "Invalid IPv6 address",
    )
}

/// The names are known and something remains of the title on a server that has neither name nor mode.
pub(crate) fn title_template(value: &Value, _: Occasion) -> Result<(), Reason> {
    let title = title::expand(text(value), |variable| match variable {
        b"title" | b"server-mode" => Some(Vec::new()),
        b"listen-addr" | b"config-file" | b"port" | b"tls-port" | b"unixsocket" => {
            Some(b"-".to_vec())
        }
        _ => None,
    });
    refuse_when(
        title.is_none_or(|title| title.is_empty()),
        "template format is invalid or contains unknown variables",
    )
}

fn refuse_when(broken: bool, words: &'static str) -> Result<(), Reason> {
    if broken {
        Err(Reason::Rule(words))
    } else {
        Ok(())
    }
}

fn text(value: &Value) -> &[u8] {
    match value {
        Value::Text(text) | Value::OptionalText(Some(text)) => text,
        _ => &[],
    }
}

fn is_separator(byte: &u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

fn is_none_or_parses<T: std::str::FromStr>(text: &[u8]) -> bool {
    text.is_empty() || str::from_utf8(text).is_ok_and(|text| text.parse::<T>().is_ok())
}
