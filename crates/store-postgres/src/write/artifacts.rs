//! The artifacts that a tenant keeps, and the live ones of its resources.

use crate::write::state::{Held, Live, State};
use std::sync::Arc;
use store::{Deployment, StoreError};
use workflow::TenantId;

/// Adds a holder of an artifact. Returns the bytes that the tenant keeps additionally: none if it keeps the artifact already.
pub(crate) fn hold(state: &mut State, tenant: &TenantId, (sha256, bytes): (&str, u64), holder: i64) -> i64 {
    let (key, hold) = ((tenant.clone(), sha256.to_owned()), (holder, sha256.to_owned()));
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    let held = state.artifacts.get(&key).copied().unwrap_or(Held { bytes, holders: 0 });
    if state.holders.get(&hold) != Some(&true) {
        state.holders.set(hold, true);
        state.artifacts.set(key, Held { holders: held.holders + 1, ..held });
    }
    if held.holders == 0 { held.bytes } else { 0 }
}

/// Removes an artifact's holder. Returns the bytes that the tenant no longer keeps.
fn let_go(state: &mut State, tenant: &TenantId, sha256: &str, holder: i64) -> i64 {
    let (key, hold) = ((tenant.clone(), sha256.to_owned()), (holder, sha256.to_owned()));
    let Some(held) = state.artifacts.get(&key).copied() else { return 0 };
    if state.holders.get(&hold) != Some(&true) {
        return 0;
    }
    state.holders.set(hold, false);
    state.artifacts.set(key, Held { holders: held.holders - 1, ..held });
    if held.holders == 1 { held.bytes } else { 0 }
}

/// Records a deployment and makes it its resource's live one, unless the live one was redeemed later. A recorded deployment does not change. The
/// artifact is kept as long as the instance exists or the resource serves it. Returns the change of the tenant's bytes.
pub(crate) fn record_deployment(
    state: &mut State,
    deployment: &Deployment,
    instance: i64,
) -> Result<i64, StoreError> {
    if state.deployments.get(&deployment.id).is_some() {
        return Ok(0);
    }
    let Deployment { tenant, resource, artifact_sha256, artifact_bytes, .. } = deployment;
    let place = state.places.pop().ok_or(StoreError::Stopped)?;
    state.deployments.set(deployment.id.clone(), Some((place, Arc::new(deployment.clone()))));
    let (sha256, redeemed) = (artifact_sha256.to_string(), deployment.order.cast_signed());
    let mut more = hold(state, tenant, (&sha256, *artifact_bytes), instance);
    let key = (tenant.clone(), resource.clone());
    let before = state.live.get(&key).cloned();
    if before.as_ref().is_none_or(|before| before.redeemed <= redeemed) {
        more += hold(state, tenant, (&sha256, *artifact_bytes), -place);
        more -= before.map_or(0, |before| let_go(state, tenant, &before.sha256, -before.place));
        state.live.set(key, Live { place, redeemed, sha256 });
    }
    Ok(more)
}
