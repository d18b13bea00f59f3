//! Every record: the facts of instances, deletions, and operators' acts.

use crate::Error;
use crate::api::view::{Reader, View};
use crate::api::{AuditPlace, AuditScope};
use crate::trust::{Act, RecordedTrustAct};
use receipt::Timestamp;
use serde::Serialize;
use std::io;
use store::{Deleted, Fact, InstanceState, RecordedAct, StoreError};
use workflow::{InstanceId, TenantId};

/// Facts that are read at once.
const FACTS: u32 = 128;

/// Bytes of a page, as JSON. The record that goes beyond them is its last.
const PAGE_BYTES: usize = 4 << 20;

/// Milliseconds by which the times of facts, in their order, run backwards at most: several writers note the time each
/// before it is its turn to write.
const SLACK: i64 = 60_000;

/// One record.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum AuditRecord {
    /// A fact of an instance.
    Fact(Box<Fact>),
    /// An operator's act.
    Act {
        /// When.
        at: Timestamp,
        /// The operator.
        by: String,
        /// The act.
        act: Act,
    },
    /// An instance was deleted.
    Deletion {
        /// When.
        at: Timestamp,
        /// The tenant.
        tenant: TenantId,
        /// Its id there.
        instance: InstanceId,
        /// The number of deleted facts.
        deleted: u64,
        /// By whom.
        by: String,
        /// The state in which it had ended; null for records of an earlier format.
        state: Option<InstanceState>,
        /// The time at which it had ended; null for records of an earlier format.
        ended_at: Option<Timestamp>,
    },
}

impl AuditRecord {
    /// When it was recorded.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Fact(fact) => fact.at,
            Self::Act { at, .. } | Self::Deletion { at, .. } => *at,
        }
    }
}

/// A page that is being read.
struct AuditPage {
    records: Vec<AuditRecord>,
    /// The place after the last of them.
    place: AuditPlace,
    limit: usize,
    bytes: usize,
    /// There is a record that did not fit.
    is_full: bool,
}

impl AuditPage {
    /// Takes a record, unless the page is full.
    fn take(&mut self, record: AuditRecord) {
        if self.records.len() == self.limit || self.bytes > PAGE_BYTES {
            self.is_full = true;
            return;
        }
        let at = record.at();
        // Times of facts of different instances may run backwards.
        if self.place.time < at {
            (self.place.time, self.place.others) = (at, 0);
        }
        match &record {
            AuditRecord::Fact(fact) => self.place.fact = Some((fact.key.clone(), fact.index)),
            AuditRecord::Act { .. } | AuditRecord::Deletion { .. } => self.place.others += 1,
        }
        self.bytes += length(&record);
        self.records.push(record);
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
    // A record that cannot be written is refused where it is.
    let _ = serde_json::to_writer(&mut count, record);
    count.0
}

impl Reader<'_> {
    /// Reads no more records than it has to pass, a bounded number at once.
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
            let facts = self.facts_behind(of, last)?;
            let Some(newest) = facts.last() else { break };
            last = Some((newest.seq, newest.index));
            for fact in facts {
                while let Some(other) = others.next_if(|other| other.at() <= fact.at) {
                    page.take(other);
                }
                page.take(AuditRecord::Fact(Box::new(fact)));
            }
        }
        others.for_each(|other| page.take(other));
        let next = page.is_full.then_some(page.place);
        Ok(View::Audit { records: page.records, next })
    }

    /// The fact that a place follows: its place among all facts, and its index.
    fn last_fact(&self, of: &AuditScope, place: &AuditPlace) -> Result<Option<(u64, u64)>, Error> {
        let Some((key, index)) = &place.fact else { return Ok(None) };
        if !of.has(key) {
            return Err(StoreError::NoInstance(key.to_string()).into());
        }
        let found = match self.store.facts_from(key, *index, 1).wait() {
            Ok(facts) => facts.into_iter().next(),
            Err(StoreError::NoInstance(_)) => None,
            Err(error) => return Err(error.into()),
        };
        // An instance that began after the deletion of one of its name has later facts.
        match (found.filter(|fact| fact.at <= place.time), of) {
            (Some(fact), _) => Ok(Some((fact.seq, fact.index))),
            (None, AuditScope::Instance(_)) => Err(StoreError::NoInstance(key.to_string()).into()),
            (None, AuditScope::Host | AuditScope::Tenant(_)) => self.before(of, place.time),
        }
    }

    /// The last fact before the first one that may follow a place with that time, whose own fact is no more. A few
    /// records before the place may so be read again, because times run backwards by less than [`SLACK`].
    fn before(&self, of: &AuditScope, time: Timestamp) -> Result<Option<(u64, u64)>, Error> {
        let from = Timestamp::from_millis(time.as_millis().saturating_sub(SLACK));
        let mut last = None;
        loop {
            let facts = self.facts_behind(of, last)?;
            let Some(newest) = facts.last() else { return Ok(last) };
            match facts.iter().position(|fact| fact.at >= from) {
                Some(0) => return Ok(last),
                Some(first) => return Ok(facts.get(first - 1).map(|fact| (fact.seq, fact.index))),
                None => last = Some((newest.seq, newest.index)),
            }
        }
    }

    /// The next facts. `last` has the place among all facts, and the index in its journal, of the fact before them.
    fn facts_behind(&self, of: &AuditScope, last: Option<(u64, u64)>) -> Result<Vec<Fact>, Error> {
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

    /// Acts and deletions behind that place, in order: those that a page has room for, and one more.
    fn other_records(
        &self,
        of: &AuditScope,
        place: &AuditPlace,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, Error> {
        let passed = u32::try_from(place.others).unwrap_or(u32::MAX);
        let most = limit.saturating_add(passed).saturating_add(1);
        let (mut records, tenant) = match of {
            AuditScope::Instance(_) => return Ok(Vec::new()),
            AuditScope::Tenant(tenant) => (Vec::new(), Some(tenant)),
            AuditScope::Host => (self.acts(place.time, most)?, None),
        };
        let deletions = self.store.deletions(tenant, place.time, most).wait()?.into_iter();
        records.extend(deletions.map(|Deleted { key, at, by, facts, end }| AuditRecord::Deletion {
            at,
            tenant: key.tenant,
            instance: key.instance,
            deleted: facts,
            by,
            state: end.map(|end| end.state),
            ended_at: end.map(|end| end.at),
        }));
        // The sort is stable, so records of the same time keep their order.
        records.sort_by_key(AuditRecord::at);
        records.drain(..records.len().min(passed as usize));
        Ok(records)
    }

    fn acts(&self, from: Timestamp, most: u32) -> Result<Vec<AuditRecord>, Error> {
        let acts = self.store.acts_from(from, most).wait()?.into_iter();
        acts.map(|RecordedAct { at, body, .. }| {
            let RecordedTrustAct { by, act } =
                serde_json::from_str(&body).map_err(|error| Error::Internal(error.to_string()))?;
            Ok(AuditRecord::Act { at, by, act })
        })
        .collect()
    }
}
