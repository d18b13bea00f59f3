//! The host's side of the world: each import becomes a command, each outcome becomes the guest's value. A file an interface.

mod artifacts;
pub(crate) mod bindings;
mod deploy;
pub(crate) mod exit;
mod pp;
mod side_by_side;
mod steps;
mod v0_1;

use crate::bundle::Script;
use crate::guest::exit::{HandlerHalt, TooMuchText};
use crate::limits::{HostTime, Meter};
use crate::runtime::determinism::{Clock, VirtualTime};
use crate::runtime::throttle::{CpuThrottle, ThrottlePermit};
use crate::{Handler, HandlerAnswer};
use receipt::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wasmtime::component::HasData;
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};
use workflow::{Action, Call, Command, Expectation, Outcome, ReceiptId, Start};

pub(crate) use artifacts::{add_to_linker, artifact_buffer, units};

/// The host's side of a guest's `step` handle: empty, because only holding the handle matters.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct StepHandle;

/// The host's side of a guest's `attempt` handle.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct AttemptHandle(Call);

/// The host's side of a guest's `pending` handle.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct PendingHandle(Call);

/// The host's side of a guest's `receipt` handle. It has no authority of its own: the gate verifies the receipt of that
/// id.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct ReceiptHandle {
    id: ReceiptId,
    document: String,
}

/// The state of one store.
pub(crate) struct Guest {
    pub(crate) handler: Box<dyn Handler>,
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    pub(crate) meter: Meter,
    pub(crate) moment: VirtualTime,
    pub(crate) throttle: CpuThrottle,
    pub(crate) turn: ThrottlePermit,
    /// Bounds the bytes of artifacts that the host has copied; one permit per KiB.
    pub(crate) artifact_buffer: Arc<Semaphore>,
    pub(crate) artifact_buffer_units: u32,
    pub(crate) text_bytes: usize,
    pub(crate) handles: usize,
    /// Time spent in the handler: the host's, not the guest's.
    pub(crate) host_time: HostTime,
    /// The engine's script, if this is a bundle.
    pub(crate) script: Option<Arc<Script>>,
    /// The receipts that this drive of a script was granted, by their ids.
    pub(crate) granted: HashMap<ReceiptId, String>,
    pub(crate) tenant: String,
    pub(crate) started_at: Timestamp,
}

impl Guest {
    async fn ask(&mut self, command: Command) -> wasmtime::Result<Outcome> {
        let text = text_in(&command);
        self.turn.charge(text);
        if text > self.text_bytes {
            return Err(TooMuchText.into());
        }
        self.host_time.begin();
        let (outcome, waited) = match self.handler.handle(command) {
            HandlerAnswer::Here(outcome) => (outcome, false),
            HandlerAnswer::Later(outcome) => {
                self.turn.leave_thread();
                (outcome.await, true)
            }
        };
        let now = self.host_time.end();
        self.moment.answered(self.handler.position(), self.handler.time());
        if waited && !self.turn.answered(now) {
            self.throttle.next_turn(&self.turn, &self.host_time).await;
        }
        outcome.map_err(|halt| wasmtime::Error::new(HandlerHalt(halt)))
    }

    /// The part of the state that the guest's monotonic clock works on.
    pub(crate) fn clock(&mut self) -> Clock<'_> {
        Clock { moment: &self.moment, table: &mut self.table }
    }
}

/// The bytes of text in a command.
fn text_in(command: &Command) -> usize {
    let action = |Action { capability, resource, reason, evidence, artifact }: &Action| {
        let name = artifact.as_ref().map_or(0, |artifact| artifact.facts().name.len());
        capability.len() + resource.len() + reason.len() + evidence.len() + name
    };
    let expectation = |wait: &Expectation| wait.name.len() + wait.event_type.len();
    match command {
        Command::BeginStep { name } | Command::Start(Start::Step { name, .. }) => name.len(),
        Command::EndStep { result: Ok(output), .. } => output.len(),
        Command::EndStep { result: Err(failure), .. } | Command::FailStep { failure, .. } => {
            failure.name.len() + failure.message.len()
        }
        Command::Sleep(sleep) | Command::Start(Start::Sleep(sleep)) => sleep.name.len(),
        Command::WaitForEvent(wait) | Command::Start(Start::WaitForEvent(wait)) => expectation(wait),
        Command::RequireApproval(asked) | Command::Start(Start::RequireApproval(asked)) => action(asked),
        Command::Perform(invocation) => invocation.resource.len() + invocation.artifact.facts().name.len(),
        Command::Await { calls } => size_of_val(&**calls),
    }
}

/// Selects the part of a store's state that the imports work on: all of it.
pub(crate) struct HasGuest;

impl HasData for HasGuest {
    type Data<'a> = &'a mut Guest;
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// For the bindings of functions that copy their arguments: other functions are linked instead.
fn linked_elsewhere<T>() -> wasmtime::Result<T> {
    Err(wasmtime::Error::new(HandlerHalt("this function has to be linked otherwise".into())))
}

/// The handler answered one kind of command with another kind's outcome: an error of the host, which ends the drive and not the instance.
fn unexpected<T>(outcome: &Outcome) -> wasmtime::Result<T> {
    Err(wasmtime::Error::new(HandlerHalt(format!("the host answered with {outcome:?}").into())))
}
