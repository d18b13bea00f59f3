//! Errors of channels that cannot be used.

use std::path::PathBuf;

/// Why a channel's settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The program does not exist.
    #[error("notify.command: there is no program {}; name a file that can be run", .0.display())]
    NoProgram(PathBuf),
    /// The URL is not one for notices.
    #[error(
        "notify.webhook.url: {0}: an https:// URL is expected, or an http:// one of localhost, 127.0.0.1 or [::1]"
    )]
    Url(String),
    /// The file has no valid secret.
    #[error("notify.webhook.secret-file: {}: {problem}", file.display())]
    Secret {
        /// The file.
        file: PathBuf,
        /// Why the file cannot be used.
        problem: String,
    },
    /// There are no certificates to verify the receiver with.
    #[error("notify.webhook: {0}")]
    Tls(String),
}
