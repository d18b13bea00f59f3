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
        match &record {
            AuditRecord::Fact(fact) => {
                self.place.fact = Some((fact.key.clone(), fact.index));
                // Times of facts of different instances may run backwards.
                if self.place.time < Some(fact.at) {
                    (self.place.time, self.place.others) = (Some(fact.at), 0);
                }
            }
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
    /// Reads no more facts than it has to pass, a bounded number at once.
    pub(super) fn audit(
        &self,
        of: &AuditScope,
        after: Option<&AuditPlace>,
        limit: u32,
    ) -> Result<View, Error> {
        let place = after.cloned().unwrap_or_default();
        let last = self.last_fact(of, &place)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let others = self.other_records(of, place.time)?;
        let skipped = usize::try_from(place.others).unwrap_or(usize::MAX);
        let mut others = others.into_iter().skip(skipped).peekable();
        let mut page = AuditPage { records: Vec::new(), place, limit, bytes: 0, is_full: false };
        let mut last = last.map(|fact| (fact.seq, fact.index));
        while !page.is_full {
            let facts = self.facts_behind(of, last)?;
            let Some(newest) = facts.last() else { break };
            last = Some((newest.seq, newest.index));
            for fact in facts.into_iter().filter(|fact| of.has(&fact.key)) {
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

    /// The fact that a place follows.
    fn last_fact(&self, of: &AuditScope, place: &AuditPlace) -> Result<Option<Fact>, Error> {
        let Some((key, index)) = &place.fact else { return Ok(None) };
        let gone = || Error::from(StoreError::NoInstance(key.to_string()));
        if !of.has(key) {
            return Err(gone());
        }
        self.store.facts_from(key, *index, 1).wait()?.pop().map(Some).ok_or_else(gone)
    }

    /// The next facts of the instances that may be in `of`. `last` has the place among all facts, and the index in its
    /// journal, of the fact before them.
    fn facts_behind(&self, of: &AuditScope, last: Option<(u64, u64)>) -> Result<Vec<Fact>, Error> {
        match of {
            AuditScope::Instance(key) => {
                let from = last.map_or(0, |(_, index)| index + 1);
                Ok(self.store.facts_from(key, from, FACTS).wait()?)
            }
            AuditScope::Host | AuditScope::Tenant(_) => {
                Ok(self.store.facts_after(last.map_or(0, |(seq, _)| seq), FACTS).wait()?)
            }
        }
    }

    /// Acts and deletions after that time, in order.
    fn other_records(&self, of: &AuditScope, after: Option<Timestamp>) -> Result<Vec<AuditRecord>, Error> {
        let mut records = match of {
            AuditScope::Instance(_) => return Ok(Vec::new()),
            AuditScope::Tenant(_) => Vec::new(),
            AuditScope::Host => self.acts()?,
        };
        let deletions = self.store.deletions().wait()?.into_iter();
        let deletions = deletions.filter(|deleted| of.has(&deleted.key));
        records.extend(deletions.map(|Deleted { key, at, by, facts, end }| AuditRecord::Deletion {
            at,
            tenant: key.tenant,
            instance: key.instance,
            deleted: facts,
            by,
            state: end.map(|end| end.state),
            ended_at: end.map(|end| end.at),
        }));
        records.retain(|record| after.is_none_or(|after| record.at() > after));
        // The sort is stable, so records of the same time keep their order.
        records.sort_by_key(AuditRecord::at);
        Ok(records)
    }

    fn acts(&self) -> Result<Vec<AuditRecord>, Error> {
        let acts = self.store.acts(0).wait()?.into_iter();
        acts.map(|RecordedAct { at, body, .. }| {
            let RecordedTrustAct { by, act } =
                serde_json::from_str(&body).map_err(|error| Error::Internal(error.to_string()))?;
            Ok(AuditRecord::Act { at, by, act })
        })
        .collect()
    }
}
