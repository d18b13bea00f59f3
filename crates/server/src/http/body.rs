//! Reading a request's body within its bounds: its length, its time, and the memory of all bodies together, the answers' too.

use crate::problem::Problem;
use crate::request::RequestContext;
use crate::request::route::{BodyKind, Method, Reach, Route};
use crate::request::state::AppState;
use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::http::StatusCode;
use axum::response::Response;
use engine::api::Principal;
use engine::limits::http_names;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The first bytes of a body, which do not count: the number of connections bounds them. So a small request never waits for large ones.
const FREE: usize = 4 << 10;

/// Reads the body of a request. Its memory counts until the permit is dropped.
pub(crate) async fn read(
    context: RequestContext,
    kind: BodyKind,
    body: Body,
) -> Result<(RequestContext, Option<OwnedSemaphorePermit>), Problem> {
    let time = context.state.limits.timeout;
    let Ok(read) = tokio::time::timeout(time, collect(context, kind, body)).await else {
        return Err(Problem::limit(
            StatusCode::REQUEST_TIMEOUT,
            http_names::TIMEOUT_SECONDS,
            format_args!("{} s", time.as_secs()),
        ));
    };
    read
}

async fn collect(
    mut context: RequestContext,
    kind: BodyKind,
    body: Body,
) -> Result<(RequestContext, Option<OwnedSemaphorePermit>), Problem> {
    let (name, most) = match kind {
        BodyKind::Component => ("component-bytes", context.state.component_bytes),
        BodyKind::Json | BodyKind::Form => (http_names::BODY_BYTES, size(context.state.limits.body_bytes)),
        // An empty body is ignored.
        BodyKind::None => (http_names::BODY_BYTES, 0),
    };
    let declared = body.size_hint().upper().map_or(usize::MAX, size);
    let mut body = Limited::new(body, most);
    let (mut read, mut memory, mut held) = (Vec::new(), None, None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true if kind == BodyKind::None => Problem::invalid("this request takes no body"),
            true => Problem::limit(StatusCode::PAYLOAD_TOO_LARGE, name, format_args!("{most} bytes")),
            false => Problem::invalid("the body ended early"),
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let needed = read.len() + data.len();
        if needed > read.capacity() {
            if needed > FREE && memory.is_none() {
                let found;
                (context, found) = memory_for(context).await?;
                memory = Some(found);
            }
            let memory = memory.as_ref().unwrap_or(&context.state.bodies);
            let doubled = grown(read.capacity(), needed, declared.min(most));
            let next = first_held(memory, &mut held, read.capacity(), [doubled, needed]);
            let capacity = next.ok_or_else(|| full(&context.state))?;
            read.reserve_exact(capacity - read.len());
        }
        read.extend_from_slice(&data);
    }
    Ok((RequestContext { body: read.into(), ..context }, held))
}

/// The memory for the body of a caller. Anonymous callers have a small part of their own, so that they cannot use up
/// the memory of others.
async fn memory_for(context: RequestContext) -> Result<(RequestContext, Arc<Semaphore>), Problem> {
    let determine = move || {
        let principal = context.principal();
        (context, principal)
    };
    let determined = tokio::task::spawn_blocking(determine).await;
    let (context, principal) = determined.map_err(|error| Problem::internal(&error))?;
    // The route reports an invalid token, if it needs one.
    let memory = match principal {
        Ok(Principal::Anonymous) | Err(_) => &context.state.anonymous_bodies,
        Ok(_) => &context.state.bodies,
    };
    let memory = Arc::clone(memory);
    Ok((context, memory))
}

/// An answer whose memory counts until its last byte is sent. If no memory is left, the answer to a GET is replaced by an error. The
/// answer to another method is sent without being counted, because its handler has changed something. The answers of monitoring are never
/// counted.
pub(crate) async fn counted_until_sent(
    state: &AppState,
    route: &Route,
    answer: Response,
) -> Result<Response, Problem> {
    struct Counted(Bytes, #[expect(dead_code, reason = "dropped with the bytes")] OwnedSemaphorePermit);

    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    // A stream of events has no length, and its own bound.
    let bytes = answer.body().size_hint().exact().map_or(0, size);
    if counted(bytes) == 0 || route.reach == Reach::Any {
        return Ok(answer);
    }
    // If an answer is longer than the memory for all bodies, only that much counts, so that it can be sent at all.
    let most = state.limits.body_memory_bytes.min(u32::MAX.into());
    let permits =
        u32::try_from(most).unwrap_or(u32::MAX).min(u32::try_from(counted(bytes)).unwrap_or(u32::MAX));
    let permit = match Arc::clone(&state.bodies).try_acquire_many_owned(permits) {
        Ok(permit) => permit,
        Err(_) if route.method == Method::Get => return Err(full(state)),
        Err(_) => return Ok(answer),
    };
    let (parts, body) = answer.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.map_err(|error| Problem::internal(&error))?;
    Ok(Response::from_parts(parts, Body::from(Bytes::from_owner(Counted(bytes, permit)))))
}

/// The capacity of a buffer that needs more: at least doubled, so that a body is copied few times, but no more than the whole
/// body needs.
fn grown(capacity: usize, needed: usize, whole: usize) -> usize {
    capacity.saturating_mul(2).max(FREE).min(whole).max(needed)
}

/// The bytes of a buffer that count. A buffer takes its capacity in memory, whatever its length.
fn counted(capacity: usize) -> usize {
    capacity.saturating_sub(FREE)
}

/// Counts the bytes of a larger buffer, of the first of these capacities that memory is left for: doubling saves copies,
/// and may take more memory than is left.
fn first_held(
    bodies: &Arc<Semaphore>,
    held: &mut Option<OwnedSemaphorePermit>,
    capacity: usize,
    larger: [usize; 2],
) -> Option<usize> {
    larger.into_iter().find(|larger| hold(bodies, held, counted(*larger) - counted(capacity)))
}

/// Counts more bytes of a body. False if all bodies together would have too many.
fn hold(bodies: &Arc<Semaphore>, held: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> bool {
    let more = u32::try_from(bytes).ok();
    let more = more.and_then(|bytes| Arc::clone(bodies).try_acquire_many_owned(bytes).ok());
    let Some(more) = more else { return false };
    match held {
        Some(held) => held.merge(more),
        None => *held = Some(more),
    }
    true
}

fn full(state: &AppState) -> Problem {
    let most = format_args!("{} bytes", state.limits.body_memory_bytes);
    Problem::limit(StatusCode::SERVICE_UNAVAILABLE, http_names::BODY_MEMORY_BYTES, most)
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_grows_to_what_the_whole_body_needs_and_no_further() {
        let grow = |whole: usize| {
            let mut capacities = vec![0];
            let mut needed = 1_000;
            while needed <= whole {
                let last = *capacities.last().unwrap();
                if needed > last {
                    capacities.push(grown(last, needed, whole));
                }
                needed += 1_000;
            }
            capacities
        };
        assert_eq!(grow(3_000), [0, 3_000]);
        assert_eq!(grow(20_000), [0, 4_096, 8_192, 16_384, 20_000]);
        assert_eq!(grown(0, 9_000, 20_000), 9_000, "a part that is longer than the doubled buffer");
        assert_eq!([counted(0), counted(FREE), counted(20_000)], [0, 0, 20_000 - FREE]);
    }
    #[test]
    fn a_buffer_grows_to_what_it_needs_where_no_memory_is_left_to_double_it() {
        let (bodies, mut held) = (Arc::new(Semaphore::new(10_000)), None);
        let mut next = |capacity, larger| first_held(&bodies, &mut held, capacity, larger);
        assert_eq!(next(0, [FREE + 6_000, 5_000]), Some(FREE + 6_000));
        assert_eq!(next(FREE + 6_000, [FREE + 12_000, FREE + 9_000]), Some(FREE + 9_000));
        assert_eq!(next(FREE + 9_000, [FREE + 18_000, FREE + 10_001]), None);
        assert_eq!((bodies.available_permits(), held.map(|held| held.num_permits())), (1_000, Some(9_000)));
    }
}
