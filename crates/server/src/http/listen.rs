//! Connections: HTTP/1.1, a bounded number, each with bounds on heads and on the time without progress in either direction.

use crate::http::app::{Peer, router};
use crate::http::timed_stream::TimedStream;
use crate::net::tls::Tls;
use crate::request::state::AppState;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt as _;

/// The pause after `accept` fails, most likely because the process has no descriptors left.
const AGAIN: Duration = Duration::from_millis(10);

/// The time that requests in progress have to end after `stop`.
const GRACE: Duration = Duration::from_secs(5);

/// The interval at which the certificate's files are checked for changes.
const LOOK: Duration = Duration::from_secs(1);

/// The most headers of one request. Browsers send about twenty.
const HEADERS: usize = 100;

/// The smallest read buffer that hyper accepts. A head has to fit into the buffer.
const LEAST_BUFFER: usize = 8 << 10;

/// Accepts connections until `stop` completes.
pub(crate) async fn run(listener: TcpListener, state: Arc<AppState>, stop: impl Future<Output = ()>) {
    let most = usize::try_from(state.limits.connections).unwrap_or(usize::MAX);
    let places = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    let app = router(&state);
    let (closing, closed) = watch::channel(());
    let renewed = renew_certificate(&state);
    tokio::pin!(stop, renewed);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            never = &mut renewed => match never {},
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        // An answer would cost as much as serving the connection, so it is closed without one.
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

/// Loads a renewed certificate. If the new files cannot be used, the certificate in use stays.
async fn renew_certificate(state: &AppState) -> Infallible {
    let Some(tls) = &state.tls else { return std::future::pending().await };
    loop {
        tokio::time::sleep(LOOK).await;
        let tls = Arc::clone(tls);
        match tokio::task::spawn_blocking(move || tls.reload()).await {
            Ok(Ok(true)) => (state.problems)("the certificate was renewed"),
            Ok(Err(error)) => (state.problems)(&format!(
                "cannot renew the certificate: {error} (the one before stays in use)"
            )),
            Ok(Ok(false)) | Err(_) => {}
        }
    }
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    state: Arc<AppState>,
    app: Router,
    place: OwnedSemaphorePermit,
    closing: watch::Receiver<()>,
) {
    let _place = place;
    let _open = state.metrics.connection();
    // Sends small answers without delay.
    let _ = stream.set_nodelay(true);
    let stream = TimedStream::new(stream, state.limits.timeout);
    match state.tls.as_deref().map(Tls::acceptor) {
        None => answer(stream, peer, &state, app, closing).await,
        Some(acceptor) => {
            let accepted = tokio::time::timeout(state.limits.head_timeout, acceptor.accept(stream));
            // TLS itself reports a failed handshake to the caller.
            if let Ok(Ok(stream)) = accepted.await {
                answer(stream, peer, &state, app, closing).await;
            }
        }
    }
}

/// Answers the requests of one connection.
async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    state: &AppState,
    app: Router,
    mut closing: watch::Receiver<()>,
) {
    let limits = &state.limits;
    let head = usize::try_from(limits.head_bytes).unwrap_or(usize::MAX).max(LEAST_BUFFER);
    let stream = TokioIo::new(stream);
    let service = app.map_request(move |mut request: hyper::Request<_>| {
        request.extensions_mut().insert(Peer(peer));
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(head)
        .max_headers(HEADERS)
        .serve_connection(stream, TowerToHyperService::new(service));
    tokio::pin!(connection);
    tokio::select! {
        // A caller that disconnects or violates the protocol gets no further answer.
        _ = &mut connection => return,
        _ = closing.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
