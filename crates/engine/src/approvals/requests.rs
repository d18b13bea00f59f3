//! Requests in the store: one, those that wait, and the statements that people signed about them.

use crate::Error;
use crate::issuer::{JudgingContext, Request, tally};
use crate::trust::Count;
use receipt::{Envelope, Timestamp};
use store::{Fact, InstanceKey, RequestFilter, Store};
use workflow::{Entry, RequestId};

/// A request that waits, and how it stands.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Whose it is.
    pub key: InstanceKey,
    /// The request.
    pub request: Request,
    /// What has been signed so far, as far as it counts.
    pub count: Count,
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
            let count = count(store, grounds, &key, &request, at)?;
            Ok(Waiting { key, request, count })
        })
        .collect()
}

/// What was signed about a request, as far as it counts.
pub(crate) fn count(
    store: &dyn Store,
    grounds: JudgingContext<'_>,
    key: &InstanceKey,
    request: &Request,
    at: Timestamp,
) -> Result<Count, Error> {
    let envelopes = envelopes(&store.facts(Some(key))?, &request.id)?;
    Ok(tally(request, &envelopes, grounds, at)?.0)
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
