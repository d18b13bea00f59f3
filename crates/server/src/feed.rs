//! Notifies followers of new facts. A notification says only that there is something new; followers read facts from the journal. So a
//! follower that is slow, or was away, misses nothing, and costs nothing while its instance does nothing.

use crate::telemetry::metrics::{Facts, Notices};
use receipt::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use store::{Fact, InstanceKey};
use tokio::sync::{mpsc, watch};
use workflow::{Entry, RequestId};

/// Notifications of requests in the channel. Further ones are dropped; the notifier's periodic scan of all requests finds them.
const EVENTS: usize = 1_024;

/// An instance has made a request.
#[derive(Debug, Clone)]
pub(crate) struct RequestMade {
    pub(crate) key: InstanceKey,
    pub(crate) request: RequestId,
    pub(crate) at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// A fact that the feed passes on to the notifier.
#[derive(Debug)]
pub(crate) enum NotifierEvent {
    RequestMade(RequestMade),
    /// An instance was restarted: a request of it may wait again.
    Restarted,
}

/// Receives a host's facts and notifies followers. Pass a clone's [`fact`](Self::fact) to
/// [`Builder::on_fact`](engine::Builder::on_fact).
#[derive(Debug, Clone, Default)]
pub struct Feed(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    followed: Mutex<Followed>,
    events: Mutex<Option<mpsc::Sender<NotifierEvent>>>,
    facts: Facts,
    notices: Notices,
}

#[derive(Debug, Default)]
struct Followed {
    by_instance: HashMap<InstanceKey, watch::Sender<()>>,
    /// The number of instances at which those without followers are removed.
    sweep_at: usize,
}

impl Feed {
    /// Counts a fact and notifies its followers. Never blocks the caller.
    pub fn fact(&self, fact: &Fact) {
        self.0.facts.count(&fact.entry);
        match &fact.entry {
            Entry::Requested { request, expires_at, .. } => {
                let (key, request) = (fact.key.clone(), request.clone());
                self.tell(NotifierEvent::RequestMade(RequestMade {
                    key,
                    request,
                    at: fact.at,
                    expires_at: *expires_at,
                }));
            }
            Entry::Restarted { .. } => self.tell(NotifierEvent::Restarted),
            _ => {}
        }
        let mut followed = self.0.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(followers) = followed.by_instance.get(&fact.key)
            && followers.send(()).is_err()
        {
            followed.by_instance.remove(&fact.key);
        }
    }

    fn tell(&self, events: NotifierEvent) {
        let sender = self.0.events.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = &*sender {
            let _ = sender.try_send(events);
        }
    }

    /// A receiver of every new request and restart from now on. It replaces an earlier receiver.
    pub(crate) fn events(&self) -> mpsc::Receiver<NotifierEvent> {
        let (sender, receiver) = mpsc::channel(EVENTS);
        *self.0.events.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// A receiver that is notified of every new fact of an instance from now on.
    pub(crate) fn follow(&self, key: &InstanceKey) -> watch::Receiver<()> {
        let mut followed = self.0.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if followed.by_instance.len() >= followed.sweep_at {
            followed.by_instance.retain(|_, followers| followers.receiver_count() > 0);
            followed.sweep_at = (followed.by_instance.len() * 2).max(64);
        }
        followed.by_instance.entry(key.clone()).or_insert_with(|| watch::channel(()).0).subscribe()
    }

    /// Ends all following.
    pub(crate) fn close(&self) {
        self.0.followed.lock().unwrap_or_else(PoisonError::into_inner).by_instance.clear();
    }

    /// The notices counted so far.
    pub(crate) fn notices(&self) -> &Notices {
        &self.0.notices
    }

    /// The facts counted so far.
    pub(crate) fn facts(&self) -> &Facts {
        &self.0.facts
    }
}
