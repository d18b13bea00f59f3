//! Connections: HTTP/1.1, so many at once, each with a bound on its heads and on how long it may say or take in nothing.

use crate::http::app::{Peer, router};
use crate::http::paced::Paced;
use crate::request::state::State;
use crate::tls::Tls;
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

/// How long to wait after a connection could not be taken: out of descriptors, most likely.
const AGAIN: Duration = Duration::from_millis(10);

/// How long what is under way has to end after the word to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Between two looks whether the certificate's files have changed.
const LOOK: Duration = Duration::from_secs(1);

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

/// Takes up a certificate that was renewed. Where the new files cannot be used, the certificate stays that was in use.
async fn renew_certificate(state: &State) -> Infallible {
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
    state: Arc<State>,
    app: Router,
    place: OwnedSemaphorePermit,
    closing: watch::Receiver<()>,
) {
    let _place = place;
    let _open = state.metrics.connection();
    // Small answers go out at once.
    let _ = stream.set_nodelay(true);
    let stream = Paced::new(stream, state.limits.time);
    match state.tls.as_deref().map(Tls::acceptor) {
        None => answer(stream, peer, &state, app, closing).await,
        Some(acceptor) => {
            let accepted = tokio::time::timeout(state.limits.head_time, acceptor.accept(stream));
            // A caller that does not get as far as a request is told by TLS itself.
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
    state: &State,
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
