//! Started operations that run at the same time.

use crate::bindings::permission_protocol::tenant::side_by_side::{Another, Ready};
use crate::bindings::permission_protocol::tenant::workflow::Attempt;
use crate::bindings::permission_protocol::tenant::{side_by_side, workflow};

/// A started operation whose result, a `T`, is not delivered yet: a step between its attempts, a sleep, a wait for an event, a request for
/// permission.
///
/// A workflow must wait in the scope in which it started the operation, not inside a step that began later. Dropping a `Pending` does not
/// cancel the operation: it continues and its result is never delivered. A dropped step is not retried.
pub struct Pending<'w, T> {
    handle: workflow::Pending,
    again: Again<'w>,
    end: Box<dyn FnOnce(Ready) -> T + 'w>,
}

/// Makes another attempt of a step.
type Again<'w> = Box<dyn FnMut(Attempt, u32) + 'w>;

/// The result of a [`race`]: the operation that ended first, and the others.
pub struct Won<'w, T> {
    /// The index of the operation in the list that was passed to [`race`], from 0.
    pub index: usize,
    /// The operation's result.
    pub value: T,
    /// The other operations, in their order. They continue.
    pub rest: Vec<Pending<'w, T>>,
}

impl<'w, T: 'w> Pending<'w, T> {
    /// Wraps the handle of an operation that has no further attempts.
    pub(crate) fn new(handle: workflow::Pending, end: impl FnOnce(Ready) -> T + 'w) -> Self {
        Self::step(handle, |_, _| (), end)
    }

    pub(crate) fn step(
        handle: workflow::Pending,
        again: impl FnMut(Attempt, u32) + 'w,
        end: impl FnOnce(Ready) -> T + 'w,
    ) -> Self {
        Self { handle, again: Box::new(again), end: Box::new(end) }
    }

    /// Converts the result. A workflow can wait for operations of different kinds together if their results have the same type.
    #[must_use]
    pub fn map<U>(self, map: impl FnOnce(T) -> U + 'w) -> Pending<'w, U> {
        let Self { handle, again, end } = self;
        Pending { handle, again, end: Box::new(move |ended| map(end(ended))) }
    }

    /// Waits for the result, and makes the attempts that are due until then.
    #[must_use]
    pub fn wait(self) -> T {
        first(&mut vec![self]).1
    }
}

/// Waits for all operations, and returns their results in the order of the list.
pub fn all<'w, T: 'w>(pending: impl IntoIterator<Item = Pending<'w, T>>) -> Vec<T> {
    let numbered = |(place, pending): (usize, Pending<'w, T>)| pending.map(move |ended| (place, ended));
    let mut open: Vec<_> = pending.into_iter().enumerate().map(numbered).collect();
    let mut ended = Vec::with_capacity(open.len());
    while !open.is_empty() {
        ended.push(first(&mut open).1);
    }
    ended.sort_unstable_by_key(|(place, _)| *place);
    ended.into_iter().map(|(_, ended)| ended).collect()
}

/// Waits until all operations have succeeded, or one has failed. After a failure the others continue, and their results are never delivered.
///
/// # Errors
/// The first failure.
pub fn try_all<'w, T: 'w, E: 'w>(
    pending: impl IntoIterator<Item = Pending<'w, Result<T, E>>>,
) -> Result<Vec<T>, E> {
    let numbered = |(place, pending): (usize, Pending<'w, Result<T, E>>)| {
        pending.map(move |ended| ended.map(|value| (place, value)))
    };
    let mut open: Vec<_> = pending.into_iter().enumerate().map(numbered).collect();
    let mut done = Vec::with_capacity(open.len());
    while !open.is_empty() {
        done.push(first(&mut open).1?);
    }
    done.sort_unstable_by_key(|(place, _)| *place);
    Ok(done.into_iter().map(|(_, value)| value).collect())
}

/// Waits for two operations whose results have different types.
pub fn join<'w, A: 'w, B: 'w>(a: Pending<'w, A>, b: Pending<'w, B>) -> (A, B) {
    enum Either<A, B> {
        A(A),
        B(B),
    }
    let mut both = all([a.map(Either::A), b.map(Either::B)]).into_iter();
    match (both.next(), both.next()) {
        (Some(Either::A(a)), Some(Either::B(b))) => (a, b),
        _ => unreachable!("all of them end, in their order"),
    }
}

/// Waits for the first operation to end, whether it succeeds or fails. Every later run has the same winner.
///
/// The host ends a workflow that passes no operation.
pub fn race<'w, T: 'w>(pending: impl IntoIterator<Item = Pending<'w, T>>) -> Won<'w, T> {
    let mut rest: Vec<_> = pending.into_iter().collect();
    let (index, value) = first(&mut rest);
    Won { index, value, rest }
}

/// Waits for the first operation to succeed.
///
/// # Errors
/// All operations failed: their failures, in the order of delivery.
pub fn any<'w, T: 'w, E: 'w>(
    pending: impl IntoIterator<Item = Pending<'w, Result<T, E>>>,
) -> Result<T, Vec<E>> {
    let (mut open, mut failures): (Vec<_>, _) = (pending.into_iter().collect(), Vec::new());
    while !open.is_empty() {
        match first(&mut open).1 {
            Ok(value) => return Ok(value),
            Err(failure) => failures.push(failure),
        }
    }
    Err(failures)
}

/// Waits until one operation ends, makes the attempts that are due until then, and removes the operation from the list. Returns its index
/// and its result.
fn first<'w, T: 'w>(open: &mut Vec<Pending<'w, T>>) -> (usize, T) {
    loop {
        let handles: Vec<_> = open.iter().map(|pending| &pending.handle).collect();
        let woken = side_by_side::first(&handles);
        let index = woken.index as usize;
        match woken.ready {
            Ready::Again(Another { attempt, number }) => (open[index].again)(attempt, number),
            ended => return (index, (open.remove(index).end)(ended)),
        }
    }
}

/// Panics because the host delivered a result of another kind than the operation's.
pub(crate) fn out_of_turn(what: &str, ended: &Ready) -> ! {
    panic!("the host ended {what} with {ended:?}")
}
