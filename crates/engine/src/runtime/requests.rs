//! Requests in the store: one, the waiting ones, and the signed statements about them.

use crate::Error;
use crate::issuer::{AdmittedEnvelope, JudgingContext, Request, tally};
use crate::trust::{Count, Freeze, Judge, Recall, Shortfall, is_own, shortfalls};
use policy::Answer;
use receipt::{Envelope, Person, Timestamp};
use store::{Fact, InstanceKey, RecordedRequest, RequestFilter, RequestWithJournal, Store, StoreError};
use workflow::{Entry, RequestId};

/// A waiting request, and its state.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The instance.
    pub key: InstanceKey,
    /// The request.
    pub request: Request,
    /// The count of its signatures so far.
    pub count: Count,
    /// The freeze that keeps it from being approved.
    pub frozen: Option<Freeze>,
    /// The needs that the people who may decide about it now cannot meet, even if all of them sign. Empty if they
    /// can.
    pub shortfalls: Vec<Shortfall>,
}

impl Waiting {
    /// The present obstacles to its approval, a line of text each.
    pub fn warnings(&self) -> impl Iterator<Item = String> + '_ {
        self.frozen.iter().map(ToString::to_string).chain(self.shortfalls.iter().map(ToString::to_string))
    }
}

/// Looks up which of a request's known digests are still known.
pub(crate) fn recall(recall: &mut Recall<'_>, request: &mut Request) -> Result<(), Error> {
    request.known = recall.known(&request.tenant, request.said_known())?;
    Ok(())
}

/// A request as it was made, and the instance that made it.
pub(crate) fn request(store: &dyn Store, id: &RequestId) -> Result<(InstanceKey, Request), Error> {
    let found = store.request(id).wait()?.ok_or_else(|| Error::NoRequest(id.clone()))?;
    let request = serde_json::from_str(&found.body).map_err(|error| unreadable(id, &error))?;
    Ok((found.key, request))
}

/// The request, with its instance's journal.
pub(crate) fn request_and_journal(
    store: &dyn Store,
    id: &RequestId,
) -> Result<(InstanceKey, Request, Vec<Fact>), Error> {
    let found = store.request_and_journal(id).wait()?;
    let RequestWithJournal { key, document, facts } = found.ok_or_else(|| Error::NoRequest(id.clone()))?;
    let request = serde_json::from_value(document).map_err(|error| unreadable(id, &error))?;
    Ok((key, request, facts))
}

fn unreadable(id: &RequestId, error: &serde_json::Error) -> Error {
    Error::Internal(format!("request {id}: {error}"))
}

/// The requests of these instances that wait for a decision, oldest first. A damaged one is left out and
/// logged, so that the others are listed.
pub(crate) fn waiting(
    store: &dyn Store,
    judge: Judge<'_>,
    meant: impl Fn(&InstanceKey) -> bool,
) -> Result<Vec<Waiting>, Error> {
    let mut known = Recall::new(store, judge);
    let mut found = Vec::new();
    for RecordedRequest { key, body, .. } in store.requests(RequestFilter::Waiting).wait()? {
        if !meant(&key) {
            continue;
        }
        let read = read(&key, &body).and_then(|mut request| {
            recall(&mut known, &mut request)?;
            waiting_request(store, judge, key.clone(), request)
        });
        match read {
            Ok(waiting) => found.push(waiting),
            Err(error) if is_damage(&error) => {
                tracing::error!(instance = %key, %error, "a waiting request cannot be listed");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// A request in a list.
fn read(key: &InstanceKey, body: &str) -> Result<Request, Error> {
    serde_json::from_str(body).map_err(|_| {
        StoreError::Damaged(format!("the waiting request of instance {key} cannot be read")).into()
    })
}

/// Whether an error is about the content of one instance, and not about the store.
fn is_damage(error: &Error) -> bool {
    matches!(error, Error::Store(StoreError::Damaged(_)) | Error::Journal { .. } | Error::Internal(_))
}

/// The state of a request: the count of its signatures, and whether there are people to decide it.
pub(crate) fn waiting_request(
    store: &dyn Store,
    judge: Judge<'_>,
    key: InstanceKey,
    request: Request,
) -> Result<Waiting, Error> {
    let admitted = admitted(&store.facts(Some(&key)).wait()?, &request.id)?;
    let context = JudgingContext { trust: judge.trust, policy: judge.policy };
    let count = tally(&request, &admitted, context, judge.at)?.0;
    let shortfalls = match &count.ruling.answer {
        Answer::Ask(ask) if judge.trust.is_earnest() => {
            let answering = [request.operator.as_ref(), request.submitter.as_ref()];
            let own = |person: &Person| is_own(&request.actor, answering, person.id.as_str());
            shortfalls(ask, judge.trust, Some(&request.tenant), own, judge.at)
        }
        _ => Vec::new(),
    };
    let frozen = judge.trust.freeze_of(&request.tenant).cloned();
    Ok(Waiting { key, request, count, frozen, shortfalls })
}

/// All admitted statements about a request, in order, whether they count or not.
pub(crate) fn admitted(facts: &[Fact], id: &RequestId) -> Result<Vec<AdmittedEnvelope>, Error> {
    let parse = |(at, text): (Timestamp, &String)| match Envelope::parse(text) {
        Ok(envelope) => Ok(AdmittedEnvelope { envelope, at }),
        Err(error) => Err(Error::Internal(error.to_string())),
    };
    signatures(facts, id).map(parse).collect()
}

/// The envelopes about a request in a journal, as text, and when each was admitted.
pub(crate) fn signatures<'a>(
    facts: &'a [Fact],
    id: &RequestId,
) -> impl Iterator<Item = (Timestamp, &'a String)> {
    facts.iter().filter_map(move |fact| match &fact.entry {
        Entry::Signed { request, envelope, .. } if request == id => Some((fact.at, envelope)),
        _ => None,
    })
}
