//! The dataset on disk: loading at the start.

use crate::server::TestServer;
use cuirass::{Kind, Server, StartError};
use persist::{Checksums, Compression, KeyFacts, RdbVersion, RdbWriter};
use store::ValueRef;
use tempfile::TempDir;

/// The bytes of a snapshot file with these strings.
fn snapshot(strings: &[(&str, &str)]) -> Vec<u8> {
    let version = RdbVersion::V11;
    let mut rdb = RdbWriter::new(Vec::new(), version, Compression::Lzf, Checksums::Verify).unwrap();
    rdb.select(0, strings.len() as u64, 0).unwrap();
    for (key, value) in strings {
        let value = ValueRef::Bytes(value.as_bytes());
        rdb.record(key.as_bytes(), value, &KeyFacts::default())
            .unwrap();
    }
    rdb.finish().unwrap()
}

#[test]
fn a_server_starts_with_what_its_file_has() {
    let dir = TempDir::new().unwrap();
    std::fs::write(
        dir.path().join("data.rdb"),
        snapshot(&[("a", "1"), ("b", "x")]),
    )
    .unwrap();
    let server = TestServer::start("dbfilename data.rdb", &[Kind::Tcp], dir);
    let mut client = server.client();
    client.check(&["GET", "b"], "$1\r\nx\r\n");
    client.check(&["DBSIZE"], ":2\r\n");
}

#[test]
fn a_server_does_not_start_with_a_damaged_file() {
    let dir = TempDir::new().unwrap();
    let mut bytes = snapshot(&[("a", "1")]);
    let last = bytes.len() - 1;
    bytes[last] ^= 0x55;
    std::fs::write(dir.path().join("dump.rdb"), bytes).unwrap();
    match Server::start(TestServer::launching("", dir.path())) {
        Err(StartError::Load(text)) => assert_eq!(
            text,
            "Fatal error loading the DB, check server logs. Exiting."
        ),
        other => panic!("{other:?}"),
    }
}
