//! The functions that take an artifact: its bytes are read in the guest's memory, and copied only for an action.
//!
//! ```text
//!   guest's memory ─ a slice at a time, throttled, for fuel ─► digest            to ask for permission
//!                                                               └──► digest and copy    to deploy, as much as may be in hand
//! ```

use super::pp::Answer;
use super::steps::Started;
use super::{Guest, ReceiptHandle};
use crate::guest::bindings::before::permission_protocol::tenant::{deploy as old_deploy, pp as old_pp};
use crate::guest::bindings::permission_protocol::tenant::deploy;
use crate::imports;
use crate::imports::GatedCall;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::{ComponentType, Lift, Linker, Resource, WasmList};
use wasmtime::{StoreContextMut, Trap};
use workflow::{Action, Artifact, Measure};

/// The bytes that are read at a time: a fraction of a tick.
const SLICE: usize = 256 << 10;

/// Fuel for a byte, which costs some nanoseconds to digest.
const FUEL: u64 = 4;

/// The longest artifact of a request whose bytes are copied. It is held until the request is recorded.
const LOOKED_AT: usize = 128 << 10;

/// The unit in which copied bytes are counted.
const UNIT: usize = 1 << 10;

/// An artifact that has not been read.
#[derive(ComponentType, Lift)]
#[component(record)]
struct Unread {
    name: String,
    bytes: WasmList<u8>,
}

/// An action whose artifact has not been read.
#[derive(ComponentType, Lift)]
#[component(record)]
struct UnreadAction {
    capability: String,
    resource: String,
    reason: String,
    evidence: String,
    artifact: Option<Unread>,
}

/// Permits for the bytes of artifacts that the host may hold at the same time.
pub(crate) fn artifact_buffer(bytes: u64) -> Semaphore {
    Semaphore::new(units(bytes) as usize)
}

/// The number of permits for these bytes: at least one.
pub(crate) fn units(bytes: u64) -> u32 {
    u32::try_from(bytes / UNIT as u64).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 1)
}

/// Replaces the functions that would copy.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut world = linker.instance("permission-protocol:tenant/pp@0.2.0")?;
    world.func_wrap_async("require-approval", |store, (action,): (UnreadAction,)| {
        Box::new(async move { Ok((require_approval(store, action).await?,)) })
    })?;
    world.func_wrap_async("start-require-approval", |store, (action,): (UnreadAction,)| {
        Box::new(async move { Ok((start_require_approval(store, action).await?,)) })
    })?;
    for GatedCall { interface, function, call } in &imports::GATED {
        let mut world = linker.instance(&format!("{interface}@0.2.0"))?;
        world.func_wrap_async(function, move |store, (resource, unread, receipt)| {
            Box::new(async move { Ok((act(store, call, resource, unread, receipt).await?,)) })
        })?;
    }
    let mut before = linker.instance("permission-protocol:tenant/pp@0.1.0")?;
    before.func_wrap_async("require-approval", |store, (action,): (UnreadAction,)| {
        Box::new(async move {
            let answer = require_approval(store, action).await?;
            Ok((answer.map_err(old_pp::Refusal::from),))
        })
    })?;
    let mut before = linker.instance("permission-protocol:tenant/deploy@0.1.0")?;
    before.func_wrap_async("deploy", |store, (resource, unread, receipt)| {
        Box::new(async move {
            let deployed = act(store, crate::DEPLOY, resource, unread, receipt).await?;
            let deployed = deployed.map(old_deploy::Deployment::from).map_err(old_deploy::DeployError::from);
            Ok((deployed,))
        })
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

async fn require_approval(
    mut store: StoreContextMut<'_, Guest>,
    action: UnreadAction,
) -> wasmtime::Result<Answer> {
    let action = action.measured(&mut store).await?;
    store.data_mut().ask_permission(action).await
}

async fn start_require_approval(
    mut store: StoreContextMut<'_, Guest>,
    action: UnreadAction,
) -> wasmtime::Result<Started> {
    let action = action.measured(&mut store).await?;
    store.data_mut().start_call(workflow::Start::RequireApproval(action)).await
}

async fn act(
    mut store: StoreContextMut<'_, Guest>,
    call: &'static str,
    resource: String,
    unread: Unread,
    receipt: Resource<ReceiptHandle>,
) -> wasmtime::Result<Result<deploy::Deployment, deploy::DeployError>> {
    let artifact = unread.copied(&mut store).await?;
    store.data_mut().perform(call, resource, artifact, receipt).await
}

impl UnreadAction {
    async fn measured(self, store: &mut StoreContextMut<'_, Guest>) -> wasmtime::Result<Action> {
        let Self { capability, resource, reason, evidence, artifact } = self;
        let artifact = match artifact {
            Some(unread) => {
                // People look at a short artifact before they decide. Of a longer artifact there is only the digest.
                let short = unread.bytes.len() <= LOOKED_AT;
                let mut bytes = Vec::new();
                let keep = |slice: &[u8]| bytes.extend_from_slice(if short { slice } else { &[] });
                let measure = unread.read(store, keep).await?;
                Some(Artifact::measured(measure, bytes))
            }
            None => None,
        };
        Ok(Action { capability, resource, reason, evidence, artifact })
    }
}

impl Unread {
    /// A copy, which counts while it exists.
    async fn copied(self, store: &mut StoreContextMut<'_, Guest>) -> wasmtime::Result<Artifact> {
        let permit = store.data_mut().take_artifact_buffer(self.bytes.len()).await?;
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let measure = self.read(store, |slice| bytes.extend_from_slice(slice)).await?;
        Ok(Artifact::measured(measure, InHand { bytes, _permit: permit }))
    }

    /// Reads all bytes, and yields the thread after each tick.
    async fn read(
        self,
        store: &mut StoreContextMut<'_, Guest>,
        mut keep: impl FnMut(&[u8]),
    ) -> wasmtime::Result<Measure> {
        burn(store, FUEL.saturating_mul(self.bytes.len() as u64))?;
        let mut measure = Measure::new(self.name);
        for start in (0..self.bytes.len()).step_by(SLICE) {
            let guest = store.data();
            if guest.turn.is_over() {
                guest.throttle.next_turn(&guest.turn, &guest.host_time).await;
            }
            let all = self.bytes.as_le_slice(&*store);
            let slice = all.get(start..all.len().min(start + SLICE)).unwrap_or_default();
            measure.take(slice);
            keep(slice);
        }
        Ok(measure)
    }
}

/// Takes this amount of fuel from a guest, or ends the guest as out of fuel.
fn burn(store: &mut StoreContextMut<'_, Guest>, fuel: u64) -> wasmtime::Result<()> {
    let left = store.get_fuel()?;
    store.set_fuel(left.saturating_sub(fuel))?;
    match left >= fuel {
        true => Ok(()),
        false => Err(Trap::OutOfFuel.into()),
    }
}

/// Bytes that count while they exist.
struct InHand {
    bytes: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for InHand {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Guest {
    /// Waits until this many more bytes may be copied. A single call proceeds with any bound.
    async fn take_artifact_buffer(&mut self, bytes: usize) -> wasmtime::Result<OwnedSemaphorePermit> {
        let all = self.artifact_buffer_units;
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(all);
        self.turn.leave_thread();
        let permit = self.host_time.during(self.artifact_buffer.clone().acquire_many_owned(units)).await?;
        if !self.turn.answered(std::time::Instant::now()) {
            self.throttle.next_turn(&self.turn, &self.host_time).await;
        }
        Ok(permit)
    }
}
