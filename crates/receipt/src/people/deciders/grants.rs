//! A person's roles and tenants over time.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::{DeciderSet, DeciderSetError, MAX_ROLES, MAX_TENANTS, Person};
use crate::format::names::{PersonId, Role};
use crate::json::members::ShapeError;
use crate::timestamp::Timestamp;

/// The most changes of a person's roles and tenants that are kept: one per hour for seven years. Acts from versions
/// that did not keep changes had no such bound; this bound applies when they are read.
pub const MAX_CHANGES: usize = 65_536;

/// The longest tenant id, in bytes: as in a statement.
const MAX_TENANT_LEN: usize = crate::format::names::MAX_NAME_LEN;

/// Roles and tenants that a person had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// The roles.
    pub roles: Vec<Role>,
    /// The tenants that the person decides for; empty for all tenants.
    pub tenants: Vec<String>,
    /// The first moment at which the person no longer had exactly these. They had them since the moment of the entry
    /// before.
    pub until: Timestamp,
}

impl Person {
    /// The roles and the tenants that the person had at `at`; the present ones without it.
    pub(crate) fn grants(&self, at: Option<Timestamp>) -> (&[Role], &[String]) {
        let then = at.and_then(|at| self.earlier.iter().find(|earlier| at < earlier.until));
        then.map_or((&self.roles, &self.tenants), |earlier| (&earlier.roles, &earlier.tenants))
    }
}

impl DeciderSet {
    /// Gives a person other roles and tenants from `at` on. Those before stay on record.
    pub fn grant(
        &mut self,
        id: &PersonId,
        roles: Vec<Role>,
        tenants: Vec<String>,
        at: Timestamp,
    ) -> Result<(), DeciderSetError> {
        let person = self.person_mut(id)?;
        check_names(id, &roles, &tenants)?;
        let is_other = person.roles != roles || person.tenants != tenants;
        // Roles that are replaced at the moment at which they were given were never in force.
        let was_in_force = person.earlier.last().is_none_or(|last| last.until < at);
        let is_kept = is_other && was_in_force;
        if is_kept && person.earlier.len() >= MAX_CHANGES {
            return Err(too_many_changes());
        }
        let roles = mem::replace(&mut person.roles, roles);
        let tenants = mem::replace(&mut person.tenants, tenants);
        if is_kept {
            person.earlier.push(Grants { roles, tenants, until: at });
        }
        Ok(())
    }
}

/// Whether a person with these tenants decides for `tenant`.
pub(crate) fn cover(tenants: &[String], tenant: &str) -> bool {
    tenants.is_empty() || tenants.iter().any(|own| own == tenant)
}

pub(super) fn check(person: &Person) -> Result<(), DeciderSetError> {
    if person.earlier.len() > MAX_CHANGES {
        return Err(too_many_changes());
    }
    if !person.earlier.is_sorted_by(|one, next| one.until < next.until) {
        return Err(DeciderSetError::Order(person.id.clone()));
    }
    check_names(&person.id, &person.roles, &person.tenants)?;
    person.earlier.iter().try_for_each(|earlier| check_names(&person.id, &earlier.roles, &earlier.tenants))
}

fn too_many_changes() -> DeciderSetError {
    DeciderSetError::TooMany { what: "changes of a person's roles", most: MAX_CHANGES }
}

fn check_names(person: &PersonId, roles: &[Role], tenants: &[String]) -> Result<(), DeciderSetError> {
    for (what, count, most) in [("roles", roles.len(), MAX_ROLES), ("tenants", tenants.len(), MAX_TENANTS)] {
        if count > most {
            return Err(DeciderSetError::TooMany { what, most });
        }
    }
    let roles = roles.iter().map(Role::as_str).collect::<Vec<_>>();
    let tenants = tenants.iter().map(String::as_str).collect::<Vec<_>>();
    match repeated(&roles).or_else(|| repeated(&tenants)) {
        Some(name) => Err(DeciderSetError::Repeated { person: person.clone(), name: name.into() }),
        None if tenants.iter().any(|tenant| !(1..=MAX_TENANT_LEN).contains(&tenant.len())) => {
            Err(ShapeError::new("tenants", "has an entry that is empty or too long").into())
        }
        None => Ok(()),
    }
}

fn repeated<'a>(names: &[&'a str]) -> Option<&'a str> {
    names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)).map(|(_, name)| *name)
}
