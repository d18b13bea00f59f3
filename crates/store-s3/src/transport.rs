//! Requests to object storage: one connection for each, TLS by rustls if the URL says so. No redirect is followed, and no proxy is used.

use async_trait::async_trait;
use http_body_util::{BodyExt as _, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Response, Uri};
use hyper_util::rt::TokioIo;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The time limit for connecting, TLS included.
const CONNECT: Duration = Duration::from_secs(5);

/// The time limit for the rest of an exchange, enough for the largest artifact over a slow network.
const EXCHANGE: Duration = Duration::from_secs(300);

/// The longest answer that is read, longer than any artifact.
const LONGEST: usize = 1 << 30;

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Transport(TlsConnector);

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

impl Transport {
    /// A client with the system's root certificates, or those of `SSL_CERT_FILE`.
    pub(crate) fn new() -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        // A certificate that cannot be used is ignored: many systems have some.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    async fn exchange(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let uri = request.uri().clone();
        let authority = uri.authority().ok_or_else(|| nowhere(&uri))?;
        let is_tls = uri.scheme_str() == Some("https");
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let named = HeaderValue::from_str(authority.as_str()).map_err(|_| nowhere(&uri))?;
        request.headers_mut().entry(HOST).or_insert(named);
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        *request.uri_mut() = target.parse().map_err(|_| nowhere(&uri))?;
        let connect = async {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            if !is_tls {
                return Ok((stream, None));
            }
            Ok::<_, io::Error>((stream, Some(ServerName::try_from(host.clone()).map_err(io::Error::other)?)))
        };
        let refused = |error: io::Error| HttpError::new(HttpErrorKind::Connect, error);
        let late = |_| HttpError::new(HttpErrorKind::Connect, io::Error::from(io::ErrorKind::TimedOut));
        let connect = async {
            Ok(match connect.await? {
                (stream, None) => Box::new(stream) as Box<dyn Stream>,
                (stream, Some(name)) => Box::new(self.0.connect(name, stream).await?),
            })
        };
        let stream = timeout(CONNECT, connect).await.map_err(late)?.map_err(refused)?;
        timeout(EXCHANGE, send(stream, request))
            .await
            .map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?
    }
}

/// A connection, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The URL without the query, which may have a token.
fn nowhere(uri: &Uri) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, io::Error::other(format!("{} names no host", uri.path())))
}

async fn send(stream: Box<dyn Stream>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let broken = |error: hyper::Error| HttpError::new(HttpErrorKind::Request, error);
    let (mut sender, connection) =
        http1::handshake::<_, HttpRequestBody>(TokioIo::new(stream)).await.map_err(broken)?;
    let exchange = async {
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let whole = Limited::new(body, LONGEST).collect().await;
        let whole = whole.map_err(|error| HttpError::new_boxed(HttpErrorKind::Interrupted, error))?;
        Ok(Response::from_parts(head, HttpResponseBody::from(whole.to_bytes())))
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = connection => match ended {
            // The server closed the connection, perhaps after it had sent the answer.
            Ok(()) => exchange.await,
            Err(error) => Err(broken(error)),
        },
    }
}

#[async_trait]
impl HttpService for Transport {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.exchange(request).await
    }
}

impl HttpConnector for Transport {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}
