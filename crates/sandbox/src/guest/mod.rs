//! The host's side of the world: each import becomes a command, each outcome becomes the guest's value. A file an interface.

mod deploy;
mod pp;
mod side_by_side;
mod steps;
mod v0_1;

use crate::determinism::{Clock, VirtualTime};
use crate::exit::Marked;
use crate::limits::{HostTime, Meter};
use crate::script::Script;
use crate::throttle::ThrottlePermit;
use crate::{Handler, HandlerAnswer};
use receipt::Timestamp;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::component::HasData;
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};
use workflow::{Call, Command, Outcome, ReceiptId};

/// What stands behind a guest's `step` handle: nothing. Holding the handle is all there is to it.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct StepHandle;

/// What stands behind a guest's `attempt` handle.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct AttemptHandle(Call);

/// What stands behind a guest's `pending` handle.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct PendingHandle(Call);

/// What stands behind a guest's `receipt` handle. It has no authority of its own: the gate verifies the receipt of that id.
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
    pub(crate) turn: ThrottlePermit,
    /// When it was answered last, or began.
    pub(crate) answered: Instant,
    /// Time spent in the handler: the host's, not the guest's.
    pub(crate) host_time: HostTime,
    /// What the engine runs, where this is a bundle.
    pub(crate) script: Option<Arc<Script>>,
    pub(crate) tenant: String,
    pub(crate) started_at: Timestamp,
}

impl Guest {
    async fn ask(&mut self, command: Command) -> wasmtime::Result<Outcome> {
        self.turn.give_back();
        self.host_time.begin();
        let outcome = match self.handler.handle(command) {
            HandlerAnswer::Here(outcome) => outcome,
            HandlerAnswer::Later(outcome) => outcome.await,
        };
        self.answered = self.host_time.end();
        self.moment.answered(self.handler.position());
        outcome.map_err(|halt| wasmtime::Error::new(Marked(halt)))
    }

    /// The part of the state that the guest's monotonic clock works on.
    pub(crate) fn clock(&mut self) -> Clock<'_> {
        Clock { moment: &self.moment, table: &mut self.table }
    }
}

/// Says which part of a store's state the imports work on: all of it.
pub(crate) struct HasGuest;

impl HasData for HasGuest {
    type Data<'a> = &'a mut Guest;
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// The handler answered one kind of command with another kind's outcome: an error of the host, which ends the drive and not the instance.
fn unexpected<T>(outcome: &Outcome) -> wasmtime::Result<T> {
    Err(wasmtime::Error::new(Marked(format!("the host answered with {outcome:?}").into())))
}
