//! Streams against a model of entries in a map, through all ways of changing them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::listpack::Depth;
use crate::testing::element;
use crate::tuning::Tuning;

type Model = BTreeMap<StreamId, Vec<Vec<u8>>>;

#[derive(Clone, Debug)]
enum Step {
    Add(u64, u64, Vec<Vec<u8>>),
    Delete(u64, u64),
    Newest(u64, bool),
    From(u64, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let pairs = prop_oneof![
        3 => (element(), element())
            .prop_map(|(a, b)| vec![b"name".to_vec(), a, b"7".to_vec(), b]),
        1 => prop::collection::vec((element(), element()), 1..4)
            .prop_map(|pairs| pairs.into_iter().flat_map(|(a, b)| [a, b]).collect()),
    ];
    prop_oneof![
        8 => (0..3u64, 0..4u64, pairs).prop_map(|(ms, seq, pairs)| Step::Add(ms, seq, pairs)),
        3 => (0..60u64, 0..4u64).prop_map(|(ms, seq)| Step::Delete(ms, seq)),
        1 => (0..40u64, any::<bool>()).prop_map(|(count, exact)| Step::Newest(count, exact)),
        1 => (0..60u64, any::<bool>()).prop_map(|(ms, exact)| Step::From(ms, exact)),
    ]
}

fn shown(entry: Entry<'_>) -> (StreamId, Vec<Vec<u8>>) {
    let words = entry
        .fields
        .flat_map(|(name, value)| [name.to_vec(), value.to_vec()]);
    (entry.id, words.collect())
}

fn precision(exact: bool) -> Precision {
    if exact {
        Precision::Exact
    } else {
        Precision::WholeNodes(0)
    }
}

/// Trims both; a trim by whole nodes may leave up to a node more than asked.
fn trim(log: &mut EntryLog, model: &mut Model, keep: Keep, exact: bool, node_max: usize) {
    let before = model.len();
    let removed = log.trim(keep, precision(exact)) as usize;
    let wanted = match keep {
        Keep::Newest(count) => before.saturating_sub(count as usize),
        Keep::From(id) => model.range(..id).count(),
    };
    assert!(removed <= wanted && (!exact || removed == wanted));
    assert!(removed + node_max >= wanted);
    for _ in 0..removed {
        model.pop_first();
    }
}

fn run(steps: Vec<Step>, tuning: &Tuning) {
    let (mut log, mut model) = (EntryLog::default(), Model::new());
    let mut last = StreamId::MIN;
    let mut snapshots = Vec::new();
    for step in steps {
        match step {
            Step::Add(ms, seq, words) => {
                let id =
                    StreamId::new(last.ms + ms, if ms == 0 { last.seq + 1 + seq } else { seq });
                let pairs: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                log.append(tuning, id, &pairs);
                model.insert(id, words);
                last = id;
            }
            Step::Delete(ms, seq) => {
                let id = StreamId::new(ms, seq);
                let there = model.remove(&id).is_some();
                assert_eq!(log.delete(&[id]), u64::from(there));
            }
            Step::Newest(count, exact) => {
                let keep = Keep::Newest(count);
                trim(
                    &mut log,
                    &mut model,
                    keep,
                    exact,
                    tuning.stream_node_max_entries,
                );
            }
            Step::From(ms, exact) => {
                let keep = Keep::From(StreamId::new(ms, 0));
                trim(
                    &mut log,
                    &mut model,
                    keep,
                    exact,
                    tuning.stream_node_max_entries,
                );
            }
        }
        if snapshots.len() < 3 && model.len().is_multiple_of(7) {
            snapshots.push((log.clone(), model.clone()));
        }
        let first = model.keys().next().copied().unwrap_or_default();
        assert_eq!(log.totals().first_id, first);
        assert_eq!(log.totals().last_id, last);
        assert_eq!(log.newest_id(), model.keys().next_back().copied());
    }
    snapshots.push((log, model));
    for (log, model) in snapshots {
        check(&log, &model);
    }
}

fn check(log: &EntryLog, model: &Model) {
    assert_eq!(log.len(), model.len() as u64);
    let bounds = [(0, 0), (3, 1), (9, 0), (40, 2), (u64::MAX, u64::MAX)]
        .map(|(ms, seq)| StreamId::new(ms, seq));
    for start in bounds {
        for end in bounds.into_iter().filter(|end| *end >= start) {
            let expected: Vec<_> = model
                .range(start..=end)
                .map(|(id, words)| (*id, words.clone()))
                .collect();
            let forward: Vec<_> = log
                .range(start, end, Direction::Forward)
                .map(shown)
                .collect();
            let mut backward: Vec<_> = log
                .range(start, end, Direction::Backward)
                .map(shown)
                .collect();
            backward.reverse();
            assert_eq!(forward, expected);
            assert_eq!(backward, expected);
        }
    }
    let mut copy = EntryLog::default();
    for (master, view) in log.nodes() {
        assert!(copy.push_node(master, view.bytes(), Depth::Entries));
    }
    copy.set_totals(log.totals());
    assert!(
        copy.range(StreamId::MIN, StreamId::MAX, Direction::Forward)
            .map(shown)
            .eq(model.clone())
    );
}

proptest! {
    #[test]
    fn a_stream_is_a_map_by_id(steps in prop::collection::vec(step(), 1..120), entries in 1..9usize) {
        run(steps, &Tuning { stream_node_max_entries: entries, ..Tuning::default() });
    }

    #[test]
    fn any_bytes_are_walked_without_harm(
        words in prop::collection::vec(any::<u8>(), 0..40),
        at in 6..60usize,
    ) {
        let mut log = EntryLog::default();
        for ms in 0..4u64 {
            log.append(&Tuning::default(), StreamId::new(5, ms), &[b"field", b"12", &ms.to_string().into_bytes(), b"v"]);
        }
        let mut bytes = log.nodes().next().expect("a node").1.bytes().to_vec();
        for (byte, word) in bytes.iter_mut().skip(at).zip(&words) {
            *byte = *word;
        }
        let sound = validate_node(&bytes, Depth::Entries);
        let mut hostile = EntryLog::default();
        if hostile.push_node(StreamId::new(5, 0), &bytes, Depth::Header) {
            hostile.set_totals(log.totals());
            let walked = hostile.range(StreamId::MIN, StreamId::MAX, Direction::Forward).map(shown).count();
            let back = hostile.range(StreamId::MIN, StreamId::MAX, Direction::Backward).map(shown).count();
            prop_assert!(!sound || walked == back);
            hostile.delete(&[StreamId::new(5, 1), StreamId::new(5, 3)]);
            hostile.append(&Tuning::default(), StreamId::new(9, 9), &[b"field", b"12"]);
            hostile.trim(Keep::From(StreamId::new(5, 2)), Precision::Exact);
            hostile.trim(Keep::Newest(0), Precision::Exact);
        }
    }
}

#[test]
fn nodes_have_the_bytes_of_redis() {
    let mut log = EntryLog::default();
    log.append(&Tuning::default(), StreamId::new(1, 1), &[b"f", b"10"]);
    log.append(&Tuning::default(), StreamId::new(1, 3), &[b"f", b"x"]);
    log.append(&Tuning::default(), StreamId::new(2, 0), &[b"g", b"y"]);
    log.delete(&[StreamId::new(1, 3)]);
    let nodes: Vec<_> = log
        .nodes()
        .map(|(master, view)| {
            let items: Vec<_> = view
                .iter()
                .map(|item| String::from_utf8(item.to_vec()).expect("text"))
                .collect();
            (master, items.join(" "))
        })
        .collect();
    let expected = "2 1 1 f 0 2 0 0 10 4 3 0 2 x 4 0 1 -1 1 g y 6".to_owned();
    assert_eq!(nodes, [(StreamId::new(1, 1), expected)]);
}

#[test]
fn nodes_are_sealed_by_entries_and_by_bytes() {
    let by_entries = Tuning {
        stream_node_max_entries: 10,
        ..Tuning::default()
    };
    let by_bytes = Tuning {
        stream_node_max_entries: 0,
        stream_node_max_bytes: 128,
        ..Tuning::default()
    };
    let unbounded = Tuning {
        stream_node_max_entries: 0,
        stream_node_max_bytes: 0,
        ..Tuning::default()
    };
    for (tuning, nodes) in [(by_entries, 10), (by_bytes, 15), (unbounded, 1)] {
        let mut log = EntryLog::default();
        for seq in 1..=100 {
            log.append(&tuning, StreamId::new(0, seq), &[b"field", b"value"]);
        }
        assert_eq!(log.node_count(), nodes);
    }
}

#[test]
fn a_limit_bounds_a_trim_by_whole_nodes() {
    let tuning = Tuning {
        stream_node_max_entries: 10,
        ..Tuning::default()
    };
    let mut log = EntryLog::default();
    for seq in 1..=100 {
        log.append(&tuning, StreamId::new(0, seq), &[b"f", b"v"]);
    }
    assert_eq!(log.trim(Keep::Newest(15), Precision::WholeNodes(35)), 30);
    assert_eq!(log.trim(Keep::Newest(15), Precision::WholeNodes(5)), 0);
    assert_eq!(log.trim(Keep::Newest(15), Precision::WholeNodes(0)), 50);
    assert_eq!(log.trim(Keep::Newest(15), Precision::Exact), 5);
    assert_eq!(log.totals().first_id, StreamId::new(0, 86));
    assert_eq!(log.oldest_known_id(), Some(StreamId::new(0, 81)));
}

#[test]
fn groups_know_what_is_pending_and_with_whom() {
    let mut group = Group::new(StreamId::MIN, None);
    let (bob, ann) = (
        group.create_consumer(b"bob", 5).expect("new"),
        group.create_consumer(b"ann", 6).expect("new"),
    );
    assert_eq!(group.create_consumer(b"bob", 7), None);
    let pending = |seq, owner| Pending {
        id: StreamId::new(1, seq),
        delivered_ms: 9,
        deliveries: 1,
        owner,
    };
    for (seq, owner) in [(1, bob), (2, ann), (3, bob)] {
        group.assign(pending(seq, owner));
    }
    group.assign(pending(1, ann));
    let names: Vec<_> = group
        .consumers()
        .map(|(_, consumer)| (consumer.name().to_vec(), consumer.pending_len()))
        .collect();
    assert_eq!(names, [(b"ann".to_vec(), 2), (b"bob".to_vec(), 1)]);
    assert!(group.release(StreamId::new(1, 2)) && !group.release(StreamId::new(1, 2)));
    assert_eq!(group.remove_consumer(b"ann"), Some(1));
    assert_eq!(group.remove_consumer(b"ann"), None);
    assert_eq!(
        group.pending_from(StreamId::MIN).collect::<Vec<_>>(),
        [pending(3, bob)]
    );
    assert_eq!(
        group
            .create_consumer(b"zoe", 8)
            .and_then(|id| group.consumer(id))
            .map(|zoe| zoe.pending_len()),
        Some(0)
    );
}

#[test]
fn a_restored_group_is_whole_once_every_entry_has_an_owner() {
    let mut group = Group::new(StreamId::MIN, Some(2));
    let id = StreamId::new(1, 1);
    assert!(group.restore_pending(id, 5, 2) && !group.restore_pending(id, 5, 2));
    assert!(!group.is_owned());
    let bob = group.create_consumer(b"bob", 5).expect("new");
    assert!(group.restore_owner(id, bob) && !group.restore_owner(id, bob));
    assert!(!group.restore_owner(StreamId::new(9, 9), bob));
    assert!(group.is_owned());
    assert_eq!(group.consumer(bob).map(Consumer::pending_len), Some(1));
}

#[test]
fn counters_of_groups_survive_what_they_can() {
    let tuning = Tuning::default();
    let mut stream = Stream::new();
    for seq in 1..=5 {
        stream
            .entries
            .append(&tuning, StreamId::new(1, seq), &[b"f", b"v"]);
    }
    let mut group = Group::new(StreamId::MIN, None);
    assert_eq!(stream.lag(&group), Some(5));
    group.read_up_to(StreamId::new(1, 1), stream.entries.totals());
    assert_eq!((group.entries_read, stream.lag(&group)), (Some(1), Some(4)));
    stream.entries.delete(&[StreamId::new(1, 4)]);
    assert_eq!(stream.lag(&group), None);
    group.read_up_to(StreamId::new(1, 2), stream.entries.totals());
    assert_eq!((group.entries_read, stream.lag(&group)), (None, None));
    group.read_up_to(StreamId::new(1, 5), stream.entries.totals());
    assert_eq!((group.entries_read, stream.lag(&group)), (Some(5), Some(0)));
}
