//! Our files in a real redis-server, when one is in PATH: it loads ours, saves its own when it is told to stop, and that is read again.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use persist::{
    Access, Checksums, Compression, FileInfo, KeyFacts, RdbVersion, RdbWriter, Sanitize,
};
use store::list::End;
use store::stream::{Group, Pending, StreamId};
use store::{Hash, Item, List, Object, Set, Stream, Tuning, ValueRef, ZSet};

use crate::model::{File, Model, read};

/// Kills the server when a test fails half way.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets a redis-server load `dir`/dump.rdb and save it anew; `None` when there is no server to be had.
fn load_and_save(dir: &Path) -> Option<()> {
    let child = Command::new("redis-server")
        .args([
            "--port",
            "0",
            "--save",
            "3600 1",
            "--dbfilename",
            "dump.rdb",
        ])
        .args(["--dir".as_ref(), dir.as_os_str()])
        .args(["--unixsocket".as_ref(), dir.join("socket").as_os_str()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut server = Server(child);
    let stdout = server.0.stdout.take().expect("stdout is piped");
    let mut log = String::new();
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let ready = lines.by_ref().any(|line| {
        log.push_str(&line);
        log.push('\n');
        line.contains("ready to accept connections")
    });
    assert!(ready, "the server does not load the file:\n{log}");
    let stopped = Command::new("kill").arg(server.0.id().to_string()).status();
    assert!(stopped.is_ok_and(|status| status.success()));
    log.extend(lines.map(|line| line + "\n"));
    let status = server.0.wait().expect("the server was started");
    assert!(status.success(), "{log}");
    Some(())
}

fn objects() -> Vec<(&'static str, Object)> {
    let tuning = Tuning::default();
    let (mut small, mut large) = (List::new(), List::new());
    let (mut ints, mut packed, mut table) = (Set::new(), Set::new(), Set::new());
    let (mut zset, mut tree) = (ZSet::new(), ZSet::new());
    let (mut hash, mut fields) = (Hash::new(), Hash::new());
    let mut stream = Stream::new();
    for index in 0..1000i64 {
        let text = format!("element {index}");
        if index < 20 {
            small.push(&tuning, End::Tail, text.as_bytes());
            ints.add(&tuning, Item::Integer(index << (index * 2)));
            packed.add(&tuning, text.as_bytes());
            zset.insert(&tuning, text.as_bytes(), index as f64 / 3.0);
            hash.set(&tuning, text.as_bytes(), &index.to_le_bytes());
        }
        large.push(&tuning, End::Tail, text.repeat(9).as_bytes());
        table.add(&tuning, text.as_bytes());
        tree.insert(&tuning, text.as_bytes(), (index as f64).sqrt());
        if index > 0 {
            let words = [&b"field"[..], text.as_bytes()];
            stream
                .entries
                .append(&tuning, StreamId::new(index as u64, 0), &words);
        }
        fields.set(&tuning, text.as_bytes(), text.repeat(5).as_bytes());
    }
    let mut group = Group::new(StreamId::new(5, 0), Some(5));
    let owner = group.create_consumer(b"reader", 1_700_000_000_000).unwrap();
    for ms in 1..=5 {
        group.assign(Pending {
            id: StreamId::new(ms, 0),
            delivered_ms: 1_700_000_000_001,
            deliveries: ms,
            owner,
        });
    }
    stream.groups.insert(b"group"[..].into(), group);
    stream.entries.delete(&[StreamId::new(700, 0)]);
    vec![
        ("stream", Object::Stream(Box::new(stream))),
        ("list:small", Object::List(small)),
        ("list:large", Object::List(large)),
        ("set:ints", Object::Set(ints)),
        ("set:packed", Object::Set(packed)),
        ("set:table", Object::Set(table)),
        ("zset:small", Object::ZSet(zset)),
        ("zset:large", Object::ZSet(tree)),
        ("hash:small", Object::Hash(hash)),
        ("hash:large", Object::Hash(fields)),
        (
            "string:large",
            Object::string("text ".repeat(9999).as_bytes()),
        ),
    ]
}

fn our_file(objects: &[(&str, Object)], compression: Compression) -> Vec<u8> {
    let mut writer =
        RdbWriter::new(Vec::new(), RdbVersion::V10, compression, Checksums::Verify).unwrap();
    writer
        .info(&FileInfo {
            redis_version: "7.2.6",
            created: 1_700_000_000,
            used_memory: 1 << 20,
            replication: None,
            aof_base: false,
        })
        .unwrap();
    writer
        .function(b"#!lua name=lib\nredis.register_function('f', function() return 1 end)")
        .unwrap();
    writer.select(0, objects.len() as u64, 0).unwrap();
    for (key, object) in objects {
        let facts = KeyFacts {
            expiry: None,
            access: Access::Idle(7),
        };
        writer
            .record(key.as_bytes(), ValueRef::Boxed(object), &facts)
            .unwrap();
    }
    writer.select(11, 4, 1).unwrap();
    let facts = KeyFacts::default();
    for (key, value) in [("small", 12), ("middle", -40_000), ("big", i64::MIN)] {
        writer
            .record(key.as_bytes(), ValueRef::Integer(value), &facts)
            .unwrap();
    }
    let facts = KeyFacts {
        expiry: Some(4_102_444_800_123),
        access: Access::Frequency(200),
    };
    writer
        .record(b"expires", ValueRef::Bytes(b"value"), &facts)
        .unwrap();
    writer.finish().unwrap()
}

#[test]
fn a_server_loads_our_file() {
    let objects = objects();
    for compression in [Compression::Lzf, Compression::None] {
        let dir = std::env::temp_dir().join(format!(
            "cuirass-persist-{}-{compression:?}",
            std::process::id()
        ));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("dump.rdb");
        let ours = our_file(&objects, compression);
        std::fs::write(&path, &ours).unwrap();
        let served = load_and_save(&dir);
        let theirs = std::fs::read(&path).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        if served.is_none() {
            return;
        }
        assert_ne!(ours, theirs, "the server has saved its own");
        let (ours, theirs) = (
            read(&ours, Sanitize::Deep).unwrap(),
            read(&theirs, Sanitize::Deep).unwrap(),
        );
        assert_eq!(values(&ours), values(&theirs));
        assert_eq!(ours.functions, theirs.functions);
        for (key, object) in objects.iter().filter(|(key, _)| *key != "stream") {
            assert_eq!(
                theirs.keys[&(0, key.as_bytes().to_vec())].value,
                Model::of(object)
            );
        }
    }
}

/// Database, key, value and deadline of every key.
fn values(file: &File) -> Vec<(u64, &[u8], &Model, Option<i64>)> {
    file.keys
        .iter()
        .map(|((db, name), key)| (*db, &name[..], &key.value, key.expiry))
        .collect()
}
