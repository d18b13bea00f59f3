//! A URL of the operator that each notice is posted to, signed by the Standard Webhooks scheme. An answer 2xx says that the notice is delivered.

use crate::notify::error::NotifyError;
use crate::notify::message::Message;
use crate::notify::secret::Secrets;
use crate::tls;
use axum::body::Bytes;
use axum::http::{Request, Uri, header};
use engine::limits::WebhookSettings;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::fmt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// The names of this machine, to which notices may go in the clear.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// A receiver.
pub(crate) struct Webhook {
    authority: String,
    host: String,
    port: u16,
    /// The path, and the query, which may be a secret of the receiver's.
    target: String,
    secret_file: PathBuf,
    tls: Option<TlsConnector>,
}

impl Webhook {
    /// A receiver whose URL, secrets and certificates can be used.
    pub(crate) fn new(settings: &WebhookSettings) -> Result<Self, NotifyError> {
        let WebhookSettings { url, secret_file, ca_file } = settings;
        let invalid = || NotifyError::Url(workflow::Quoted(url).to_string());
        let uri: Uri = url.parse().map_err(|_| invalid())?;
        let (scheme, authority) = uri.scheme_str().zip(uri.authority()).ok_or_else(invalid)?;
        let is_local = LOCAL.contains(&authority.host());
        let default_port = match scheme {
            "https" => 443,
            "http" if is_local => 80,
            _ => return Err(invalid()),
        };
        if authority.as_str().contains('@') {
            return Err(invalid());
        }
        Secrets::read(secret_file)
            .map_err(|problem| NotifyError::Secret { file: secret_file.clone(), problem })?;
        let tls = (scheme == "https").then(|| tls::connector(ca_file.as_deref())).transpose();
        Ok(Self {
            authority: authority.to_string(),
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(default_port),
            target: uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            secret_file: secret_file.clone(),
            tls: tls.map_err(NotifyError::Tls)?,
        })
    }

    pub(crate) async fn send(&self, message: &Message<'_>) -> Result<(), String> {
        // A secret that is changed counts at once.
        let secrets = Secrets::read(&self.secret_file)
            .map_err(|problem| format!("{}: {problem}", self.secret_file.display()))?;
        let request = self.request(message, &secrets).map_err(|error| error.to_string())?;
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| format!("it cannot be reached: {error}"))?;
        let Some(tls) = &self.tls else { return post(stream, request).await };
        let name = ServerName::try_from(self.host.clone()).map_err(|error| error.to_string())?;
        let stream = tls.connect(name, stream).await;
        post(stream.map_err(|error| format!("it cannot be reached by TLS: {error}"))?, request).await
    }

    fn request(
        &self,
        message: &Message<'_>,
        secrets: &Secrets,
    ) -> Result<Request<Full<Bytes>>, axum::http::Error> {
        let body = message.body();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let timestamp = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        Request::post(&self.target)
            .header(header::HOST, &self.authority)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("pp-host/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close")
            .header("webhook-id", message.id())
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", secrets.sign(message.id(), timestamp, &body))
            .body(Full::new(body.into()))
    }
}

/// Posts, and judges by the status. Neither a redirect is followed nor is the answer's body read.
async fn post(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(), String> {
    let failed = |error: hyper::Error| format!("it gave no answer: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(failed)?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("it answered {}", status.as_u16())),
        }
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = connection => match ended {
            // The answer may be there already.
            Ok(()) => exchange.await,
            Err(error) => Err(failed(error)),
        },
    }
}

impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority)
    }
}
