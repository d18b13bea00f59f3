//! Notices to people: a request waits, a request lapses soon. A notice has ids and a link, and nothing that a guest wrote.
//!
//! ```text
//! fact: requested ─┐
//! scan of requests ──► queue ─► channel: command | webhook ─► the store records the delivery with the request
//! ```
//!
//! The notices to send follow from the waiting requests and the deliveries recorded for each, so no crash loses a notice, and each is delivered at
//! least once. Tasks of their own send notices: neither a drive nor a decision waits for them.

mod channel;
mod command;
mod delivery;
mod error;
mod message;
mod queue;
mod secret;
mod webhook;

use crate::feed::{Feed, NotifierEvent, RequestMade};
use crate::net::site::SiteUrl;
use crate::notify::channel::Channel;
use crate::notify::delivery::{Delivery, Outcome};
use crate::notify::queue::{Pending, Queue};
use engine::Host;
use engine::limits::{NotifyLimits, NotifySettings};
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use store::{Notice, NoticeChannel, RecordedRequest, RequestFilter, SentNotices, StoreError};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use tokio::time::Instant;
use workflow::RequestId;

pub use error::NotifyError;

/// The interval between scans of all waiting requests. They find the requests of shards that this host took over, and
/// the requests that it was not notified of.
const LOOK: Duration = Duration::from_secs(30);

/// The time that deliveries in progress have to end after `stop`.
const GRACE: Duration = Duration::from_secs(2);

/// Called with the reason why notices are not delivered, one line each.
type Problems = Arc<dyn Fn(&str) + Send + Sync>;

/// Sends notices of a host's requests.
pub struct Notifier {
    host: Host,
    feed: Feed,
    events: Receiver<NotifierEvent>,
    channels: Vec<Arc<Channel>>,
    site: SiteUrl,
    remind_before: Duration,
    limits: NotifyLimits,
    problems: Problems,
    queue: Queue,
    deliveries: JoinSet<(Pending, Outcome)>,
    /// Channels whose last delivery failed. The operator gets one message about each.
    failing: HashSet<NoticeChannel>,
}

impl Notifier {
    /// Sends notices of the requests of `host`, whose facts `feed` observes, with links to the page at `site`.
    ///
    /// # Errors
    /// When a channel's settings cannot be used.
    pub fn new(
        host: Host,
        feed: Feed,
        settings: &NotifySettings,
        limits: NotifyLimits,
        site: SiteUrl,
        problems: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, NotifyError> {
        Ok(Self {
            events: feed.events(),
            channels: Channel::all(settings)?.into_iter().map(Arc::new).collect(),
            remind_before: settings.remind_before,
            problems: Arc::new(problems),
            queue: Queue::default(),
            deliveries: JoinSet::new(),
            failing: HashSet::new(),
            host,
            feed,
            site,
            limits,
        })
    }

    /// Sends until `stop` completes. Needs a Tokio runtime with IO and time.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = self.send() => {}
            () = stop => {}
        }
        let ended = async {
            while let Some(ended) = self.deliveries.join_next().await {
                if let Ok((pending, outcome)) = ended {
                    self.end(pending, outcome);
                }
            }
        };
        let _ = tokio::time::timeout(GRACE, ended).await;
    }

    async fn send(&mut self) {
        let mut look_at = Instant::now();
        loop {
            if Instant::now() >= look_at {
                // One scan covers all restarts before it.
                while let Ok(event) = self.events.try_recv() {
                    if let NotifierEvent::RequestMade(made) = event {
                        self.request_made(made);
                    }
                }
                if let Err(error) = self.look().await {
                    (self.problems)(&format!(
                        "cannot look for requests to notify of: {error} (it is tried again)"
                    ));
                }
                look_at = Instant::now() + LOOK;
            }
            self.begin();
            let next = self.queue.next_due().map_or(look_at, |due| due.min(look_at));
            tokio::select! {
                Some(event) = self.events.recv() => match event {
                    NotifierEvent::RequestMade(made) => self.request_made(made),
                    NotifierEvent::Restarted => look_at = Instant::now(),
                },
                Some(Ok((pending, outcome))) = self.deliveries.join_next() => self.end(pending, outcome),
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// Scans all waiting requests, and removes from the queue those that no longer wait.
    async fn look(&mut self) -> Result<(), StoreError> {
        let waiting = self.host.store().requests(RequestFilter::Waiting).await?;
        let mut open = HashSet::new();
        for request in &waiting {
            if !self.host.drives(&request.key) {
                continue;
            }
            // A damaged request is reported where requests are listed.
            let Ok(made) = of(request) else { continue };
            open.insert(made.request.clone());
            self.plan(&made, request.sent);
        }
        self.queue.keep(|pending| open.contains(&pending.made.request));
        self.feed.notices().waiting(self.queue.len());
        Ok(())
    }

    fn request_made(&mut self, made: RequestMade) {
        if self.host.drives(&made.key) {
            self.plan(&made, SentNotices::default());
        }
    }

    /// Adds a request's undelivered notices to the queue.
    fn plan(&mut self, made: &RequestMade, sent: SentNotices) {
        // If the clock cannot be read, the next scan tries again.
        let Ok(now) = self.host.now() else { return };
        for channel in &self.channels {
            for pending in Pending::of(made, channel.kind(), self.remind_before) {
                match pending.notice {
                    notice if sent.contains(notice) => {}
                    notice if sent.has_failed(notice) => {
                        self.queue.add(pending.resumed(now, self.limits.max_backoff), now);
                    }
                    _ => self.queue.add(pending, now),
                }
            }
        }
    }

    /// Starts due deliveries, within the bound of each channel.
    fn begin(&mut self) {
        for channel in &self.channels {
            while let Some(pending) = self.queue.take_due(channel.kind(), self.limits.concurrency) {
                let delivery = Delivery {
                    host: self.host.clone(),
                    channel: Arc::clone(channel),
                    site: self.site.clone(),
                    time: self.limits.timeout,
                };
                self.deliveries.spawn(async move {
                    let outcome = delivery.attempt(&pending).await;
                    (pending, outcome)
                });
            }
        }
    }

    fn end(&mut self, pending: Pending, outcome: Outcome) {
        let kind = pending.notice.channel;
        log(&pending, &outcome);
        match outcome {
            Outcome::Delivered => {
                self.feed.notices().delivered(kind);
                self.failing.remove(&kind);
                self.queue.done(&pending);
            }
            Outcome::Needless => self.queue.done(&pending),
            Outcome::Failed(problem) => {
                self.feed.notices().failed(kind);
                if self.failing.insert(kind) {
                    let channel = self.channels.iter().find(|channel| channel.kind() == kind);
                    let channel = channel.map(ToString::to_string).unwrap_or_default();
                    (self.problems)(&format!(
                        "cannot notify by {channel}: {problem} (it is tried again until the request is decided)"
                    ));
                }
                self.queue.requeue(pending, self.limits.max_backoff);
            }
        }
        self.feed.notices().waiting(self.queue.len());
    }
}

/// The fields of a recorded request that a notice needs.
fn of(request: &RecordedRequest) -> Result<RequestMade, serde_json::Error> {
    #[derive(Deserialize)]
    struct Document {
        id: RequestId,
        created_at: receipt::Timestamp,
        expires_at: receipt::Timestamp,
    }
    let Document { id, created_at, expires_at } = serde_json::from_str(&request.body)?;
    Ok(RequestMade { key: request.key.clone(), request: id, at: created_at, expires_at })
}

/// A failure is logged each time; the operator gets one message.
fn log(pending: &Pending, outcome: &Outcome) {
    let (RequestMade { key, request, .. }, Notice { kind, channel }) = (&pending.made, pending.notice);
    let (tenant, instance) = (&key.tenant, &key.instance);
    match outcome {
        Outcome::Failed(problem) => {
            tracing::info!(%tenant, %instance, %request, ?kind, ?channel, problem, "a notice failed");
        }
        _ => tracing::debug!(%tenant, %instance, %request, ?kind, ?channel, ?outcome, "a notice ended"),
    }
}
