//! Requests of this server to the operator's receivers: one connection for each, with TLS for `https://`. No redirect is followed.

use crate::net::tls;
use axum::body::Bytes;
use axum::http::{Request, StatusCode, Uri, header, request};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::fmt;
use std::path::Path;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// The names of this machine, to which requests may go without TLS.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// A receiver of requests.
pub(crate) struct Receiver {
    authority: String,
    host: String,
    port: u16,
    /// The path and the query, which may contain a secret of the receiver's.
    target: String,
    tls: Option<TlsConnector>,
}

/// Why a receiver cannot be used.
pub(crate) enum ReceiverError {
    Url,
    Tls(String),
}

impl Receiver {
    /// Parses a URL: `https://`, or `http://` on this machine. `ca_file` has the trusted roots; without it the system's are
    /// trusted.
    pub(crate) fn new(url: &str, ca_file: Option<&Path>) -> Result<Self, ReceiverError> {
        let uri: Uri = url.parse().map_err(|_| ReceiverError::Url)?;
        let (scheme, authority) = uri.scheme_str().zip(uri.authority()).ok_or(ReceiverError::Url)?;
        let is_local = LOCAL.contains(&authority.host());
        let default_port = match scheme {
            "https" => 443,
            "http" if is_local => 80,
            _ => return Err(ReceiverError::Url),
        };
        if authority.as_str().contains('@') {
            return Err(ReceiverError::Url);
        }
        let tls = (scheme == "https").then(|| tls::connector(ca_file)).transpose();
        Ok(Self {
            authority: authority.to_string(),
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(default_port),
            target: uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            tls: tls.map_err(ReceiverError::Tls)?,
        })
    }

    /// A builder with the target and the usual headers set.
    pub(crate) fn request(&self) -> request::Builder {
        Request::post(&self.target)
            .header(header::HOST, &self.authority)
            .header(header::USER_AGENT, concat!("pp-host/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close")
    }

    /// Sends a request and returns the status of the answer. An error is one line for the operator.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<StatusCode, String> {
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| format!("it cannot be reached: {error}"))?;
        let Some(tls) = &self.tls else { return exchange(stream, request).await };
        let name = ServerName::try_from(self.host.clone()).map_err(|error| error.to_string())?;
        let stream = tls.connect(name, stream).await;
        exchange(stream.map_err(|error| format!("it cannot be reached by TLS: {error}"))?, request).await
    }
}

/// Sends the request and reads the status. The answer's body is not read.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<StatusCode, String> {
    let failed = |error: hyper::Error| format!("it gave no answer: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let exchange = async { Ok(sender.send_request(request).await.map_err(failed)?.status()) };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = connection => match ended {
            // The server closed the connection, perhaps after it had sent the answer.
            Ok(()) => exchange.await,
            Err(error) => Err(failed(error)),
        },
    }
}

/// The receiver's host, without the path, which may be a secret.
impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority)
    }
}
