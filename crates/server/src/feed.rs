//! Facts, to those who follow them: a word that there is something new, and never the fact itself, which is read from the journal. So a
//! follower that is slow, or was away, misses nothing, and costs nothing while its instance does nothing.

use crate::metrics::{Facts, Notices};
use receipt::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use store::{Fact, InstanceKey};
use tokio::sync::{mpsc, watch};
use workflow::{Entry, RequestId};

/// Requests whose word waits to be taken up. Beyond them, a look at all requests finds what was left out.
const ASKED: usize = 1_024;

/// The word that an instance asks for a decision.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) key: InstanceKey,
    pub(crate) request: RequestId,
    pub(crate) at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// A fact that the feed passes on to the notifier.
#[derive(Debug)]
pub(crate) enum News {
    Asked(Asked),
    /// An instance was restarted: a request of it may wait again.
    Restarted,
}

/// Where a host tells its facts, and followers hear of them. Hand a clone's [`fact`](Self::fact) to
/// [`Builder::observe`](engine::Builder::observe).
#[derive(Debug, Clone, Default)]
pub struct Feed(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    followed: Mutex<Followed>,
    news: Mutex<Option<mpsc::Sender<News>>>,
    facts: Facts,
    notices: Notices,
}

#[derive(Debug, Default)]
struct Followed {
    by_instance: HashMap<InstanceKey, watch::Sender<()>>,
    /// At how many of them to look again for those that no follower is left of.
    sweep_at: usize,
}

impl Feed {
    /// Takes note of a fact. Keeps no caller waiting.
    pub fn fact(&self, fact: &Fact) {
        self.0.facts.count(&fact.entry);
        match &fact.entry {
            Entry::Requested { request, expires_at, .. } => {
                let (key, request) = (fact.key.clone(), request.clone());
                self.tell(News::Asked(Asked { key, request, at: fact.at, expires_at: *expires_at }));
            }
            Entry::Restarted { .. } => self.tell(News::Restarted),
            _ => {}
        }
        let mut followed = self.0.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(followers) = followed.by_instance.get(&fact.key)
            && followers.send(()).is_err()
        {
            followed.by_instance.remove(&fact.key);
        }
    }

    fn tell(&self, news: News) {
        let sender = self.0.news.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = &*sender {
            let _ = sender.try_send(news);
        }
    }

    /// A word for every new request and every restart from now on, to the last one who asked for them.
    pub(crate) fn news(&self) -> mpsc::Receiver<News> {
        let (sender, receiver) = mpsc::channel(ASKED);
        *self.0.news.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// A word for every new fact of an instance from now on.
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
