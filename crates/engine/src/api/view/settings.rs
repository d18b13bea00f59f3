//! Views of the host's settings: deciders, keys, limits.

use crate::Error;
use crate::api::view::Reader;
use crate::limits::{Origin, Resolved};
use receipt::{DeciderKey, Passkey, PasskeyRecord, Person, Timestamp};
use serde::Serialize;
use workflow::TenantId;

/// A person who may decide, or could once.
#[derive(Debug, Clone, Serialize)]
pub struct DeciderRow {
    /// The person.
    pub decider: String,
    /// The decider's roles.
    pub roles: Vec<String>,
    /// The tenants that they decide for; empty means every tenant.
    pub tenants: Vec<String>,
    /// The time at which the decider was removed.
    pub removed_at: Option<Timestamp>,
    /// The decider's keys.
    pub keys: Vec<DeciderKeyRow>,
}

/// A decider's key.
#[derive(Debug, Clone, Serialize)]
pub struct DeciderKeyRow {
    /// The key's id.
    pub key_id: String,
    /// The kind of key: `ed25519`, or a passkey's `webauthn-es256` or `webauthn-eddsa`.
    pub kind: &'static str,
    /// A passkey's record: the credential, and the pages that may ask it to sign.
    pub passkey: Option<PasskeyRecord>,
    /// The time from which the key's signatures count.
    pub valid_from: Timestamp,
    /// The time until which the key's signatures count.
    pub valid_until: Option<Timestamp>,
    /// When the key was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The time since which another person may have had it.
    pub compromised_at: Option<Timestamp>,
}

/// A limit.
#[derive(Debug, Clone, Serialize)]
pub struct LimitRow {
    /// The limit's name.
    pub limit: &'static str,
    /// The object that it limits: a tenant, an instance, the host.
    pub of: String,
    /// The limit's value.
    pub value: u64,
    /// The limit's unit.
    pub unit: String,
    /// The default.
    pub default: u64,
    /// The origin of the value: `default`, `file` or `command-line`.
    pub from: &'static str,
    /// The file that sets it.
    pub file: Option<String>,
    /// The line in the file.
    pub line: Option<usize>,
    /// What the limit bounds.
    pub what: &'static str,
    /// The reason for its default.
    pub reason: &'static str,
}

/// A tenant's usage, in the measures of its quotas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UsageRow {
    /// Instances that have not ended.
    pub instances: u64,
    /// Requests that wait for a decision.
    pub pending_approvals: u64,
    /// Bytes kept.
    pub stored_bytes: u64,
}

impl Reader<'_> {
    pub(super) fn deciders(&self) -> Vec<DeciderRow> {
        self.judge.trust.deciders().people().iter().map(DeciderRow::from).collect()
    }

    pub(super) fn keys(&self) -> Result<serde_json::Value, Error> {
        let document = self.judge.keys.to_json().to_string();
        serde_json::from_str(&document).map_err(|error| Error::Internal(error.to_string()))
    }

    pub(super) fn limits(&self, tenant: Option<&TenantId>) -> Vec<LimitRow> {
        self.settings.resolve(tenant).iter().map(LimitRow::from).collect()
    }

    pub(super) fn usage(&self, tenant: &TenantId) -> Result<UsageRow, Error> {
        let usage = self.store.usage(tenant).wait()?;
        Ok(UsageRow {
            instances: usage.instances,
            pending_approvals: usage.pending_approvals,
            stored_bytes: usage.stored_bytes,
        })
    }
}

impl From<&Person> for DeciderRow {
    fn from(person: &Person) -> Self {
        Self {
            decider: person.id.to_string(),
            roles: person.roles.iter().map(ToString::to_string).collect(),
            tenants: person.tenants.clone(),
            removed_at: person.removed_at,
            keys: person.keys.iter().map(DeciderKeyRow::from).collect(),
        }
    }
}

impl From<&DeciderKey> for DeciderKeyRow {
    fn from(key: &DeciderKey) -> Self {
        Self {
            key_id: key.key.key_id().to_string(),
            kind: key.key.scheme().as_str(),
            passkey: key.key.as_passkey().map(Passkey::record),
            valid_from: key.valid_from,
            valid_until: key.valid_until,
            revoked_at: key.revoked_at,
            compromised_at: key.compromised_at,
        }
    }
}

impl From<&Resolved> for LimitRow {
    fn from(Resolved { limit, value, origin }: &Resolved) -> Self {
        let (from, file, line) = match origin {
            Origin::Default => ("default", None, None),
            Origin::File { file, line } => ("file", Some(file.display().to_string()), Some(*line)),
            Origin::CommandLine => ("command-line", None, None),
        };
        Self {
            limit: limit.name,
            of: limit.reach().to_string(),
            value: *value,
            unit: limit.unit.to_string(),
            default: limit.default(),
            from,
            file,
            line,
            what: limit.what,
            reason: limit.reason,
        }
    }
}
