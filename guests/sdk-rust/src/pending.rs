//! Things that go on side by side.

use crate::bindings::permission_protocol::tenant::side_by_side::{Another, Ready};
use crate::bindings::permission_protocol::tenant::workflow::Attempt;
use crate::bindings::permission_protocol::tenant::{side_by_side, workflow};

/// Something that was started and goes on beside the workflow: a step between its attempts, a sleep, a wait for an event, a request for
/// permission. It ends in a `T`.
///
/// A workflow waits for it where it started it: not inside a step that was begun since. One that is dropped goes on, and nobody hears of
/// its end; a step that is dropped is not tried again.
pub struct Pending<'w, T> {
    handle: workflow::Pending,
    again: Again<'w>,
    end: Box<dyn FnOnce(Ready) -> T + 'w>,
}

/// Makes another attempt of a step.
type Again<'w> = Box<dyn FnMut(Attempt, u32) + 'w>;

/// What ended first, and what is left.
pub struct Won<'w, T> {
    /// Its place among those that were waited for, from 0.
    pub index: usize,
    /// How it ended.
    pub value: T,
    /// The others, in their order. They go on.
    pub rest: Vec<Pending<'w, T>>,
}

impl<'w, T: 'w> Pending<'w, T> {
    /// What is not tried again.
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

    /// The same, ending in something else: things of different kinds can be waited for together when they end in the same kind.
    #[must_use]
    pub fn map<U>(self, map: impl FnOnce(T) -> U + 'w) -> Pending<'w, U> {
        let Self { handle, again, end } = self;
        Pending { handle, again, end: Box::new(move |ended| map(end(ended))) }
    }

    /// Waits for its end, and makes the attempts that are due until then.
    #[must_use]
    pub fn wait(self) -> T {
        first(&mut vec![self]).1
    }
}

/// Waits for all of them. Their ends, in the order of the list.
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

/// Waits until all of them have succeeded, or one has failed. The others then go on, and nobody hears of their end.
///
/// # Errors
/// With the first failure.
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

/// Waits for two of different kinds.
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

/// Waits for the first to end, well or badly. What won once has won it on every later run.
///
/// A workflow that races nothing is ended by the host.
pub fn race<'w, T: 'w>(pending: impl IntoIterator<Item = Pending<'w, T>>) -> Won<'w, T> {
    let mut rest: Vec<_> = pending.into_iter().collect();
    let (index, value) = first(&mut rest);
    Won { index, value, rest }
}

/// Waits for the first to succeed.
///
/// # Errors
/// When none does: the failures, in the order in which they came.
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

/// Waits until one of them ends, makes the attempts that are due until then, and takes it out. Its place, and how it ended.
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

/// The host has answered with something else than what was asked for.
pub(crate) fn out_of_turn(what: &str, ended: &Ready) -> ! {
    panic!("the host ended {what} with {ended:?}")
}
