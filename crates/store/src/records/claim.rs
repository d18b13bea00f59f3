//! Shards of instances, the hosts that claim them, and for how long.

use crate::InstanceKey;
use receipt::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The number of shards. Fixed: an engine stores shard numbers.
pub const SHARDS: u16 = 256;

/// A part of all instances, which one host at a time drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

impl Shard {
    /// The shard of that number.
    #[must_use]
    pub fn new(number: u8) -> Self {
        Self(number)
    }

    /// The shard's number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// Every shard, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map(Self)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl InstanceKey {
    /// The shard that the instance belongs to, for its whole life: the first byte of the SHA-256 of its full name,
    /// `TENANT/ID` in UTF-8.
    #[must_use]
    pub fn shard(&self) -> Shard {
        let [first, ..] = *Digest::of(self.to_string().as_bytes()).as_bytes();
        Shard(first)
    }
}

/// A host's name on record: it stays the same when the host starts again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostId(String);

/// The text is not a host's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a host id: a host id has 1 to 64 lowercase letters, digits, - and _")]
pub struct UnknownHostId;

impl HostId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostId {
    type Err = UnknownHostId;

    fn from_str(text: &str) -> Result<Self, UnknownHostId> {
        let allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        match (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            true => Ok(Self(text.to_owned())),
            false => Err(UnknownHostId),
        }
    }
}

impl TryFrom<String> for HostId {
    type Error = UnknownHostId;

    fn try_from(text: String) -> Result<Self, UnknownHostId> {
        text.parse()
    }
}

impl From<HostId> for String {
    fn from(id: HostId) -> Self {
        id.0
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A host's description of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostInfo {
    /// The host's id.
    pub id: HostId,
    /// The machine's name and the number of the process there, for people.
    pub name: String,
    /// The version of the program.
    pub version: String,
    /// The host's signer.
    pub signer: HostSigner,
    /// Where it runs. Of two processes with one id and one place, the second began after the first had ended.
    #[serde(default)]
    pub place: String,
}

/// The issuer of a host's receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "keys", rename_all = "kebab-case")]
pub enum HostSigner {
    /// The host itself, with keys of the set that has this digest.
    Own(Digest),
    /// An authority in another process, with keys of the set that has this digest.
    Authority(Digest),
}

/// A host on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRecord {
    /// The host's description of itself.
    pub host: HostInfo,
    /// The number of shards of which it holds a valid claim.
    pub shards: u16,
    /// When it last renewed its claims or was registered, by the engine's clock.
    pub last_seen: Timestamp,
    /// Whether the claims of its last renewal are still valid, even if it was given none.
    pub is_alive: bool,
}

/// The hosts on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    /// In order of their ids.
    pub hosts: Vec<HostRecord>,
    /// The replication of commits.
    pub replication: Replication,
}

/// The disks that have a commit when it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replication {
    /// On the disk of one machine, and nowhere else.
    None,
    /// On the disk of one machine, and on others some time later: a failover may lose the last commits.
    Asynchronous,
    /// On the disks of two machines at least.
    Synchronous,
}

/// The shards of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The shards, in order.
    pub shards: Vec<HeldShard>,
    /// The validity from the start of the call that returned it; `None` means forever.
    pub valid_for: Option<Duration>,
    /// The time from the answer until the first claim of another host is over, unless that host renews it; `None` if no
    /// other host has a claim.
    pub next_lapse: Option<Duration>,
    /// A notice about the store since the last renewal, as a line of text, for the operator.
    pub notice: Option<String>,
}

/// A shard that a host holds a claim of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldShard {
    /// The shard.
    pub shard: Shard,
    /// Grows with every claim of the shard. Unchanged while the claim is renewed.
    pub epoch: u64,
    /// Whether an earlier holder may still act.
    pub previous: PreviousHolder,
    /// The time from the answer until no earlier holder can be in the middle of an action; zero if the previous one has finished.
    pub settled_in: Duration,
}

/// The longest time of an action. For this time after a claim is over, its holder may
/// still be in the middle of an action.
pub const LONGEST_ACTION: Duration = Duration::from_secs(10);

/// Whether an earlier holder of a shard may still act. While a claim is renewed, this can become [`Finished`](Self::Finished), and stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviousHolder {
    /// No earlier holder may act: there was none, each [released](crate::ClaimStore::release) its claim, or this is
    /// [`LONGEST_ACTION`] after the end of the last claim that expired. The earlier processes of the present host in its place are
    /// over.
    Finished,
    /// A claim expired, or a renewal gave it up as surplus, and its holder may be in the middle of an action that it
    /// began before that. The same applies if a third host takes the shard from the host that took it over.
    Expired,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Engines keep shards by number: another hash would have two hosts drive one instance.
    #[test]
    fn a_shard_is_the_first_byte_of_the_digest_of_the_full_name() {
        let shard = |tenant: &str, instance: &str| {
            let key = InstanceKey { tenant: tenant.parse().unwrap(), instance: instance.parse().unwrap() };
            key.shard().number()
        };
        assert_eq!(
            [shard("acme", "i1"), shard("local", "ci-1"), shard("globex", "wf_01")],
            [0x0c, 0x10, 0xea]
        );
        assert_eq!((Shard::all().count(), Shard::all().last()), (usize::from(SHARDS), Some(Shard::new(255))));
    }

    #[test]
    fn an_id_of_a_host_is_a_plain_word() {
        assert_eq!("host-1_a".parse::<HostId>().unwrap().as_str(), "host-1_a");
        for bad in ["", "A", "a b", "a/b", &"a".repeat(65)] {
            assert!(bad.parse::<HostId>().is_err(), "{bad}");
        }
    }
}
