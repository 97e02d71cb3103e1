//! A linearizability checker after Wing and Gong, with Lowe's memory of states already tried.
//!
//! An operation takes effect at one instant between its call and its return. The checker looks for an order of all
//! operations that respects real time (one that returned before another was called comes first) and in which the model
//! gives every reply that was seen. It goes depth first: any operation that was called before the first pending return may
//! come next. A set of operations done together with the model's state is tried once only.

use super::model::Model;
use std::collections::HashSet;

/// What happened: operations with the instants of their call and return.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The operations in any order; at most 128.
    pub operations: Vec<Operation>,
}

/// One operation: a call, or a transaction as a whole.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The client, for messages.
    pub client: usize,
    /// The calls that took effect together; one for a plain command.
    pub calls: Vec<Vec<String>>,
    /// What was answered, call by call, in the notation of transcripts; `None` when a watched key made EXEC give up.
    pub replies: Option<Vec<String>>,
    /// What was read before MULTI of the watched keys: calls and replies that must hold again at the instant of EXEC.
    /// A transaction that gave up says nothing: a watched key was written, perhaps with the value it had.
    pub observed: Vec<(Vec<String>, String)>,
    /// The client was killed while it waited: the calls had an effect at some instant, or none at all.
    pub lost: bool,
    /// Instant of the call.
    pub called: u64,
    /// Instant of the return.
    pub returned: u64,
}

impl std::fmt::Display for History {
    /// One line an operation, by the instants of their calls.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut operations: Vec<&Operation> = self.operations.iter().collect();
        operations.sort_unstable_by_key(|operation| operation.called);
        for operation in operations {
            let calls: Vec<String> = operation.calls.iter().map(|call| call.join(" ")).collect();
            let Operation {
                client,
                called,
                returned,
                replies,
                observed,
                ..
            } = operation;
            writeln!(
                f,
                "{called:4}..{returned:4} #{client} {} -> {replies:?} {observed:?}",
                calls.join("; ")
            )?;
        }
        Ok(())
    }
}

/// What a history came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Some order explains every reply.
    Linearizable,
    /// No order does; the longest explained prefix has this many operations.
    Violation {
        /// Operations of the longest explained prefix.
        explained: usize,
    },
}

/// Whether some order of the operations explains every reply, from an empty database on.
///
/// # Panics
/// When the history has more than 128 operations.
#[must_use]
pub fn check_history(history: &History) -> Verdict {
    assert!(
        history.operations.len() <= 128,
        "a set of operations is kept in 128 bits"
    );
    let mut search = Search {
        operations: &history.operations,
        tried: HashSet::new(),
        longest: 0,
    };
    if search.explain(0, &Model::default()) {
        Verdict::Linearizable
    } else {
        Verdict::Violation {
            explained: search.longest,
        }
    }
}

struct Search<'h> {
    operations: &'h [Operation],
    tried: HashSet<(u128, Model)>,
    longest: usize,
}

impl Search<'_> {
    /// Whether the operations that are not in `done` can follow from `state`.
    fn explain(&mut self, done: u128, state: &Model) -> bool {
        self.longest = self.longest.max(done.count_ones() as usize);
        if done.count_ones() as usize == self.operations.len() {
            return true;
        }
        if !self.tried.insert((done, state.clone())) {
            return false;
        }
        let pending = |index: &usize| done >> index & 1 == 0;
        let first_return = (0..self.operations.len())
            .filter(pending)
            .map(|index| self.operations[index].returned)
            .min();
        let candidates: Vec<usize> = (0..self.operations.len())
            .filter(pending)
            .filter(|index| {
                first_return.is_some_and(|returned| self.operations[*index].called <= returned)
            })
            .collect();
        candidates.into_iter().any(|index| {
            let operation = &self.operations[index];
            let next = apply(operation, state);
            let effect = next.is_some_and(|next| self.explain(done | 1 << index, &next));
            effect || (operation.lost && self.explain(done | 1 << index, state))
        })
    }
}

/// The state after an operation, when the model answers as was seen.
fn apply(operation: &Operation, state: &Model) -> Option<Model> {
    let mut next = state.clone();
    if operation.lost {
        operation.calls.iter().for_each(|call| {
            next.call(call);
        });
        return Some(next);
    }
    let Some(replies) = &operation.replies else {
        return Some(next);
    };
    let holds = operation
        .observed
        .iter()
        .all(|(call, reply)| next.call(call) == *reply);
    let explained = operation
        .calls
        .iter()
        .zip(replies)
        .all(|(call, reply)| next.call(call) == *reply);
    (holds && explained).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(client: usize, call: &str, reply: &str, called: u64, returned: u64) -> Operation {
        let words = call.split(' ').map(str::to_owned).collect();
        Operation {
            client,
            calls: vec![words],
            replies: Some(vec![reply.into()]),
            observed: Vec::new(),
            lost: false,
            called,
            returned,
        }
    }

    #[test]
    fn overlapping_calls_may_take_either_order() {
        let history = History {
            operations: vec![
                operation(0, "SET k 1", "+OK", 0, 10),
                operation(1, "GET k", "nil", 2, 4),
                operation(2, "GET k", "\"1\"", 3, 5),
            ],
        };
        assert_eq!(check_history(&history), Verdict::Linearizable);
    }

    #[test]
    fn a_stale_read_is_found() {
        let history = History {
            operations: vec![
                operation(0, "SET k 1", "+OK", 0, 1),
                operation(1, "GET k", "nil", 2, 3),
            ],
        };
        assert_eq!(check_history(&history), Verdict::Violation { explained: 1 });
    }

    #[test]
    fn a_read_between_two_halves_of_a_write_is_found() {
        let history = History {
            operations: vec![
                operation(0, "MSET a 1 b 1", "+OK", 0, 10),
                operation(1, "MGET a b", "[\"1\", nil]", 2, 3),
            ],
        };
        assert_eq!(check_history(&history), Verdict::Violation { explained: 1 });
    }

    #[test]
    fn a_transaction_sees_what_it_watched() {
        let mut transaction = operation(0, "SET b 2", "+OK", 0, 10);
        transaction.observed = vec![(vec!["GET".into(), "a".into()], "nil".into())];
        let written = operation(1, "SET a 1", "+OK", 1, 2);
        let read = operation(2, "GET b", "nil", 3, 4);
        let history = History {
            operations: vec![transaction, written, read],
        };
        assert_eq!(check_history(&history), Verdict::Violation { explained: 2 });
    }
}
