//! A place in an audit, and its text.

use receipt::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use store::InstanceKey;

/// A place between two records of an audit: what a page ends with, and the next one begins after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AuditPlace {
    /// The last fact before it: the instance, and the index in its journal.
    pub(in crate::api) fact: Option<(InstanceKey, u64)>,
    /// The latest time of a record before it.
    pub(in crate::api) time: Timestamp,
    /// The number of other records of that time before it.
    pub(in crate::api) others: u64,
}

/// A text that names no place of an audit.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no place of an audit: take the one that the page before gives")]
pub struct InvalidAuditPlace(String);

impl Default for AuditPlace {
    fn default() -> Self {
        Self { fact: None, time: Timestamp::from_millis(0), others: 0 }
    }
}

impl fmt::Display for AuditPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (time, others) = (self.time.as_millis(), self.others);
        match &self.fact {
            Some((key, index)) => write!(f, "{key}.{index}.{time}.{others}"),
            None => write!(f, "start.{time}.{others}"),
        }
    }
}

impl FromStr for AuditPlace {
    type Err = InvalidAuditPlace;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (fact, others) = text.rsplit_once('.')?;
            let others = others.parse().ok()?;
            let (fact, time) = fact.rsplit_once('.')?;
            let time = Timestamp::from_millis(time.parse().ok()?);
            if fact == "start" {
                return Some(Self { fact: None, time, others });
            }
            let (key, index) = fact.rsplit_once('.')?;
            let (tenant, instance) = key.split_once('/')?;
            let key = InstanceKey { tenant: tenant.parse().ok()?, instance: instance.parse().ok()? };
            Some(Self { fact: Some((key, index.parse().ok()?)), time, others })
        };
        read().ok_or_else(|| InvalidAuditPlace(text.to_owned()))
    }
}

impl TryFrom<String> for AuditPlace {
    type Error = InvalidAuditPlace;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AuditPlace> for String {
    fn from(place: AuditPlace) -> Self {
        place.to_string()
    }
}
