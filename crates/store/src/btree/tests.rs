//! The tree against a sorted vector.

use proptest::prelude::*;

use super::*;
use crate::list::End;

type Model = Vec<(i32, Vec<u8>)>;

#[derive(Clone, Debug)]
enum Step {
    /// Adds so many members: rising, falling or scattered.
    Add(usize, i32, u32),
    Remove(usize, u32),
    Drain(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1usize..700, prop_oneof![Just(1), Just(-1), Just(0)], any::<u32>()).prop_map(|(count, way, seed)| Step::Add(count, way, seed)),
        2 => (1usize..500, any::<u32>()).prop_map(|(count, seed)| Step::Remove(count, seed)),
        1 => (0usize..2000, 0usize..1500).prop_map(|(start, count)| Step::Drain(start, count)),
    ]
}

fn scatter(seed: u32, index: usize) -> usize {
    (seed as usize)
        .wrapping_mul(2_654_435_761)
        .wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        >> 20
}

fn apply(tree: &mut Tree, model: &mut Model, step: Step) {
    match step {
        Step::Add(count, way, seed) => {
            for index in 0..count {
                let score = if way == 0 {
                    (scatter(seed, index) % 50) as i32
                } else {
                    way * index as i32
                };
                let member = format!("{}", scatter(seed, index) % 10_000).into_bytes();
                if let Err(at) = model.binary_search(&(score, member.clone())) {
                    tree.insert(Scored::new(f64::from(score), &member));
                    model.insert(at, (score, member));
                }
            }
        }
        Step::Remove(count, seed) => {
            for index in 0..count.min(model.len()) {
                let at = scatter(seed, index) % model.len();
                let (score, member) = model.remove(at);
                let removed = tree.remove(f64::from(score), &member).unwrap();
                assert_eq!(removed.member(), member);
                assert!(tree.remove(f64::from(score), &member).is_none());
            }
        }
        Step::Drain(start, count) => {
            let start = start.min(model.len());
            let end = model.len().min(start + count);
            let mut taken = Vec::new();
            tree.drain(start, count, |scored| taken.push(scored.member().to_vec()));
            assert!(
                taken
                    .into_iter()
                    .eq(model.drain(start..end).map(|(_, member)| member))
            );
        }
    }
}

/// Checks counts, lowest members, sizes and heights below `node`; returns (height, members).
fn check(node: &Node) -> (usize, usize) {
    match node {
        Node::Leaf(members) => {
            assert!(members.len() <= LEAF_MAX);
            (0, members.len())
        }
        Node::Inner(children) => {
            assert!(!children.is_empty() && children.len() <= INNER_MAX);
            let mut heights = Vec::new();
            let mut total = 0;
            for child in children {
                let (height, count) = check(&child.node);
                let low = match &child.node {
                    Node::Leaf(members) => &members[0],
                    Node::Inner(children) => &children[0].low,
                };
                assert!(count == child.count && low.same(&child.low) && low.score() == child.score);
                heights.push(height);
                total += count;
            }
            assert!(heights.iter().all(|&height| height == heights[0]));
            (heights[0] + 1, total)
        }
    }
}

fn agrees(tree: &Tree, model: &Model) {
    assert_eq!(
        (tree.len(), check(&tree.root).1),
        (model.len(), model.len())
    );
    assert!(
        tree.iter()
            .map(|scored| (scored.score() as i32, scored.member().to_vec()))
            .eq(model.iter().cloned())
    );
    assert!(
        tree.walk(End::Tail, model.len().saturating_sub(1), usize::MAX)
            .map(Scored::member)
            .eq(model.iter().rev().map(|(_, member)| &member[..]))
    );
    for (rank, (score, member)) in model.iter().enumerate().step_by(7) {
        assert_eq!(tree.rank(f64::from(*score), member), rank);
        assert_eq!(tree.get(rank).map(Scored::member), Some(&member[..]));
        assert_eq!(
            tree.walk(End::Head, rank, 3).count(),
            3.min(model.len() - rank)
        );
        assert_eq!(
            tree.walk(End::Tail, rank, 3).last().map(Scored::member),
            Some(&model[(rank + 1).saturating_sub(3)].1[..])
        );
    }
    assert!(tree.get(model.len()).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_tree_is_a_sorted_vector(steps in prop::collection::vec(step(), 0..14)) {
        let (mut tree, mut model) = (Tree::new(), Model::new());
        for step in steps {
            apply(&mut tree, &mut model, step);
            agrees(&tree, &model);
        }
    }
}

#[test]
fn three_levels_grow_and_vanish() {
    let (mut tree, mut model) = (Tree::new(), Model::new());
    for index in 0..20_000usize {
        let score = (scatter(7, index) % 100_000) as i32;
        let member = index.to_string().into_bytes();
        tree.insert(Scored::new(f64::from(score), &member));
        model.push((score, member));
    }
    model.sort();
    assert_eq!(check(&tree.root).0, 2);
    agrees(&tree, &model);
    apply(&mut tree, &mut model, Step::Drain(100, 19_000));
    agrees(&tree, &model);
    apply(&mut tree, &mut model, Step::Remove(980, 3));
    agrees(&tree, &model);
    assert_eq!(check(&tree.root).0, 0);
}

#[test]
fn the_tree_takes_little_beside_its_handles() {
    let bytes = |scores: &mut dyn Iterator<Item = usize>| {
        let mut tree = Tree::new();
        scores
            .for_each(|score| tree.insert(Scored::new(score as f64, score.to_string().as_bytes())));
        tree.memory() as f64 / tree.len() as f64
    };
    for each in [
        bytes(&mut (0..100_000)),
        bytes(&mut (0..100_000).rev()),
        bytes(&mut (0..100_000).map(|index| scatter(1, index))),
    ] {
        assert!(each < 10.6, "{each}");
    }
}
