//! A data folder that is looked into, whoever owns it: what waits for a decision, and how it stands by what was said and signed until now.

use crate::issuer::{JudgingContext, Keyring, KeyringError, Request, tally};
use crate::trust::{Count, Judge, Recall, Trust};
use crate::{Clock as _, Error, SystemClock, Waiting};
use policy::Policy;
use receipt::{Envelope, KeySet, Timestamp};
use std::io::ErrorKind;
use std::path::Path;
use store::{Fact, InstanceKey, RequestFilter, Store};
use store_sqlite::{DataFolder, Sqlite};
use workflow::{Entry, RequestId};

/// A data folder, to look into.
pub struct ReadOnlyHost {
    store: Sqlite,
    trust: Trust,
    keys: KeySet,
    policy: Box<dyn Policy>,
}

impl ReadOnlyHost {
    /// Opens a folder under the policy that governs it; none where nobody wrote one.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(data: &Path, policy: Option<Box<dyn Policy>>) -> Result<Self, Error> {
        let folder = DataFolder::read(data)?;
        let store = Sqlite::open(&folder)?;
        let keys = match Keyring::public(&folder.keys()) {
            // Where there are no keys there are no receipts that could make anything known.
            Err(KeyringError::File { error, .. }) if error.kind() == ErrorKind::NotFound => {
                KeySet::new("none")
            }
            keys => keys?,
        };
        let mut trust = Trust::default();
        trust.extend(&store.acts(0)?)?;
        Ok(Self { store, trust, keys, policy: policy.unwrap_or_else(|| Box::new(policy::ask_one())) })
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
        self.asked(id).map(|(_, request)| request)
    }

    /// The requests that wait for a decision, oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn waiting(&self) -> Result<Vec<Waiting>, Error> {
        waiting(&self.store, self.judge()?)
    }

    /// How a request stands.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn standing(&self, id: &RequestId) -> Result<Waiting, Error> {
        let (key, request) = self.asked(id)?;
        let count = count(&self.store, self.judge()?, &key, &request)?;
        Ok(Waiting { key, request, count })
    }

    fn asked(&self, id: &RequestId) -> Result<(InstanceKey, Request), Error> {
        let (key, mut request) = request(&self.store, id)?;
        recall(&mut Recall::new(&self.store, self.judge()?), &mut request)?;
        Ok((key, request))
    }

    fn judge(&self) -> Result<Judge<'_>, Error> {
        Ok(Judge { keys: &self.keys, trust: &self.trust, policy: &*self.policy, at: self.now()? })
    }

    fn now(&self) -> Result<Timestamp, Error> {
        let wall = SystemClock.now();
        Ok(self.store.latest()?.map_or(wall, |latest| latest.max(wall)))
    }
}

/// Looks up what is known still of what a request says was known.
pub(crate) fn recall(recall: &mut Recall<'_>, request: &mut Request) -> Result<(), Error> {
    request.known = recall.known(&request.tenant, request.said_known())?;
    Ok(())
}

/// A request as it was made, and the instance that made it.
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
pub(crate) fn waiting(store: &dyn Store, judge: Judge<'_>) -> Result<Vec<Waiting>, Error> {
    let mut known = Recall::new(store, judge);
    let waiting = store.requests(RequestFilter::Waiting)?.into_iter();
    waiting
        .map(|(key, body, _)| {
            let mut request: Request =
                serde_json::from_str(&body).map_err(|error| Error::Internal(error.to_string()))?;
            recall(&mut known, &mut request)?;
            let count = count(store, judge, &key, &request)?;
            Ok(Waiting { key, request, count })
        })
        .collect()
}

/// What was signed about a request, as far as it counts.
pub(crate) fn count(
    store: &dyn Store,
    judge: Judge<'_>,
    key: &InstanceKey,
    request: &Request,
) -> Result<Count, Error> {
    let envelopes = envelopes(&store.facts(Some(key))?, &request.id)?;
    let grounds = JudgingContext { trust: judge.trust, policy: judge.policy };
    Ok(tally(request, &envelopes, grounds, judge.at)?.0)
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
