//! An instance's facts as server-sent events, starting at any fact. The id of an event is the fact's index in the instance's journal;
//! `Last-Event-ID` resumes after it.

use crate::api::audit::own;
use crate::problem::Problem;
use crate::request::Asked;
use crate::request::state::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use engine::api::{Principal, Query, View};
use engine::limits::http_names;
use futures_util::stream;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use store::{Fact, InstanceKey};
use tokio::sync::watch;
use tokio::time::Instant;

/// How often an idle stream sends a comment, and reads the journal in case a notification was lost.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Facts read in one query.
const AT_ONCE: u32 = 100;

/// Renders a fact as an event.
type Show = fn(&Fact) -> Result<Event, Problem>;

/// A follower of one instance.
struct Follower {
    state: Arc<State>,
    principal: Principal,
    key: InstanceKey,
    /// The index of the next fact.
    next: u64,
    news: watch::Receiver<()>,
    waiting: std::vec::IntoIter<Event>,
    until: Instant,
    show: Show,
    _counted: crate::metrics::Open,
}

pub(crate) fn events(asked: &Asked) -> Result<Response, Problem> {
    let principal = asked.principal()?;
    let key = asked.key(&principal)?;
    follow(asked, principal, key, |fact| {
        let fact_event = Event::default().id(fact.index.to_string()).event("fact");
        fact_event.json_data(own(fact)?).map_err(|error| Problem::internal(&error))
    })
}

/// Follows an instance that the caller may see.
pub(crate) fn follow(
    asked: &Asked,
    principal: Principal,
    key: InstanceKey,
    show: Show,
) -> Result<Response, Problem> {
    let state = Arc::clone(&asked.state);
    // Fails unless the caller may see the instance.
    asked.view(&principal, Query::Facts { key: key.clone(), from: 0, limit: 1 })?;
    if state.host.store().entered(&key).wait().map_err(engine::Error::from)?.is_none() {
        return Err(engine::Error::from(store::StoreError::NoInstance(key.to_string())).into());
    }
    let most = state.limits.followers;
    let counted = state
        .metrics
        .follower(most)
        .ok_or_else(|| Problem::limit(StatusCode::SERVICE_UNAVAILABLE, http_names::FOLLOWERS, most))?;
    let last = asked.headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default().parse::<u64>());
    let next = match last {
        None => asked.query_value::<u64>("from")?.unwrap_or(0),
        Some(Ok(last)) => last.saturating_add(1),
        Some(Err(_)) => return Err(Problem::invalid("Last-Event-ID is not the id of one of these events")),
    };
    let follower = Follower {
        news: state.feed.follow(&key),
        _counted: counted,
        until: Instant::now() + state.limits.follow_time,
        state,
        principal,
        key,
        next,
        waiting: Vec::new().into_iter(),
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
            self.news.mark_unchanged();
            self.read().await?;
            if self.waiting.len() > 0 {
                continue;
            }
            let again = self.until.min(Instant::now() + KEEP_ALIVE);
            match tokio::time::timeout_at(again, self.news.changed()).await {
                // The server is shutting down.
                Ok(Err(_)) => return None,
                Err(_) if Instant::now() >= self.until => return None,
                Err(_) => return Some(Event::default().comment("")),
                Ok(Ok(())) => {}
            }
        }
    }

    /// Reads new facts; `None` if the caller may no longer see the instance, or it was deleted.
    async fn read(&mut self) -> Option<()> {
        let (state, principal, key) = (Arc::clone(&self.state), self.principal.clone(), self.key.clone());
        let (from, show) = (self.next, self.show);
        let read = tokio::task::spawn_blocking(move || {
            let principal = still(&state, principal)?;
            match state.host.view(&principal, Query::Facts { key, from, limit: AT_ONCE }) {
                Ok(View::Facts { facts }) => {
                    let next = facts.last().map_or(from, |fact| fact.index + 1);
                    Some((facts.iter().map(show).collect::<Result<Vec<_>, _>>().ok()?, next))
                }
                _ => None,
            }
        });
        let (events, next) = read.await.ok()??;
        (self.waiting, self.next) = (events.into_iter(), next);
        Some(())
    }
}

/// The caller's present rights: since the stream began, a token may have been revoked or a person removed.
fn still(state: &State, principal: Principal) -> Option<Principal> {
    let trust = state.host.trust().ok()?;
    match &principal {
        Principal::Token(token) => {
            let id = token.id.parse().ok()?;
            let now = engine::Clock::now(&engine::SystemClock);
            trust.token(&id).filter(|token| token.is_good(now)).map(|_| principal)
        }
        Principal::Decider(session) => {
            let person = trust.deciders().person(&session.person);
            person.filter(|person| person.removed_at.is_none()).map(|_| principal)
        }
        Principal::Operator(_) | Principal::Anonymous => Some(principal),
    }
}
