//! What keeps channels from being used.

use std::path::PathBuf;

/// A channel that cannot be used as it is set.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// No program there.
    #[error("notify.command: there is no program {}; name a file that can be run", .0.display())]
    NoProgram(PathBuf),
    /// Not a URL for notices.
    #[error(
        "notify.webhook.url: {0}: an https:// URL is expected, or an http:// one of localhost, 127.0.0.1 or [::1]"
    )]
    Url(String),
    /// Not a secret.
    #[error("notify.webhook.secret-file: {}: {problem}", file.display())]
    Secret {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// No certificates to verify the receiver with.
    #[error("notify.webhook: {0}")]
    Tls(String),
}
