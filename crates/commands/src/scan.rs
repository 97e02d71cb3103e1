//! The options that HSCAN, SSCAN and ZSCAN have in common.

use crate::{Args, CommandError};
use store::{Item, glob};

/// What a scan of a collection shows, and how much of it at a time.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions<'a> {
    /// `COUNT`: about how many elements to look at; at least 1.
    pub count: usize,
    /// `MATCH`, unless it lets everything pass.
    pattern: Option<&'a [u8]>,
}

impl<'a> ScanOptions<'a> {
    /// The words behind the cursor. Redis reads them only once it has found the key (scanGenericCommand, Redis 7.2).
    pub fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let mut options = Self {
            count: 10,
            pattern: None,
        };
        while !args.is_empty() {
            if args.flag("count") {
                let count = args.int()?;
                options.count = usize::try_from(count)
                    .ok()
                    .filter(|&count| count > 0)
                    .ok_or(CommandError::Syntax)?;
            } else if args.flag("match") {
                options.pattern = Some(args.bytes()?).filter(|&pattern| pattern != b"*");
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }

    /// Whether an element (of a hash, its field) is shown.
    #[must_use]
    pub fn shows(&self, item: Item<'_>) -> bool {
        self.pattern
            .is_none_or(|pattern| glob::matches(pattern, item.as_bytes(&mut Default::default())))
    }
}
