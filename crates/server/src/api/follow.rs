//! An instance's facts as server-sent events, starting at any fact. The id of an event is the fact's index in the instance's journal;
//! `Last-Event-ID` resumes after it.

use crate::api::audit::own;
use crate::problem::Problem;
use crate::request::RequestContext;
use crate::request::state::AppState;
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use engine::api::{Principal, Query, View};
use engine::limits::http_names;
use futures_util::stream;
use receipt::Scope;
use serde_json::Value;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use store::{Fact, InstanceKey};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

/// How often an idle stream sends a comment, and reads the journal in case a notification was lost.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Facts read in one query.
const AT_ONCE: u32 = 100;

/// Bytes of events that a follower holds until its caller has read them. It holds one event even if that is longer.
const HELD: usize = 256 << 10;

/// Bytes that each follower may hold in any case: the number of followers bounds their sum.
const FREE: usize = 4 << 10;

/// An event, and the length of its data.
type RenderedEvent = (Event, usize);

/// Renders a fact as an event.
type RenderEvent = fn(&Fact) -> Result<RenderedEvent, Problem>;

/// A follower of one instance.
struct Follower {
    state: Arc<AppState>,
    principal: Principal,
    /// The secret of a person's session.
    session: Option<String>,
    key: InstanceKey,
    /// The index of the next fact.
    next: u64,
    news: watch::Receiver<()>,
    waiting: std::vec::IntoIter<Event>,
    /// The permit for the bytes of the queued events and of the last sent event, which the connection may still buffer.
    held: Option<OwnedSemaphorePermit>,
    /// Bytes for which there was no room: the follower waits for them before it reads again.
    wanted: u32,
    until: Instant,
    show: RenderEvent,
    _counted: crate::telemetry::metrics::GaugeGuard,
}

pub(crate) fn events(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let key = context.key(&principal)?;
    follow(context, principal, key, |fact| shown(fact, &own(fact)?))
}

/// The event of a fact.
pub(crate) fn shown(fact: &Fact, data: &Value) -> Result<RenderedEvent, Problem> {
    let data = serde_json::to_string(data).map_err(|error| Problem::internal(&error))?;
    let length = data.len();
    Ok((Event::default().id(fact.index.to_string()).event("fact").data(data), length))
}

/// Follows an instance that the caller may see.
pub(crate) fn follow(
    context: &RequestContext,
    principal: Principal,
    key: InstanceKey,
    show: RenderEvent,
) -> Result<Response, Problem> {
    let state = Arc::clone(&context.state);
    // Fails unless the caller may see the instance.
    context.view(&principal, Query::Facts { key: key.clone(), from: 0, limit: 1 })?;
    if state.host.store().entered(&key).wait().map_err(engine::Error::from)?.is_none() {
        return Err(engine::Error::from(store::StoreError::NoInstance(key.to_string())).into());
    }
    let most = state.limits.followers;
    let counted = state
        .metrics
        .follower(most)
        .ok_or_else(|| Problem::limit(StatusCode::SERVICE_UNAVAILABLE, http_names::FOLLOWERS, most))?;
    let last = context.headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default().parse::<u64>());
    let next = match last {
        None => context.query_value::<u64>("from")?.unwrap_or(0),
        Some(Ok(last)) => last.saturating_add(1),
        Some(Err(_)) => return Err(Problem::invalid("Last-Event-ID is not the id of one of these events")),
    };
    let follower = Follower {
        news: state.feed.follow(&key),
        _counted: counted,
        until: Instant::now() + state.limits.stream_time,
        state,
        session: context.cookie(),
        principal,
        key,
        next,
        waiting: Vec::new().into_iter(),
        held: None,
        wanted: 0,
        show,
    };
    let events = stream::unfold(follower, |mut follower| async {
        let event = follower.event().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    Ok(Sse::new(events).into_response())
}

impl Follower {
    /// The next event; `None` ends the stream.
    async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.next() {
                return Some(event);
            }
            if Instant::now() >= self.until {
                return None;
            }
            self.held = None;
            let again = self.until.min(Instant::now() + KEEP_ALIVE);
            if self.wanted > 0 {
                let room = Arc::clone(&self.state.unread_events).acquire_many_owned(self.wanted);
                match tokio::time::timeout_at(again, room).await {
                    Ok(room) => self.held = Some(room.ok()?),
                    Err(_) => return Some(Event::default().comment("")),
                }
            }
            self.news.mark_unchanged();
            self.read().await?;
            if self.waiting.len() > 0 || self.wanted > 0 {
                continue;
            }
            match tokio::time::timeout_at(again, self.news.changed()).await {
                // The server is shutting down.
                Ok(Err(_)) => return None,
                Err(_) if Instant::now() >= self.until => return None,
                Err(_) => return Some(Event::default().comment("")),
                Ok(Ok(())) => {}
            }
        }
    }

    /// Reads new facts; `None` if the caller may no longer see the instance, or it was deleted. If there is no room
    /// for them, it keeps none and says in `wanted` how many bytes they take.
    async fn read(&mut self) -> Option<()> {
        let (state, principal, key) = (Arc::clone(&self.state), self.principal.clone(), self.key.clone());
        let (session, from, show) = (self.session.clone(), self.next, self.show);
        // However many followers there are, few read at the same time.
        let turn = Arc::clone(&self.state.follower_reads).acquire_owned().await.ok()?;
        let read = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let principal = still(&state, principal, session.as_deref())?;
            match state.host.view(&principal, Query::Facts { key, from, limit: AT_ONCE }) {
                Ok(View::Facts { facts }) => Batch::of(&facts, from, show),
                _ => None,
            }
        });
        let Batch { events, bytes, next } = read.await.ok()??;
        let most = u32::try_from(self.state.limits.body_memory_bytes).unwrap_or(u32::MAX);
        let counted = u32::try_from(bytes.saturating_sub(FREE)).unwrap_or(u32::MAX).min(most);
        let room = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        self.wanted = 0;
        if room < counted as usize {
            match Arc::clone(&self.state.unread_events).try_acquire_many_owned(counted) {
                Ok(held) => self.held = Some(held),
                Err(_) => {
                    self.wanted = counted;
                    return Some(());
                }
            }
        }
        (self.waiting, self.next) = (events.into_iter(), next);
        Some(())
    }
}

/// The events of the first facts, as many as a follower may hold.
struct Batch {
    events: Vec<Event>,
    bytes: usize,
    /// The index of the next fact.
    next: u64,
}

impl Batch {
    fn of(facts: &[Fact], next: u64, show: RenderEvent) -> Option<Self> {
        let mut batch = Self { events: Vec::new(), bytes: 0, next };
        for fact in facts {
            let (event, length) = show(fact).ok()?;
            if !batch.events.is_empty() && batch.bytes + length > HELD {
                break;
            }
            batch.bytes += length;
            batch.events.push(event);
            batch.next = fact.index + 1;
        }
        Some(batch)
    }
}

/// The caller's present rights: since the stream began, a token may have been revoked, a session or the demonstration may have ended.
fn still(state: &AppState, principal: Principal, session: Option<&str>) -> Option<Principal> {
    match &principal {
        Principal::Token(token) => {
            let id = token.id.parse().ok()?;
            let now = engine::Clock::now(&engine::SystemClock);
            let trust = state.host.trust().ok()?;
            trust.token(&id).filter(|token| token.is_good(now)).map(|_| principal)
        }
        Principal::Decider(_) => state.session(session?).ok()?.map(Principal::Decider),
        // Only a demonstration has operators as callers.
        Principal::Operator(_) => (state.host.scope().ok()? == Scope::Demo).then_some(principal),
        Principal::Anonymous => Some(principal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use receipt::Timestamp;
    use workflow::Entry;

    fn fact(index: u64, bytes: usize) -> Fact {
        let key = InstanceKey { tenant: "acme".parse().unwrap(), instance: "one".parse().unwrap() };
        let entry = Entry::Completed { output: "x".repeat(bytes) };
        Fact { seq: index + 1, at: Timestamp::from_millis(0), key, index, entry }
    }

    fn show(fact: &Fact) -> Result<RenderedEvent, Problem> {
        shown(fact, &own(fact)?)
    }

    fn held(facts: &[Fact]) -> (usize, u64) {
        let batch = Batch::of(facts, 7, show).unwrap();
        (batch.events.len(), batch.next)
    }

    #[test]
    fn a_follower_holds_few_bytes_and_at_least_one_event() {
        assert_eq!(held(&[]), (0, 7));
        let small: Vec<_> = (7..23).map(|index| fact(index, 10)).collect();
        assert_eq!(held(&small), (16, 23), "all of a query's");
        let medium: Vec<_> = (7..23).map(|index| fact(index, HELD / 3)).collect();
        assert_eq!(held(&medium), (2, 9), "the rest is read later");
        let large: Vec<_> = (7..9).map(|index| fact(index, 1 << 20)).collect();
        assert_eq!(held(&large), (1, 8));
    }
}
