//! A place in an audit, and its text.

use receipt::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use store::InstanceKey;

/// A position between two records of an audit: the end of one page, and the beginning of the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AuditPlace {
    /// The last fact before it.
    pub(in crate::api) fact: Option<FactPlace>,
    /// The sequence number of the last act before this position; 0 if there is none.
    pub(in crate::api) act: u64,
    /// The time of the last deletion before it, and the number of deletions of that time before it.
    pub(in crate::api) deletions: (Timestamp, u64),
}

/// The position of a fact: the instance, the index in its journal, and the time. If an instance is deleted and another
/// one gets its name, the facts of the two differ in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct FactPlace {
    pub(in crate::api) key: InstanceKey,
    pub(in crate::api) index: u64,
    pub(in crate::api) at: Timestamp,
}

/// A text that names no place of an audit.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an audit position: use the one that the previous page gives")]
pub struct InvalidAuditPlace(String);

impl Default for AuditPlace {
    fn default() -> Self {
        Self { fact: None, act: 0, deletions: (Timestamp::from_millis(0), 0) }
    }
}

impl fmt::Display for AuditPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fact {
            Some(FactPlace { key, index, at }) => write!(f, "{key}.{index}.{}", at.as_millis())?,
            None => f.write_str("start")?,
        }
        let (at, count) = self.deletions;
        write!(f, ".{}.{}.{count}", self.act, at.as_millis())
    }
}

impl FromStr for AuditPlace {
    type Err = InvalidAuditPlace;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time = |text: &str| text.parse().ok().map(Timestamp::from_millis);
        let read = || {
            let (text, count) = text.rsplit_once('.')?;
            let (text, deleted) = text.rsplit_once('.')?;
            let (fact, act) = text.rsplit_once('.')?;
            let deletions = (time(deleted)?, count.parse().ok()?);
            Some(Self { fact: FactPlace::read(fact)?, act: act.parse().ok()?, deletions })
        };
        read().ok_or_else(|| InvalidAuditPlace(text.to_owned()))
    }
}

impl FactPlace {
    /// Parses a position; the inner option is empty if no fact precedes the position.
    fn read(text: &str) -> Option<Option<Self>> {
        if text == "start" {
            return Some(None);
        }
        let (text, at) = text.rsplit_once('.')?;
        let (key, index) = text.rsplit_once('.')?;
        let (tenant, instance) = key.split_once('/')?;
        let key = InstanceKey { tenant: tenant.parse().ok()?, instance: instance.parse().ok()? };
        Some(Some(Self { key, index: index.parse().ok()?, at: Timestamp::from_millis(at.parse().ok()?) }))
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
