//! Counts of error replies by their code, for INFO errorstats.

use parking_lot::Mutex;
use std::collections::BTreeMap;

/// Error replies by their code: the text up to the first space, such as `WRONGTYPE`.
#[derive(Debug, Default)]
pub struct Errors(Mutex<BTreeMap<Box<str>, u64>>);

/// Different codes that are counted; scripts can make up codes without end.
const CODES_MAX: usize = 128;

impl Errors {
    /// Counts an error of this text.
    pub fn count(&self, text: &str) {
        let code = text.split(' ').next().unwrap_or(text);
        let mut counts = self.0.lock();
        if let Some(count) = counts.get_mut(code) {
            *count += 1;
        } else if counts.len() < CODES_MAX {
            counts.insert(code.into(), 1);
        }
    }

    /// The counts in the order of the codes.
    #[must_use]
    pub fn counts(&self) -> Vec<(Box<str>, u64)> {
        self.0
            .lock()
            .iter()
            .map(|(code, count)| (code.clone(), *count))
            .collect()
    }

    /// Forgets all counts (CONFIG RESETSTAT).
    pub fn reset(&self) {
        self.0.lock().clear();
    }
}
