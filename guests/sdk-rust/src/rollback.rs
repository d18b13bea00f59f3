//! Undoing what a workflow did before it failed.
//!
//! The rollbacks are in the workflow's own memory: the workflow registers them again on every run, in the same order.
//! A rollback is a step like any other, so it is recorded, tried again, and not done twice.

use crate::failure::{parse, to_json};
use crate::{Failure, Fault, Pending, Step, Tries, failure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;

/// The arguments of a rollback.
pub struct Undo<'u, T> {
    /// For steps, sleeps and waits inside the rollback.
    pub step: Step<'u>,
    /// The step's result. `None` if the step failed, or if the workflow did not wait for its end.
    pub output: Option<T>,
    /// The failure with which the workflow ends.
    pub error: &'u Failure,
    /// The number of the rollback's attempt, from 1.
    pub attempt: u32,
}

/// A step that is undone if the workflow fails.
pub struct WithRollback<'a, T> {
    step: Step<'a>,
    rollbacks: &'a Rollbacks,
    tries: Tries,
    undo: Handler,
    output: PhantomData<fn() -> T>,
}

type Handler = Box<dyn FnMut(Step<'_>, Option<&str>, &Failure, u32) -> Result<(), Fault>>;

impl<'a, T: Serialize + DeserializeOwned> WithRollback<'a, T> {
    pub(crate) fn new<E: Into<Fault>>(
        step: Step<'a>,
        rollbacks: &'a Rollbacks,
        mut undo: impl FnMut(Undo<'_, T>) -> Result<(), E> + 'static,
    ) -> Self {
        let undo = move |step: Step<'_>, output: Option<&str>, error: &Failure, attempt| {
            let output = output.map(parse).transpose().map_err(Fault::never)?;
            undo(Undo { step, output, error, attempt }).map_err(Into::into)
        };
        Self { step, rollbacks, tries: Tries::new(), undo: Box::new(undo), output: PhantomData }
    }

    /// Sets how the rollback is tried. The defaults are those of any step.
    #[must_use]
    pub fn tried(self, tries: Tries) -> Self {
        Self { tries, ..self }
    }

    /// [`Step::run`], with the rollback.
    ///
    /// # Errors
    /// Those of [`Step::run`]; and inside a step, `rollback-inside-step`.
    pub fn run<E: Into<Fault>>(self, name: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, Failure> {
        let mut work = Some(work);
        let work = move |_| match work.take() {
            Some(work) => work().map_err(Into::into),
            None => Err(Fault::never("it is tried once")),
        };
        self.run_with(name, Tries::once(), work)
    }

    /// [`Step::run_with`], with the rollback.
    ///
    /// # Errors
    /// Those of [`Step::run_with`]; and inside a step, `rollback-inside-step`.
    pub fn run_with<E: Into<Fault>>(
        self,
        name: &str,
        tries: Tries,
        work: impl FnMut(u32) -> Result<T, E>,
    ) -> Result<T, Failure> {
        self.start(name, tries, work)?.wait()
    }

    /// [`Step::start`], with the rollback.
    ///
    /// # Errors
    /// Those of [`Step::start`]; and inside a step, `rollback-inside-step`.
    pub fn start<'w, E: Into<Fault>>(
        self,
        name: &str,
        tries: Tries,
        work: impl FnMut(u32) -> Result<T, E> + 'w,
    ) -> Result<Pending<'w, Result<T, Failure>>, Failure>
    where
        'a: 'w,
        T: 'w,
    {
        let Self { step, rollbacks, tries: undone, undo, .. } = self;
        rollbacks.check()?;
        let pending = step.start(name, tries, work)?;
        let place = rollbacks.register(name, undone, undo);
        Ok(pending.map(move |ended| ended.inspect(|value| rollbacks.ended(place, value))))
    }
}

/// The rollbacks of a run, in the order in which their steps were started.
#[derive(Default)]
pub(crate) struct Rollbacks {
    registered: RefCell<Vec<Rollback>>,
    /// Set to [`undo_all`] when the first rollback is registered, so that a workflow without rollbacks links neither that code nor its imports.
    undo: Cell<Option<UndoAll>>,
    /// The number of steps that the workflow is inside of.
    depth: Cell<u32>,
}

type UndoAll = fn(Vec<Rollback>, Step<'_>, &Failure);

struct Rollback {
    name: String,
    tries: Tries,
    undo: Handler,
    output: Option<String>,
}

impl Rollbacks {
    /// Runs the work of a step, in which no rollback can be registered.
    pub(crate) fn inside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.depth.set(self.depth.get() + 1);
        let done = work();
        self.depth.set(self.depth.get() - 1);
        done
    }

    /// The body of a step that is done is left out on later runs, and what it registered with it.
    fn check(&self) -> Result<(), Failure> {
        match self.depth.get() {
            0 => Ok(()),
            _ => Err(failure(
                "rollback-inside-step",
                "a step inside a step has no rollback of its own; give one to the outer step",
            )),
        }
    }

    fn register(&self, name: &str, tries: Tries, undo: Handler) -> usize {
        self.undo.set(Some(undo_all));
        let mut registered = self.registered.borrow_mut();
        registered.push(Rollback { name: name.to_owned(), tries, undo, output: None });
        registered.len() - 1
    }

    fn ended<T: Serialize>(&self, place: usize, value: &T) {
        if let Some(rollback) = self.registered.borrow_mut().get_mut(place) {
            rollback.output = to_json(value).ok();
        }
    }

    /// Runs the rollbacks, the last first, until one fails.
    pub(crate) fn undo(&self, step: Step<'_>, error: &Failure) {
        if let Some(undo) = self.undo.take() {
            undo(self.registered.take(), step, error);
        }
    }
}

fn undo_all(registered: Vec<Rollback>, step: Step<'_>, error: &Failure) {
    for Rollback { name, tries, mut undo, output } in registered.into_iter().rev() {
        let undone = step
            .run_with(&rollback_name(&name), tries, |attempt| undo(step, output.as_deref(), error, attempt));
        if undone.is_err() {
            return;
        }
    }
}

/// The name of a rollback's step, cut to the 256 characters that a name can have.
fn rollback_name(name: &str) -> String {
    const PREFIX: &str = "rollback: ";
    PREFIX.chars().chain(name.chars().take(256 - PREFIX.len())).collect()
}

impl fmt::Debug for Rollbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rollbacks").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_of_a_step_with_the_longest_name_has_a_name_that_is_acceptable() {
        assert_eq!(rollback_name("book a room"), "rollback: book a room");
        assert_eq!(rollback_name(&"é".repeat(256)).chars().count(), 256);
    }

    #[test]
    fn inside_a_step_nothing_is_registered() {
        let rollbacks = Rollbacks::default();
        assert!(rollbacks.check().is_ok());
        rollbacks.inside(|| {
            rollbacks.inside(|| assert!(rollbacks.check().is_err()));
            assert_eq!(rollbacks.check().unwrap_err().name, "rollback-inside-step");
        });
        assert!(rollbacks.check().is_ok());
    }
}
