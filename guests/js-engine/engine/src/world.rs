//! The host's side of one drive: the handles that the workflow holds, under the numbers by which the prelude knows them.

use crate::bindings::permission_protocol::tenant::side_by_side;
use crate::bindings::permission_protocol::tenant::side_by_side::Ready;
use crate::bindings::permission_protocol::tenant::workflow::Attempt;
use crate::bindings::permission_protocol::tenant::workflow::Pending;
use crate::bindings::permission_protocol::tenant::workflow::Started;
use crate::bindings::permission_protocol::tenant::workflow::Step;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ptr::NonNull;

/// What was waited for.
pub(crate) enum First {
    /// A step is to be tried: its attempt of that number is open.
    Again(u32),
    /// It has ended.
    Ended(Ready),
}

/// What is begun and has not ended, and the attempts that are open.
#[derive(Default)]
pub(crate) struct Drive {
    step: Option<NonNull<Step>>,
    begun: u32,
    pending: BTreeMap<u32, Pending>,
    attempts: BTreeMap<u32, Attempt>,
    /// The open scopes, the innermost last.
    scopes: Vec<Scope>,
}

/// The workflow, or the body of a step: the numbers of what goes on in it, in the order in which they were begun.
#[derive(Default)]
struct Scope {
    begun: Vec<u32>,
}

thread_local! {
    static DRIVE: RefCell<Drive> = RefCell::new(Drive::default());
}

/// A drive begins with this step.
pub(crate) fn begin(step: &Step) {
    let drive = Drive { step: Some(NonNull::from(step)), scopes: vec![Scope::default()], ..Drive::default() };
    DRIVE.with(|slot| *slot.borrow_mut() = drive);
}

/// Works on the drive.
pub(crate) fn with<T>(work: impl FnOnce(&mut Drive) -> T) -> T {
    DRIVE.with(|slot| work(&mut slot.borrow_mut()))
}

impl Drive {
    /// The step of the world.
    pub(crate) fn step(&self) -> &Step {
        // SAFETY: the step is borrowed for the whole of `run`, and natives are called within it only.
        self.step.map(|step| unsafe { step.as_ref() }).expect("natives are called while the workflow runs")
    }

    /// Something goes on. Its number.
    pub(crate) fn goes_on(&mut self, pending: Pending) -> u32 {
        let number = self.begun;
        self.begun += 1;
        self.pending.insert(number, pending);
        if let Some(scope) = self.scopes.last_mut() {
            scope.begun.push(number);
        }
        number
    }

    /// A step was started. Its number, and whether its first attempt is to be made now: the scope of its body is open then.
    pub(crate) fn started(&mut self, Started { pending, attempt }: Started) -> (u32, bool) {
        let number = self.goes_on(pending);
        let is_open = attempt.is_some();
        if let Some(attempt) = attempt {
            self.enter(number, attempt);
        }
        (number, is_open)
    }

    /// The body of a step begins.
    fn enter(&mut self, number: u32, attempt: Attempt) {
        self.attempts.insert(number, attempt);
        self.scopes.push(Scope::default());
    }

    /// The body of a step has ended. What it began and did not wait for is given up. Its attempt, to report the end.
    pub(crate) fn leave(&mut self, number: u32) -> Option<Attempt> {
        let Scope { begun } = self.scopes.pop().unwrap_or_default();
        for number in begun {
            self.pending.remove(&number);
        }
        self.attempts.remove(&number)
    }

    /// Waits for the first among what goes on in the innermost scope that has ended, or is to be tried again.
    pub(crate) fn first(&mut self) -> (u32, First) {
        let scope = self.scopes.last_mut().expect("there is always a scope");
        let pending: Vec<&Pending> = scope.begun.iter().filter_map(|number| self.pending.get(number)).collect();
        let woken = side_by_side::first(&pending);
        let place = woken.index as usize;
        let number = scope.begun[place];
        match woken.ready {
            Ready::Again(another) => {
                self.enter(number, another.attempt);
                (number, First::Again(another.number))
            }
            ready => {
                scope.begun.remove(place);
                self.pending.remove(&number);
                (number, First::Ended(ready))
            }
        }
    }
}
