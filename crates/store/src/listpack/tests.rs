//! Listpacks against a vector, against bytes that a real server dumped, and against hostile bytes.

use proptest::prelude::*;

use super::*;

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        4 => (-70_000i64..70_000).prop_map(|value| value.to_string().into_bytes()),
        4 => prop::collection::vec(any::<u8>(), 0..80),
        1 => prop::collection::vec(any::<u8>(), 4000..4200),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Front(Vec<u8>),
    Back(Vec<u8>),
    Insert(prop::sample::Index, Vec<u8>),
    Replace(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    RemoveRange(prop::sample::Index, usize),
    Retain(u64),
    Split(prop::sample::Index),
    Append(Vec<Vec<u8>>),
    Shrink,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => element().prop_map(Step::Front),
        3 => element().prop_map(Step::Back),
        3 => (any::<prop::sample::Index>(), element()).prop_map(|(at, item)| Step::Insert(at, item)),
        3 => (any::<prop::sample::Index>(), element()).prop_map(|(at, item)| Step::Replace(at, item)),
        2 => (any::<prop::sample::Index>(), 0usize..3).prop_map(|(at, count)| Step::Remove(at, count)),
        1 => (any::<prop::sample::Index>(), 0usize..9).prop_map(|(at, count)| Step::RemoveRange(at, count)),
        1 => any::<u64>().prop_map(Step::Retain),
        1 => any::<prop::sample::Index>().prop_map(Step::Split),
        1 => prop::collection::vec(element(), 0..4).prop_map(Step::Append),
        1 => Just(Step::Shrink),
    ]
}

fn pack<'a>(items: impl IntoIterator<Item = &'a [u8]>) -> Listpack {
    items.into_iter().collect()
}

fn apply<B: Buffer>(listpack: &mut Listpack<B>, model: &mut Vec<Vec<u8>>, step: Step) {
    let index = |at: prop::sample::Index| at.index(model.len() + 1);
    match step {
        Step::Front(item) => {
            listpack.push_front(&item[..]);
            model.insert(0, item);
        }
        Step::Back(item) => {
            listpack.push_back(&item[..]);
            model.push(item);
        }
        Step::Insert(at, item) => {
            let at = index(at);
            let place = listpack
                .view()
                .seek(at)
                .unwrap_or_else(|| listpack.view().end());
            listpack.insert(place, &item[..]);
            model.insert(at, item);
        }
        Step::Replace(at, item) => {
            let at = index(at);
            if let Some(place) = listpack.view().seek(at) {
                listpack.replace(place, &item[..]);
                model[at] = item;
            }
        }
        Step::Retain(bits) => {
            let keeps = |index: usize| bits >> (index % 64) & 1 == 1;
            let (mut asked, mut index) = (Vec::new(), 0);
            listpack.retain(|item| {
                asked.push(item.to_vec());
                index += 1;
                keeps(index - 1)
            });
            assert_eq!(&asked, model);
            index = 0;
            model.retain(|_| {
                index += 1;
                keeps(index - 1)
            });
        }
        Step::Remove(at, count) => {
            let at = index(at);
            let end = model.len().min(at + count);
            if let Some(place) = listpack.view().seek(at) {
                assert_eq!(listpack.remove(place, count), end - at);
                model.drain(at..end);
            }
        }
        Step::RemoveRange(at, count) => {
            let at = index(at);
            let end = model.len().min(at + count);
            assert_eq!(listpack.remove_range(at, count), end - at);
            model.drain(at..end);
        }
        Step::Split(at) => {
            let at = index(at);
            let rest = listpack.split_off(at);
            assert!(
                rest.view().iter().eq(model
                    .drain(at..)
                    .as_slice()
                    .iter()
                    .map(|item| Item::Bytes(item)))
            );
        }
        Step::Append(items) => {
            listpack.append(pack(items.iter().map(|item| &item[..])).view());
            model.extend(items);
        }
        Step::Shrink => listpack.shrink_to_fit(),
    }
}

fn agrees<B: Buffer>(listpack: &Listpack<B>, model: &[Vec<u8>]) {
    let view = listpack.view();
    assert!(validate(listpack.as_bytes(), Depth::Entries));
    assert_eq!(listpack.len(), model.len());
    assert!(view.iter().eq(model.iter().map(|item| Item::Bytes(item))));
    assert!(
        view.iter()
            .rev()
            .eq(model.iter().rev().map(|item| Item::Bytes(item)))
    );
    for (index, item) in model.iter().enumerate() {
        let place = view.seek(index).unwrap();
        assert_eq!(view.item(place), Some(Item::Bytes(item)));
        let first = model.iter().position(|other| other == item).unwrap();
        assert_eq!(view.find(item, 1, Place::FIRST), view.seek_forward(first));
    }
    assert_eq!(view.seek(model.len()), None);
}

proptest! {
    #[test]
    fn a_listpack_is_a_vector(steps in prop::collection::vec(step(), 0..60)) {
        let (mut tight, mut roomy, mut model) = (Listpack::<Blob>::new(), Listpack::<Roomy>::new(), Vec::new());
        for step in steps {
            let mut other = model.clone();
            apply(&mut tight, &mut model, step.clone());
            apply(&mut roomy, &mut other, step);
        }
        agrees(&tight, &model);
        agrees(&roomy, &model);
        prop_assert_eq!(tight.as_bytes(), roomy.as_bytes());
        let copy = Listpack::<Blob>::from_bytes(roomy.as_bytes()).unwrap();
        prop_assert_eq!(copy.as_bytes(), roomy.as_bytes());
    }

    #[test]
    fn hostile_bytes_read_as_something_short(mut bytes in prop::collection::vec(any::<u8>(), 0..200), frame in any::<bool>(), seed in any::<u64>()) {
        if frame && bytes.len() >= EMPTY {
            let len = bytes.len();
            bytes[..4].copy_from_slice(&(len as u32).to_le_bytes());
            bytes[len - 1] = 0xff;
        }
        exercise(&bytes, seed);
    }

    #[test]
    fn one_wrong_byte_does_no_harm(items in prop::collection::vec(element(), 1..12), at in any::<prop::sample::Index>(), byte in any::<u8>(), seed in any::<u64>()) {
        let mut bytes = pack(items.iter().map(|item| &item[..])).as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        exercise(&bytes, seed);
    }
}

/// Calls everything that reads or edits; what counts is that it returns.
fn exercise(bytes: &[u8], seed: u64) {
    let mut state = seed;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state
    };
    let view = View::new(bytes);
    let sound = validate(bytes, Depth::Entries);
    validate_unique(bytes, 2);
    let count = view.iter().count();
    assert!(!sound || count == view.iter().rev().count());
    view.pairs().rev().count();
    view.find(b"12", 2, Place::FIRST);
    (0..5).for_each(|index| assert!(view.seek(index).is_none() || index < view.len() || !sound));
    view.draw(3, 2, &mut random, |place| {
        view.item(place);
    });
    view.draw_unique(3, 2, &mut random, |place| {
        view.item(place);
    });
    if let Some(mut listpack) = Listpack::<Blob>::from_bytes(bytes) {
        listpack.remove_range(1, 2);
        listpack.push_front(Item::Integer(7));
        listpack.push_back(&b"tail"[..]);
        listpack.split_off(2);
    }
    if let Some(mut listpack) = Listpack::<Roomy>::from_bytes(bytes) {
        listpack.push_front(&b"head"[..]);
        listpack.remove(Place::FIRST, 2);
        listpack.append(view);
    }
}

#[test]
fn bytes_are_those_of_redis() {
    let check = |items: &[&[u8]], expected: &[u8]| {
        let listpack = pack(items.iter().copied());
        assert_eq!(
            &listpack.as_bytes()[HEADER..listpack.as_bytes().len() - 1],
            expected
        );
        assert_eq!(
            listpack.as_bytes()[..4],
            (listpack.as_bytes().len() as u32).to_le_bytes()
        );
        assert_eq!(
            listpack.as_bytes()[4..6],
            (items.len() as u16).to_le_bytes()
        );
    };
    check(&[], &[]);
    check(&[b"0", b"127"], &[0, 1, 127, 1]);
    check(
        &[b"128", b"-1", b"4095", b"-4096"],
        &[0xc0, 128, 2, 0xdf, 0xff, 2, 0xcf, 0xff, 2, 0xd0, 0, 2],
    );
    check(&[b"4096", b"-32768"], &[0xf1, 0, 0x10, 3, 0xf1, 0, 0x80, 3]);
    check(
        &[b"32768", b"-8388608"],
        &[0xf2, 0, 0x80, 0, 4, 0xf2, 0, 0, 0x80, 4],
    );
    check(
        &[b"8388608", b"-2147483648"],
        &[0xf3, 0, 0, 0x80, 0, 5, 0xf3, 0, 0, 0, 0x80, 5],
    );
    check(&[b"2147483648"], &[0xf4, 0, 0, 0, 0x80, 0, 0, 0, 0, 9]);
    check(
        &[b"", b"ab", b"01"],
        &[0x80, 1, 0x82, b'a', b'b', 3, 0x82, b'0', b'1', 3],
    );
    let long = [b'x'; 64];
    check(&[&long], &[&[0xe0, 64][..], &long, &[66]].concat());
    let long = [b'x'; 126];
    check(&[&long], &[&[0xe0, 126][..], &long, &[1, 0x80]].concat());
    let long = vec![b'x'; 4096];
    check(
        &[&long],
        &[&[0xf0, 0, 16, 0, 0][..], &long, &[32, 0x85]].concat(),
    );
    // 16383 no longer fits two bytes of backlen, for Redis' writer stops one short.
    let long = vec![b'x'; 16_383 - 5];
    check(
        &[&long],
        &[&[0xf0, 0xfa, 0x3f, 0, 0][..], &long, &[0, 0xff, 0xff]].concat(),
    );
}

#[test]
fn the_count_is_walked_for_above_65534() {
    let mut listpack: Listpack = (0..65_536).map(|_| Item::Integer(1)).collect();
    assert_eq!(listpack.as_bytes()[4..6], [0xff, 0xff]);
    assert_eq!(listpack.len(), 65_536);
    assert!(listpack.view().seek(65_535).is_some() && listpack.view().seek(65_536).is_none());
    assert_eq!(listpack.remove_range(10, 3), 3);
    assert_eq!(listpack.len(), 65_533);
    assert_eq!(listpack.as_bytes()[4..6], 65_533u16.to_le_bytes());
}

#[test]
fn draws_are_fair_and_keep_their_order() {
    let listpack: Listpack = (0..20).map(Item::Integer).collect();
    let mut state = 1u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state ^ (state >> 29)
    };
    let (mut drawn, mut unique) = ([0; 10], [0; 10]);
    let field = |place| {
        listpack
            .view()
            .item(place)
            .and_then(|item| item.integer())
            .unwrap()
    };
    for _ in 0..1000 {
        listpack.view().draw(4, 2, &mut random, |place| {
            drawn[field(place) as usize / 2] += 1
        });
        let mut last = -1;
        listpack.view().draw_unique(4, 2, &mut random, |place| {
            assert!(field(place) > last && field(place) % 2 == 0);
            last = field(place);
            unique[last as usize / 2] += 1;
        });
    }
    assert_eq!(drawn.iter().sum::<u32>(), 4000);
    assert_eq!(unique.iter().sum::<u32>(), 4000);
    assert!(
        drawn
            .iter()
            .chain(&unique)
            .all(|&times| (300..500).contains(&times)),
        "{drawn:?} {unique:?}"
    );
    let mut all = 0;
    listpack
        .view()
        .draw_unique(99, 2, &mut random, |_| all += 1);
    assert_eq!(all, 10);
}

#[test]
fn pushes_at_the_head_of_a_roomy_node_do_not_move_it() {
    let mut node: Listpack<Roomy> = Listpack::new();
    for index in 0..500 {
        node.push_front(format!("value:{index:06}").as_bytes());
    }
    assert!(node.slack() < 2 * 4096, "{}", node.slack());
    node.shrink_to_fit();
    assert_eq!(node.slack(), 0);
}
