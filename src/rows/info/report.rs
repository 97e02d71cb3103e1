//! The text of a section of INFO: lines of `field:value`.

use std::fmt::{Display, Write};

/// A section that is being written.
#[derive(Debug)]
pub(super) struct Report(String);

impl Report {
    /// A section with this heading.
    pub(super) fn new(title: &str) -> Self {
        Self(format!("# {title}\r\n"))
    }

    /// Adds a field.
    pub(super) fn field(&mut self, name: impl Display, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{name}:{value}\r\n");
    }

    /// Adds fields that are zero: of things that are not there.
    pub(super) fn zeros(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.field(name, 0));
    }

    /// Adds a field in bytes and the same for people.
    pub(super) fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.field(format_args!("{name}_human"), human(bytes));
    }

    /// Adds a field with two places.
    pub(super) fn fraction(&mut self, name: &str, value: f64) {
        self.field(name, format_args!("{value:.2}"));
    }

    /// The text.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// An amount of memory for people (bytesToHuman, Redis 7.2).
fn human(bytes: u64) -> String {
    const UNITS: &[(u32, &str)] = &[(50, "P"), (40, "T"), (30, "G"), (20, "M"), (10, "K")];
    let unit = UNITS.iter().find(|(shift, _)| bytes >> shift > 0);
    match unit {
        Some((shift, unit)) => format!("{:.2}{unit}", bytes as f64 / (1u64 << shift) as f64),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn amounts_for_people() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (1_004_944, "981.39K"),
            (1_183_416, "1.13M"),
            (25_276_518_400, "23.54G"),
            (3 << 40, "3.00T"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
