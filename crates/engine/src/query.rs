//! A data folder that is looked into, whoever owns it: what waits for a decision, and how it stands by what was said and signed until now.

use crate::issuer::{JudgingContext, Request, tally};
use crate::trust::{Trust, is_own, shortfalls};
use crate::{Clock as _, Error, SystemClock, Waiting};
use policy::{Answer, Policy};
use receipt::{Envelope, Person, Timestamp};
use std::path::Path;
use store::{Fact, InstanceKey, RequestFilter, Store};
use store_sqlite::{DataFolder, Sqlite};
use workflow::{Entry, RequestId};

/// A data folder, to look into.
pub struct ReadOnlyHost {
    store: Sqlite,
    trust: Trust,
    policy: Box<dyn Policy>,
}

impl ReadOnlyHost {
    /// Opens a folder under the policy that governs it; none where nobody wrote one.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(data: &Path, policy: Option<Box<dyn Policy>>) -> Result<Self, Error> {
        let store = Sqlite::open(&DataFolder::read(data)?)?;
        let mut trust = Trust::default();
        trust.extend(&store.acts(0)?)?;
        Ok(Self { store, trust, policy: policy.unwrap_or_else(|| Box::new(policy::ask_one())) })
    }

    /// The durable state.
    #[must_use]
    pub fn store(&self) -> &Sqlite {
        &self.store
    }

    /// The policy that governs.
    #[must_use]
    pub fn policy(&self) -> &dyn Policy {
        &*self.policy
    }

    /// A request, as an approver sees it.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn request(&self, id: &RequestId) -> Result<Request, Error> {
        request(&self.store, id).map(|(_, request)| request)
    }

    /// The requests that wait for a decision, oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn waiting(&self) -> Result<Vec<Waiting>, Error> {
        waiting(&self.store, self.grounds(), self.now()?)
    }

    /// How a request stands.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn standing(&self, id: &RequestId) -> Result<Waiting, Error> {
        let (key, request) = request(&self.store, id)?;
        standing(&self.store, self.grounds(), key, request, self.now()?)
    }

    fn grounds(&self) -> JudgingContext<'_> {
        JudgingContext { trust: &self.trust, policy: &*self.policy }
    }

    fn now(&self) -> Result<Timestamp, Error> {
        let wall = SystemClock.now();
        Ok(self.store.latest()?.map_or(wall, |latest| latest.max(wall)))
    }
}

/// A request, and the instance that made it.
pub(crate) fn request(store: &dyn Store, id: &RequestId) -> Result<(InstanceKey, Request), Error> {
    let (key, body) = store.request(id)?.ok_or_else(|| Error::NoRequest(id.clone()))?;
    let request = serde_json::from_str(&body).map_err(|error| unreadable(id, &error))?;
    Ok((key, request))
}

/// The same with that instance's journal.
pub(crate) fn request_and_journal(
    store: &dyn Store,
    id: &RequestId,
) -> Result<(InstanceKey, Request, Vec<Fact>), Error> {
    let found = store.request_and_journal(id)?;
    let (key, document, facts) = found.ok_or_else(|| Error::NoRequest(id.clone()))?;
    let request = serde_json::from_value(document).map_err(|error| unreadable(id, &error))?;
    Ok((key, request, facts))
}

fn unreadable(id: &RequestId, error: &serde_json::Error) -> Error {
    Error::Internal(format!("request {id}: {error}"))
}

/// The requests that wait for a decision, oldest first.
pub(crate) fn waiting(
    store: &dyn Store,
    grounds: JudgingContext<'_>,
    at: Timestamp,
) -> Result<Vec<Waiting>, Error> {
    let waiting = store.requests(RequestFilter::Waiting)?.into_iter();
    waiting
        .map(|(key, body, _)| {
            let request: Request =
                serde_json::from_str(&body).map_err(|error| Error::Internal(error.to_string()))?;
            standing(store, grounds, key, request, at)
        })
        .collect()
}

/// How a request stands: what was signed, as far as it counts, and whether there are people to decide it.
pub(crate) fn standing(
    store: &dyn Store,
    grounds: JudgingContext<'_>,
    key: InstanceKey,
    request: Request,
    at: Timestamp,
) -> Result<Waiting, Error> {
    let envelopes = envelopes(&store.facts(Some(&key))?, &request.id)?;
    let count = tally(&request, &envelopes, grounds, at)?.0;
    let shortfalls = match &count.ruling.answer {
        Answer::Ask(ask) if grounds.trust.is_earnest() => {
            let answering = [request.operator.as_ref(), request.submitter.as_ref()];
            let own = |person: &Person| is_own(&request.actor, answering, person.id.as_str());
            shortfalls(ask, grounds.trust, Some(&request.tenant), own, at)
        }
        _ => Vec::new(),
    };
    Ok(Waiting { key, request, count, shortfalls })
}

/// Everything that people have signed about a request, in order, whether it counts or not.
pub(crate) fn envelopes(facts: &[Fact], id: &RequestId) -> Result<Vec<Envelope>, Error> {
    let parse = |text: &String| Envelope::parse(text).map_err(|error| Error::Internal(error.to_string()));
    signatures(facts, id).map(parse).collect()
}

/// The envelopes about a request in a journal, as text.
pub(crate) fn signatures<'a>(facts: &'a [Fact], id: &RequestId) -> impl Iterator<Item = &'a String> {
    facts.iter().filter_map(move |fact| match &fact.entry {
        Entry::Signed { request, envelope, .. } if request == id => Some(envelope),
        _ => None,
    })
}
