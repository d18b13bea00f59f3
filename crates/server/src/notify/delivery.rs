//! One attempt to deliver a notice.

use crate::net::site::SiteUrl;
use crate::notify::channel::Channel;
use crate::notify::message::Message;
use crate::notify::queue::Pending;
use engine::limits::notify_names;
use engine::{Error, Host};
use std::sync::Arc;
use std::time::Duration;
use store::{SentNotices, StoreError, Write};

/// One attempt to deliver a notice.
pub(crate) struct Delivery {
    pub(crate) host: Host,
    pub(crate) channel: Arc<Channel>,
    pub(crate) site: SiteUrl,
    pub(crate) time: Duration,
}

/// The result of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The channel accepted the notice, and the store has recorded it.
    Delivered,
    /// The request no longer waits, another host has its instance, or the notice is delivered already.
    Needless,
    /// The reason, in one line.
    Failed(String),
}

impl Delivery {
    pub(crate) async fn attempt(&self, pending: &Pending) -> Outcome {
        let outcome = self.try_once(pending).await;
        // A restarted process continues with longer pauses. If this record cannot be written, it starts with the shortest pause again.
        if matches!(outcome, Outcome::Failed(_)) && pending.is_first_attempt() {
            let _ = self.keep(pending, SentNotices::failed(pending.notice)).await;
        }
        outcome
    }

    async fn try_once(&self, pending: &Pending) -> Outcome {
        let times_reopened = match self.needed(pending).await {
            Ok(Some(times)) => times,
            Ok(None) => return Outcome::Needless,
            Err(error) => return Outcome::Failed(error.to_string()),
        };
        let message = match self.host.now() {
            Ok(now) => Message::new(pending, &self.site, now, times_reopened),
            Err(error) => return Outcome::Failed(error.to_string()),
        };
        match tokio::time::timeout(self.time, self.channel.send(&message)).await {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => return Outcome::Failed(problem),
            Err(_) => {
                let seconds = self.time.as_secs();
                return Outcome::Failed(format!(
                    "limit {} reached: at most {seconds} s",
                    notify_names::TIMEOUT_SECONDS
                ));
            }
        }
        match self.keep(pending, SentNotices::delivered(pending.notice)).await {
            Ok(()) => Outcome::Delivered,
            Err(error) => Outcome::Failed(format!(
                "the notice was delivered, but the delivery could not be recorded: {error}"
            )),
        }
    }

    async fn keep(&self, pending: &Pending, marks: SentNotices) -> Result<(), StoreError> {
        let (key, request) = (pending.made.key.clone(), pending.made.request.clone());
        self.host.store().write(Write::Notified { key, request, marks }).await.map(drop)
    }

    /// How often the request was reopened; `None` if the notice is not needed. Reads two rows, however long the journal is.
    async fn needed(&self, pending: &Pending) -> Result<Option<u16>, Error> {
        let (key, store) = (&pending.made.key, self.host.store());
        let Some(request) = store.request(&pending.made.request).await? else { return Ok(None) };
        let is_needed = request.outcome.is_none() && !request.sent.contains(pending.notice);
        if !is_needed || !self.host.drives(key) {
            return Ok(None);
        }
        // A request also ends with its instance.
        let instance = store.entered(key).await?;
        let waits = instance.is_some_and(|instance| !instance.schedule.state.has_ended());
        Ok(waits.then(|| request.sent.times_reopened()))
    }
}
