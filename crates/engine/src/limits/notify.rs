//! The settings of notices: how people are notified of requests. The engine sends no notice itself.

use std::path::PathBuf;
use std::time::Duration;

/// The operator's channels, as a settings file names them under `[notify]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifySettings {
    /// A program and its arguments. It gets each notice as JSON on its standard input.
    pub command: Option<Vec<String>>,
    /// A URL that each notice is posted to.
    pub webhook: Option<WebhookSettings>,
    /// How long before a request lapses its reminder is sent; zero for none. Default one hour.
    pub remind_before: Duration,
    /// The origin of the page on which people decide, for a host that does not serve it itself.
    pub url: Option<String>,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The URL to which notices are posted.
    pub url: String,
    /// The file that holds the secrets that sign them, `whsec_…`, one a line.
    pub secret_file: PathBuf,
    /// The file of the certificates that the receiver's leads to. Default: those that the system trusts.
    pub ca_file: Option<PathBuf>,
}

impl Default for NotifySettings {
    fn default() -> Self {
        Self { command: None, webhook: None, remind_before: Duration::from_secs(3_600), url: None }
    }
}

/// The bounds on sending notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyLimits {
    /// Notices that each channel sends at once. Default 4.
    pub concurrency: u32,
    /// Time of one attempt. Default 30 s.
    pub timeout: Duration,
    /// The longest time between two attempts. Default ten minutes.
    pub max_backoff: Duration,
}

impl Default for NotifyLimits {
    fn default() -> Self {
        Self { concurrency: 4, timeout: Duration::from_secs(30), max_backoff: Duration::from_secs(600) }
    }
}

/// The names of the bounds in errors, settings and on the command line.
pub mod notify_names {
    /// The name of [`NotifyLimits::concurrency`](super::NotifyLimits::concurrency).
    pub const CONCURRENCY: &str = "notify-concurrency";
    /// The name of [`NotifyLimits::timeout`](super::NotifyLimits::timeout).
    pub const TIMEOUT_SECONDS: &str = "notify-timeout-seconds";
    /// The name of [`NotifyLimits::max_backoff`](super::NotifyLimits::max_backoff).
    pub const MAX_BACKOFF_SECONDS: &str = "notify-max-backoff-seconds";
}
