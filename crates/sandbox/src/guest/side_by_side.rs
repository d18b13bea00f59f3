//! Waiting for the first of several.

use super::steps::millis;
use super::{AttemptHandle, Guest, PendingHandle, unexpected};
use crate::guest::bindings::permission_protocol::tenant::side_by_side as wit;
use wasmtime::component::Resource;
use wasmtime_wasi::ResourceTableError;
use workflow::{Call, Command, Outcome, Ready};

impl wit::Host for Guest {
    async fn first(&mut self, pending: Vec<Resource<PendingHandle>>) -> wasmtime::Result<wit::Woken> {
        // A list that is longer than the number of handles repeats some of them.
        if pending.len() > self.handles {
            return Err(ResourceTableError::Full.into());
        }
        let call = |pending| self.table.get(pending).map(|PendingHandle(call)| *call);
        let calls = pending.iter().map(call).collect::<Result<Vec<_>, _>>()?;
        let outcome = self.ask(Command::Await { calls: calls.clone() }).await?;
        let Outcome::Woken { call, ready } = outcome else { return unexpected(&outcome) };
        match (0..).zip(calls).find(|(_, waited_for)| *waited_for == call) {
            Some((index, _)) => Ok(wit::Woken { index, ready: self.ready(call, ready)? }),
            None => unexpected(&Outcome::Woken { call, ready }),
        }
    }
}

impl Guest {
    fn ready(&mut self, call: Call, ready: Ready) -> wasmtime::Result<wit::Ready> {
        Ok(match ready {
            Ready::Run { attempt: number } => {
                let attempt = self.table.push(AttemptHandle(call))?;
                wit::Ready::Again(wit::Another { attempt, number })
            }
            Ready::Step(result) => wit::Ready::Step(result.map_err(Into::into)),
            Ready::Slept => wit::Ready::Slept,
            Ready::Event(event) => wit::Ready::Received(event.into()),
            Ready::TimedOut { until } => wit::Ready::TimedOut(millis(until)),
            Ready::Approval(approval) => wit::Ready::Approval(self.answer(approval)?),
        })
    }
}
