//! A URL of the operator to which each notice is posted, signed by the Standard Webhooks scheme. A status 2xx means that the notice is delivered.

use crate::net::outbound::{Receiver, ReceiverError};
use crate::notify::error::NotifyError;
use crate::notify::message::Message;
use crate::notify::secret::Secrets;
use axum::body::Bytes;
use axum::http::{Error, Request, header};
use engine::limits::WebhookSettings;
use http_body_util::Full;
use std::fmt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// A receiver, and the secrets that sign its notices.
pub(crate) struct Webhook {
    receiver: Receiver,
    secret_file: PathBuf,
}

impl Webhook {
    /// Checks the URL, the secrets and the certificates.
    pub(crate) fn new(settings: &WebhookSettings) -> Result<Self, NotifyError> {
        let WebhookSettings { url, secret_file, ca_file } = settings;
        let receiver = Receiver::new(url, ca_file.as_deref()).map_err(|error| match error {
            ReceiverError::Url => NotifyError::Url(workflow::Quoted(url).to_string()),
            ReceiverError::Tls(error) => NotifyError::Tls(error),
        })?;
        Secrets::read(secret_file)
            .map_err(|problem| NotifyError::Secret { file: secret_file.clone(), problem })?;
        Ok(Self { receiver, secret_file: secret_file.clone() })
    }

    pub(crate) async fn send(&self, message: &Message<'_>) -> Result<(), String> {
        // The file is read for each notice, so that a changed secret takes effect immediately.
        let secrets = Secrets::read(&self.secret_file)
            .map_err(|problem| format!("{}: {problem}", self.secret_file.display()))?;
        let request = self.request(message, &secrets).map_err(|error| error.to_string())?;
        match self.receiver.send(request).await? {
            status if status.is_success() => Ok(()),
            status => Err(format!("it answered {}", status.as_u16())),
        }
    }

    fn request(&self, message: &Message<'_>, secrets: &Secrets) -> Result<Request<Full<Bytes>>, Error> {
        let body = message.body();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let timestamp = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        self.receiver
            .request()
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", message.id())
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", secrets.sign(message.id(), timestamp, &body))
            .body(Full::new(body.into()))
    }
}

impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.receiver.fmt(f)
    }
}
