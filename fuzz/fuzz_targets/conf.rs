//! redis.conf: any text is loaded or refused with a reason, and what was loaded is written back and loaded to the same end.

#![no_main]

use config::source::Files;
use config::{Config, Defaults, Extent, Origin, Users};
use libfuzzer_sys::fuzz_target;
use std::io;
use std::path::{Path, PathBuf};

/// A file system without files.
struct Nothing;

impl Files for Nothing {
    fn read(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn matching(&self, _pattern: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    fn check_directory(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn check_log(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
}

fuzz_target!(|data: &[u8]| {
    let defaults = Defaults { cores: 2, directory: "/".into() };
    let mut config = Config::new(&defaults);
    if config.load(data, &Origin::Arguments, &Nothing).is_err() {
        return;
    }
    let rewritten = config.rewrite(data, Users::Listed(&[]), Extent::Needed);
    let mut again = Config::new(&defaults);
    assert!(again.load(&rewritten, &Origin::Arguments, &Nothing).is_ok(), "what was written is read");
    assert!(config.get(&[b"*"]) == again.get(&[b"*"]), "what was written says the same");
});
