//! How people are notified of requests. The engine sends nothing itself; settings and bounds stand here with all others.

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
    /// Where notices are posted.
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
    pub at_once: u32,
    /// Time of one attempt. Default 30 s.
    pub time: Duration,
    /// The longest time between two attempts. Default ten minutes.
    pub longest_pause: Duration,
}

impl Default for NotifyLimits {
    fn default() -> Self {
        Self { at_once: 4, time: Duration::from_secs(30), longest_pause: Duration::from_secs(600) }
    }
}

/// The names of the bounds in errors, settings and on the command line.
pub mod notify_names {
    /// The name of [`NotifyLimits::at_once`](super::NotifyLimits::at_once).
    pub const AT_ONCE: &str = "notify-at-once";
    /// The name of [`NotifyLimits::time`](super::NotifyLimits::time).
    pub const SECONDS: &str = "notify-seconds";
    /// The name of [`NotifyLimits::longest_pause`](super::NotifyLimits::longest_pause).
    pub const PAUSE_SECONDS: &str = "notify-pause-seconds";
}
