//! Every record: the facts of instances, deletions, and operators' acts.

use crate::Error;
use crate::api::audit_place::FactPlace;
use crate::api::view::{Reader, View};
use crate::api::{AuditPlace, AuditScope};
use crate::trust::{Act, RecordedTrustAct};
use receipt::Timestamp;
use serde::Serialize;
use std::io;
use store::{Deleted, Fact, InstanceState, RecordedAct, StoreError};
use workflow::{InstanceId, TenantId};

/// The number of facts that one read returns.
const FACTS: u32 = 128;

/// Bytes of a page, as JSON. The record that goes beyond them is its last.
const PAGE_BYTES: usize = 4 << 20;

/// The most milliseconds by which a fact's time can be earlier than the time of a fact before it: a writer reads the
/// clock before its turn to write.
const SLACK: i64 = 60_000;

/// One record.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum AuditRecord {
    /// A fact of an instance.
    Fact(Box<Fact>),
    /// An operator's act.
    Act {
        /// The time of the act.
        at: Timestamp,
        /// The operator.
        by: String,
        /// The act.
        act: Act,
    },
    /// An instance was deleted.
    Deletion {
        /// The time of the deletion.
        at: Timestamp,
        /// The tenant.
        tenant: TenantId,
        /// The instance's id in the tenant.
        instance: InstanceId,
        /// The number of deleted facts.
        deleted: u64,
        /// The account that deleted the instance.
        by: String,
        /// The state in which it had ended; null for records of an earlier format.
        state: Option<InstanceState>,
        /// The time at which it had ended; null for records of an earlier format.
        ended_at: Option<Timestamp>,
    },
}

impl AuditRecord {
    /// When the record was made.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Fact(fact) => fact.at,
            Self::Act { at, .. } | Self::Deletion { at, .. } => *at,
        }
    }
}

/// A record that is no fact. An act has a place among all acts.
struct Other {
    record: AuditRecord,
    act: Option<u64>,
}

/// A page that is being read.
struct AuditPage {
    records: Vec<AuditRecord>,
    /// The place after the last of them.
    place: AuditPlace,
    limit: usize,
    bytes: usize,
    /// Whether a record did not fit.
    is_full: bool,
}

impl AuditPage {
    /// Takes a fact, unless the page is full.
    fn take_fact(&mut self, fact: Fact) {
        let place = FactPlace { key: fact.key.clone(), index: fact.index, at: fact.at };
        if self.take(AuditRecord::Fact(Box::new(fact))) {
            self.place.fact = Some(place);
        }
    }

    /// Takes an act or a deletion, unless the page is full.
    fn take_other(&mut self, Other { record, act }: Other) {
        let at = record.at();
        if !self.take(record) {
            return;
        }
        match act {
            Some(seq) => self.place.act = seq,
            None if self.place.deletions.0 == at => self.place.deletions.1 += 1,
            None => self.place.deletions = (at, 1),
        }
    }

    fn take(&mut self, record: AuditRecord) -> bool {
        self.is_full |= self.records.len() == self.limit || self.bytes > PAGE_BYTES;
        if !self.is_full {
            self.bytes += length(&record);
            self.records.push(record);
        }
        !self.is_full
    }
}

/// The length of a record as JSON.
fn length(record: &AuditRecord) -> usize {
    struct Count(usize);

    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count(0);
    // A record that cannot be written is refused when it is written.
    let _ = serde_json::to_writer(&mut count, record);
    count.0
}

impl Reader<'_> {
    /// Reads no more records than it has to pass, a bounded number with each read.
    pub(super) fn audit(
        &self,
        of: &AuditScope,
        after: Option<&AuditPlace>,
        limit: u32,
    ) -> Result<View, Error> {
        let place = after.cloned().unwrap_or_default();
        let mut last = self.last_fact(of, &place)?;
        let mut others = self.other_records(of, &place, limit)?.into_iter().peekable();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut page = AuditPage { records: Vec::new(), place, limit, bytes: 0, is_full: false };
        while !page.is_full {
            let facts = self.next_facts(of, last)?;
            let Some(newest) = facts.last() else { break };
            last = Some((newest.seq, newest.index));
            for fact in facts {
                while let Some(other) = others.next_if(|other| other.record.at() <= fact.at) {
                    page.take_other(other);
                }
                page.take_fact(fact);
            }
        }
        others.for_each(|other| page.take_other(other));
        let next = page.is_full.then_some(page.place);
        Ok(View::Audit { records: page.records, next })
    }

    /// The fact that a place follows: its place among all facts, and its index.
    fn last_fact(&self, of: &AuditScope, place: &AuditPlace) -> Result<Option<(u64, u64)>, Error> {
        let Some(FactPlace { key, index, at }) = &place.fact else { return Ok(None) };
        if !of.has(key) {
            return Err(StoreError::NoInstance(key.to_string()).into());
        }
        let found = match self.store.facts_from(key, *index, 1).wait() {
            Ok(facts) => facts.into_iter().next(),
            Err(StoreError::NoInstance(_)) => None,
            Err(error) => return Err(error.into()),
        };
        match (found.filter(|fact| fact.at == *at), of) {
            (Some(fact), _) => Ok(Some((fact.seq, fact.index))),
            (None, AuditScope::Instance(_)) => Err(StoreError::NoInstance(key.to_string()).into()),
            (None, AuditScope::Host | AuditScope::Tenant(_)) => Ok(Some((self.seq_before(*at)?, 0))),
        }
    }

    /// A sequence number before the first fact that may follow a deleted fact of this time. Records of the time within
    /// [`SLACK`] before it may be read again.
    fn seq_before(&self, time: Timestamp) -> Result<u64, Error> {
        let from = Timestamp::from_millis(time.as_millis().saturating_sub(SLACK));
        let (mut low, mut high) = (0, self.store.last_seq().wait()?);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.store.facts_after(middle, 1).wait()?.first() {
                Some(fact) if fact.at < from => low = fact.seq,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// The next facts. `last` has the place among all facts, and the index in its journal, of the fact before them.
    fn next_facts(&self, of: &AuditScope, last: Option<(u64, u64)>) -> Result<Vec<Fact>, Error> {
        let seq = last.map_or(0, |(seq, _)| seq);
        let facts = match of {
            AuditScope::Instance(key) => {
                self.store.facts_from(key, last.map_or(0, |(_, index)| index + 1), FACTS)
            }
            AuditScope::Tenant(tenant) => self.store.facts_of_tenant(tenant, seq, FACTS),
            AuditScope::Host => self.store.facts_after(seq, FACTS),
        };
        Ok(facts.wait()?)
    }

    /// Acts and deletions after that place, by their times: those that a page has room for, and more.
    fn other_records(&self, of: &AuditScope, place: &AuditPlace, limit: u32) -> Result<Vec<Other>, Error> {
        let (acts, tenant) = match of {
            AuditScope::Instance(_) => return Ok(Vec::new()),
            AuditScope::Tenant(tenant) => (Vec::new(), Some(tenant)),
            AuditScope::Host => (self.acts(place.act, limit.saturating_add(1))?, None),
        };
        let (from, passed) = (place.deletions.0, u32::try_from(place.deletions.1).unwrap_or(u32::MAX));
        let most = limit.saturating_add(passed).saturating_add(1);
        let deletions = self.store.deletions(tenant, from, most).wait()?;
        let mut deletions = deletions.into_iter().skip(passed as usize).map(deletion).peekable();
        let mut others = Vec::new();
        // Acts keep their own order: a place has the last one before it.
        for act in acts {
            while let Some(deletion) = deletions.next_if(|deletion| deletion.record.at() < act.record.at()) {
                others.push(deletion);
            }
            others.push(act);
        }
        others.extend(deletions);
        Ok(others)
    }

    fn acts(&self, after: u64, most: u32) -> Result<Vec<Other>, Error> {
        let acts = self.store.acts_after(after, most).wait()?.into_iter();
        acts.map(|RecordedAct { seq, at, body }| {
            let RecordedTrustAct { by, act } =
                serde_json::from_str(&body).map_err(|error| Error::Internal(error.to_string()))?;
            Ok(Other { record: AuditRecord::Act { at, by, act }, act: Some(seq) })
        })
        .collect()
    }
}

fn deletion(Deleted { key, at, by, facts, end }: Deleted) -> Other {
    let record = AuditRecord::Deletion {
        at,
        tenant: key.tenant,
        instance: key.instance,
        deleted: facts,
        by,
        state: end.map(|end| end.state),
        ended_at: end.map(|end| end.at),
    };
    Other { record, act: None }
}
