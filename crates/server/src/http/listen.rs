//! Connections: HTTP/1.1, so many at once, each with a bound on its heads and on how long it may say or take in nothing.

use crate::http::app::{Peer, router};
use crate::http::paced::Paced;
use crate::request::state::State;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt as _;

/// How long to wait after a connection could not be taken: out of descriptors, most likely.
const AGAIN: Duration = Duration::from_millis(10);

/// How long what is under way has to end after the word to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Headers of one request. Browsers send some twenty.
const HEADERS: usize = 100;

/// Hyper reads no head that is larger than its buffer, whose least size this is.
const LEAST_BUFFER: usize = 8 << 10;

/// Takes connections until `stop` comes.
pub(crate) async fn run(listener: TcpListener, state: Arc<State>, stop: impl Future<Output = ()>) {
    let most = usize::try_from(state.limits.connections).unwrap_or(usize::MAX);
    let places = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    let app = router(&state);
    let (closing, closed) = watch::channel(());
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        // There is no answer that would cost less than the connection.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            state.metrics.refused_connection();
            continue;
        };
        tokio::spawn(serve(stream, peer, Arc::clone(&state), app.clone(), place, closed.clone()));
    }
    drop(listener);
    drop(closed);
    state.feed.close();
    let _ = closing.send(());
    let _ = tokio::time::timeout(GRACE, closing.closed()).await;
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    state: Arc<State>,
    app: Router,
    place: OwnedSemaphorePermit,
    mut closing: watch::Receiver<()>,
) {
    let _place = place;
    let _open = state.metrics.connection();
    // Small answers go out at once.
    let _ = stream.set_nodelay(true);
    let limits = &state.limits;
    let head = usize::try_from(limits.head_bytes).unwrap_or(usize::MAX).max(LEAST_BUFFER);
    let stream = TokioIo::new(Paced::new(stream, limits.time));
    let service = app.map_request(move |mut request: hyper::Request<_>| {
        request.extensions_mut().insert(Peer(peer));
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(head)
        .max_headers(HEADERS)
        .serve_connection(stream, TowerToHyperService::new(service));
    tokio::pin!(connection);
    tokio::select! {
        // A caller that breaks off, or breaks the protocol, has been answered as far as that goes.
        _ = &mut connection => return,
        _ = closing.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
