//! The artifacts that a tenant keeps, and the live ones of its resources.

use crate::write::state::{Artifact, GroupState, Live, Users};
use crate::write::usage_stripes::ChargeError;
use std::sync::Arc;
use store::{Deployment, StoreError};
use workflow::TenantId;

/// Adds a holder of an artifact. Returns the bytes that the tenant keeps additionally: none if it keeps the artifact already.
pub(crate) fn hold(
    state: &mut GroupState,
    tenant: &TenantId,
    (sha256, bytes): (&str, u64),
    holder: i64,
) -> Result<i64, StoreError> {
    let (key, hold) = ((tenant.clone(), sha256.to_owned()), (holder, sha256.to_owned()));
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    let held = state.artifacts.get(&key).copied().unwrap_or(Artifact { bytes, holders: Users::default() });
    let Users { own, others } = held.holders;
    if own == 0 && !state.is_fully_locked(tenant) {
        return Err(state.refuse(tenant, ChargeError::Headroom));
    }
    if state.holders.get(&hold) != Some(&true) {
        state.holders.set(hold, true);
        state.artifacts.set(key, Artifact { holders: Users { own: own + 1, others }, ..held });
    }
    Ok(if own + others == 0 { held.bytes } else { 0 })
}

/// Removes an artifact's holder. Returns the bytes that the tenant no longer keeps.
fn let_go(state: &mut GroupState, tenant: &TenantId, sha256: &str, holder: i64) -> Result<i64, StoreError> {
    let (key, hold) = ((tenant.clone(), sha256.to_owned()), (holder, sha256.to_owned()));
    let Some(held) = state.artifacts.get(&key).copied() else { return Ok(0) };
    if state.holders.get(&hold) != Some(&true) {
        return Ok(0);
    }
    let holders = match held.holders {
        Users { own, others } if own > 1 => Users { own: own - 1, others },
        _ if !state.is_fully_locked(tenant) => return Err(state.refuse(tenant, ChargeError::Headroom)),
        // This stripe takes over the others.
        Users { own: 0, others } => Users { own: others - 1, others: 0 },
        Users { own, others } => Users { own: own - 1, others },
    };
    state.holders.set(hold, false);
    state.artifacts.set(key, Artifact { holders, ..held });
    Ok(if holders.own + holders.others == 0 { held.bytes } else { 0 })
}

/// Records a deployment and makes it its resource's live one, unless the live one was redeemed later. A recorded deployment does not change. The
/// artifact is kept as long as the instance exists or the resource serves it. Returns the change of the tenant's bytes.
pub(crate) fn record_deployment(
    state: &mut GroupState,
    deployment: &Deployment,
    instance: i64,
) -> Result<i64, StoreError> {
    if state.deployments.get(&deployment.id).is_some() {
        return Ok(0);
    }
    let Deployment { tenant, resource, artifact_sha256, artifact_bytes, .. } = deployment;
    state.deployed += 1;
    let place = NEW + state.deployed;
    state.deployments.set(deployment.id.clone(), Some((place, Arc::new(deployment.clone()))));
    let (sha256, redeemed) = (artifact_sha256.to_string(), deployment.order.cast_signed());
    let mut more = hold(state, tenant, (&sha256, *artifact_bytes), instance)?;
    let key = (tenant.clone(), resource.clone());
    let before = state.live.get(&key).cloned();
    if before.as_ref().is_none_or(|before| before.redeemed <= redeemed) {
        more += hold(state, tenant, (&sha256, *artifact_bytes), -place)?;
        if let Some(before) = before {
            more -= let_go(state, tenant, &before.sha256, -before.place)?;
        }
        state.live.set(key, Live { place, redeemed, sha256 });
    }
    Ok(more)
}

/// The places of a group's own deployments begin here until the commit, which gives them their places among all.
pub(crate) const NEW: i64 = 1 << 62;
