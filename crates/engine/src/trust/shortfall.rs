//! Whether there are people who can meet a policy's quorum. It is never part of a signed request, because people
//! change.

use crate::trust::Trust;
use policy::{Ask, KeyClass, Need};
use receipt::{DeciderKey, Person, Timestamp};
use std::fmt;
use workflow::TenantId;

/// A need that the people who may decide here cannot meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall {
    /// The unmet need.
    pub need: Need,
    /// The number of people who could decide so.
    pub people: u32,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { need, people } = self;
        let are = match people {
            1 => "1 person here can".to_owned(),
            _ => format!("{people} people here can"),
        };
        match &need.role {
            Some(role) => write!(
                f,
                "{need} is asked for, and {are} decide as {role}: pp-host deciders add NAME --role {role} --key FILE"
            ),
            None => write!(
                f,
                "{need} is asked for, and {are} decide: pp-host deciders add NAME --role ROLE --key FILE"
            ),
        }
    }
}

/// The unmet needs, when no quorum of an ask can be met by people of that tenant (for `None`, of any tenant). People in
/// `excluded` do not count. Empty if one of the quorums can be met.
pub fn shortfalls(
    ask: &Ask,
    trust: &Trust,
    tenant: Option<&TenantId>,
    excluded: impl Fn(&Person) -> bool,
    at: Timestamp,
) -> Vec<Shortfall> {
    let able: Vec<_> = trust
        .deciders()
        .people()
        .iter()
        .filter(|person| {
            person.removed_at.is_none()
                && person.keys.iter().any(|key| is_good(key, at) && class_of(key) >= ask.keys)
        })
        .filter(|person| tenant.is_none_or(|tenant| person.decides_for(tenant.as_str())))
        .filter(|person| !excluded(person))
        .collect();
    let mut missing = Vec::new();
    for quorum in &ask.quorums {
        let before = missing.len();
        for need in &quorum.needs {
            let people = able.iter().filter(|person| has(person, need)).count();
            let people = u32::try_from(people).unwrap_or(u32::MAX);
            if people < need.approvals {
                missing.push(Shortfall { need: need.clone(), people });
            }
        }
        if missing.len() == before {
            return Vec::new();
        }
    }
    missing
}

/// A person who may only decide alone does not count among several.
fn has(person: &Person, need: &Need) -> bool {
    match &need.role {
        Some(role) => person.has_role(role),
        None => person.roles.iter().any(|role| !role.is_break_glass()),
    }
}

fn class_of(key: &DeciderKey) -> KeyClass {
    match key.key.as_passkey() {
        None => KeyClass::Any,
        Some(passkey) if passkey.is_device_bound() => KeyClass::DeviceBound,
        Some(_) => KeyClass::Passkey,
    }
}

fn is_good(key: &DeciderKey, at: Timestamp) -> bool {
    let ended = |end: Option<Timestamp>| end.is_some_and(|end| end <= at);
    !ended(key.valid_until) && key.revoked_at.is_none() && key.compromised_at.is_none()
}
