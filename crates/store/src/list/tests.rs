//! Lists against a vector, over both forms and the way between them.

use proptest::prelude::*;

use super::*;

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0u8..6).prop_map(|value| value.to_string().into_bytes()),
        4 => prop::collection::vec(b'a'..b'd', 0..3),
        2 => prop::collection::vec(any::<u8>(), 0..70),
        1 => prop::collection::vec(any::<u8>(), 1000..3000),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Push(End, Vec<Vec<u8>>),
    Pop(End, usize),
    Set(usize, Vec<u8>),
    Insert(Vec<u8>, Side, Vec<u8>),
    RemoveEqual(Vec<u8>, End, usize),
    RemoveRange(usize, usize),
    Trim(usize, usize),
    Reload,
}

fn step() -> impl Strategy<Value = Step> {
    let end = prop_oneof![Just(End::Head), Just(End::Tail)];
    let side = prop_oneof![Just(Side::Before), Just(Side::After)];
    prop_oneof![
        6 => (end.clone(), prop::collection::vec(element(), 1..8)).prop_map(|(end, items)| Step::Push(end, items)),
        2 => (end.clone(), 1usize..4).prop_map(|(end, count)| Step::Pop(end, count)),
        3 => (0usize..60, element()).prop_map(|(index, item)| Step::Set(index, item)),
        4 => (element(), side, element()).prop_map(|(pivot, side, item)| Step::Insert(pivot, side, item)),
        2 => (element(), end, 0usize..4).prop_map(|(item, end, limit)| Step::RemoveEqual(item, end, limit)),
        1 => (0usize..60, 0usize..9).prop_map(|(start, count)| Step::RemoveRange(start, count)),
        1 => (0usize..9, 20usize..90).prop_map(|(start, count)| Step::Trim(start, count)),
        1 => Just(Step::Reload),
    ]
}

fn apply(list: &mut List, model: &mut Vec<Vec<u8>>, tuning: &Tuning, step: Step) {
    match step {
        Step::Push(end, items) => {
            list.push_all(tuning, end, items.iter().map(|item| &item[..]));
            for item in items {
                model.insert(if end == End::Head { 0 } else { model.len() }, item);
            }
        }
        Step::Pop(end, count) => {
            for _ in 0..count {
                let expected = if end == End::Head {
                    (!model.is_empty()).then(|| model.remove(0))
                } else {
                    model.pop()
                };
                assert_eq!(list.pop(tuning, end, |item| item.to_vec()), expected);
            }
        }
        Step::Set(index, item) => {
            assert_eq!(list.set(tuning, index, &item), index < model.len());
            if let Some(slot) = model.get_mut(index) {
                *slot = item;
            }
        }
        Step::Insert(pivot, side, item) => {
            let index = model.iter().position(|other| *other == pivot);
            assert_eq!(list.insert(tuning, &pivot, side, &item), index.is_some());
            if let Some(index) = index {
                model.insert(index + usize::from(side == Side::After), item);
            }
        }
        Step::RemoveEqual(item, end, limit) => {
            let mut indexes: Vec<usize> = (0..model.len())
                .filter(|&index| model[index] == item)
                .collect();
            if end == End::Tail {
                indexes.reverse();
            }
            indexes.truncate(limit);
            indexes.sort_unstable();
            assert_eq!(list.remove_equal(tuning, &item, end, limit), indexes.len());
            for index in indexes.into_iter().rev() {
                model.remove(index);
            }
        }
        Step::RemoveRange(start, count) => {
            list.remove_range(tuning, start, count);
            let start = start.min(model.len());
            model.drain(start..model.len().min(start + count));
        }
        Step::Trim(start, count) => {
            list.trim(tuning, start, count);
            model.truncate(start + count);
            model.drain(..start.min(model.len()));
        }
        Step::Reload => *list = List::from_nodes(tuning, list.nodes()),
    }
}

fn agrees(list: &List, model: &[Vec<u8>]) {
    let items = |indexes: &mut dyn Iterator<Item = usize>| {
        indexes
            .map(|index| model[index].clone())
            .collect::<Vec<_>>()
    };
    let read = |range: Items<'_>| range.map(|item| item.to_vec()).collect::<Vec<_>>();
    assert_eq!(list.len(), model.len());
    assert_eq!(read(list.iter()), model);
    for start in 0..model.len() {
        assert_eq!(list.get(start), Some(Item::Bytes(&model[start])));
        let end = model.len().min(start + 5);
        assert_eq!(
            read(list.range(End::Head, start, 5)),
            items(&mut (start..end))
        );
        let end = (start + 1).saturating_sub(5);
        assert_eq!(
            read(list.range(End::Tail, start, 5)),
            items(&mut (end..=start).rev())
        );
    }
    assert_eq!(list.get(model.len()), None);
    assert_eq!(
        list.peek(End::Tail),
        model.last().map(|item| Item::Bytes(item))
    );
    let stats = list.node_stats();
    assert!(stats.is_none_or(
        |stats| stats.nodes == list.nodes().count() && (stats.nodes > 0 || model.is_empty())
    ));
}

fn tuning() -> impl Strategy<Value = Tuning> {
    let fill = prop_oneof![Just(-1), Just(-2), Just(0), Just(1), Just(3), Just(16)];
    let threshold = prop_oneof![
        Just(crate::tuning::LIST_PACKED_THRESHOLD),
        Just(40),
        Just(1)
    ];
    (fill, threshold).prop_map(|(list_max_listpack_size, list_packed_threshold)| Tuning {
        list_max_listpack_size,
        list_packed_threshold,
        ..Tuning::default()
    })
}

proptest! {
    #[test]
    fn a_list_is_a_vector(tuning in tuning(), steps in prop::collection::vec(step(), 0..60), cut in 0usize..60) {
        let (mut list, mut model) = (List::new(), Vec::new());
        let mut snapshot = (list.clone(), model.clone());
        for (index, step) in steps.into_iter().enumerate() {
            if index == cut {
                snapshot = (list.clone(), model.clone());
            }
            apply(&mut list, &mut model, &tuning, step);
            prop_assert_eq!(list.len(), model.len());
        }
        agrees(&list, &model);
        // What a snapshot shares does not change under it.
        agrees(&snapshot.0, &snapshot.1);
    }

    #[test]
    fn positions_are_those_of_a_scan(items in prop::collection::vec(element(), 0..40), from_tail in any::<bool>(), skip in 0usize..3, count in 1usize..4, max_len in 0usize..50) {
        let tuning = Tuning { list_max_listpack_size: 4, ..Tuning::default() };
        let mut list = List::new();
        list.push_all(&tuning, End::Tail, items.iter().map(|item| &item[..]));
        let from = if from_tail { End::Tail } else { End::Head };
        let mut found = Vec::new();
        list.positions(b"3", Search { from, skip, count, max_len }, |index| found.push(index));
        let mut order: Vec<usize> = (0..items.len()).collect();
        if from_tail {
            order.reverse();
        }
        order.truncate(max_len);
        let expected: Vec<usize> = order.into_iter().filter(|&index| items[index] == b"3").skip(skip).take(count).collect();
        prop_assert_eq!(found, expected);
    }
}

fn filled(tuning: &Tuning, count: usize, len: usize) -> List {
    let mut list = List::new();
    for _ in 0..count {
        list.push(tuning, End::Tail, &vec![b'x'; len]);
    }
    list
}

#[test]
fn the_form_changes_where_redis_changes_it() {
    let tuning = Tuning {
        list_max_listpack_size: 4,
        ..Tuning::default()
    };
    let mut list = filled(&tuning, 4, 1);
    assert_eq!(list.encoding(), Encoding::Listpack);
    list.push(&tuning, End::Head, b"y");
    assert_eq!(
        (list.encoding(), list.node_stats().map(|stats| stats.nodes)),
        (Encoding::Quicklist, Some(2))
    );
    list.pop_many(&tuning, End::Head, 2);
    assert_eq!((list.len(), list.encoding()), (3, Encoding::Quicklist));
    list.pop_many(&tuning, End::Head, 1);
    assert_eq!((list.len(), list.encoding()), (2, Encoding::Listpack));

    let tuning = Tuning {
        list_max_listpack_size: -1,
        ..Tuning::default()
    };
    let mut list = filled(&tuning, 1, 4096 - 7);
    assert_eq!(list.encoding(), Encoding::Listpack);
    list.push(&tuning, End::Tail, b"");
    assert_eq!(list.encoding(), Encoding::Quicklist);
    let list = filled(&tuning, 1, 4096 - 6);
    assert_eq!(list.encoding(), Encoding::Quicklist);
}

#[test]
fn large_elements_get_nodes_of_their_own() {
    let tuning = Tuning {
        list_max_listpack_size: 2,
        list_packed_threshold: 5,
        ..Tuning::default()
    };
    let mut list = filled(&tuning, 3, 1);
    list.push(&tuning, End::Tail, b"large");
    assert_eq!(
        list.node_stats(),
        Some(NodeStats {
            nodes: 3,
            fill: 2,
            bytes: 13 + 10 + 5
        })
    );
    assert!(list.set(&tuning, 0, b"enlarged"));
    assert_eq!(list.node_stats().map(|stats| stats.nodes), Some(4));
    assert!(list.set(&tuning, 3, b"tiny"));
    assert!(
        list.iter()
            .eq([&b"enlarged"[..], b"x", b"x", b"tiny"].map(Item::Bytes))
    );
}

#[test]
fn a_long_list_takes_what_its_bytes_take() {
    let tuning = Tuning::default();
    for end in [End::Head, End::Tail] {
        let mut list = List::new();
        let mut payload = 0;
        for index in 0..100_000 {
            let element = format!("element:{:x>width$}", index, width = 2 + index % 6);
            payload += element.len();
            list.push(&tuning, end, element.as_bytes());
        }
        let each = list.memory(usize::MAX) as f64 / 100_000.0;
        assert!(each < payload as f64 / 100_000.0 + 2.5, "{each}");
    }
}

#[test]
fn rotation_moves_an_element_between_the_ends_in_both_forms() {
    for fill in [-2, 4] {
        let tuning = Tuning {
            list_max_listpack_size: fill,
            ..Tuning::default()
        };
        for (from, to, expected) in [
            (End::Head, End::Tail, [b"b", b"c", b"d", b"e", b"f", b"a"]),
            (End::Tail, End::Head, [b"f", b"a", b"b", b"c", b"d", b"e"]),
            (End::Head, End::Head, [b"a", b"b", b"c", b"d", b"e", b"f"]),
            (End::Tail, End::Tail, [b"a", b"b", b"c", b"d", b"e", b"f"]),
        ] {
            let mut list = List::new();
            list.push_all(
                &tuning,
                End::Tail,
                [&b"a"[..], b"b", b"c", b"d", b"e", b"f"].into_iter(),
            );
            let shown = list.rotate(&tuning, from, to, |item| item.to_vec());
            assert_eq!(
                shown,
                Some(if from == End::Head { b"a" } else { b"f" }.to_vec())
            );
            let elements: Vec<_> = list.iter().map(|item| item.to_vec()).collect();
            assert_eq!(elements, expected.map(|element| element.to_vec()));
        }
    }
    let mut one = List::new();
    one.push(&Tuning::default(), End::Tail, b"12");
    one.rotate(&Tuning::default(), End::Head, End::Tail, |_| ());
    assert_eq!(
        (one.len(), one.peek(End::Head)),
        (1, Some(Item::Integer(12)))
    );
    assert_eq!(
        List::new().rotate(&Tuning::default(), End::Head, End::Tail, |_| ()),
        None
    );
}
