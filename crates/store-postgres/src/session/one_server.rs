//! One server: opening sessions with it, and whether it answers.

use crate::error::words;
use crate::session::connection::Connection;
use crate::session::location::{CONNECT, hosts};
use crate::session::tls::{TlsMode, connector};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};

/// A server, and the manner of connections to it.
#[derive(Clone)]
pub(crate) struct Server {
    pub(super) config: Config,
    pub(super) tls: TlsMode,
    pub(super) root: Option<PathBuf>,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = hosts(&self.config).map(|(host, port)| format!("{host}:{port}")).collect();
        f.write_str(&names.join(","))
    }
}

/// Why no session was opened.
enum Failure {
    /// The server said so, or a setting is wrong.
    Said(String),
    /// The server cannot be reached.
    Unreachable(String),
    /// Nothing was answered in time.
    Silent,
}

impl Server {
    /// Opens a session, in the first manner that the server accepts.
    ///
    /// # Errors
    /// The problem, in words.
    pub(crate) async fn connect(&self) -> Result<Connection, String> {
        let mut problem = "no kind of connection was left to try".to_owned();
        for mode in self.tls.attempts(&self.config).iter().copied() {
            match self.attempt(mode).await {
                Ok(connection) => return Ok(connection),
                Err(Failure::Said(said) | Failure::Unreachable(said)) => problem = said,
                // It would not answer in another manner either.
                Err(Failure::Silent) => {
                    return Err(format!("it accepts connections and answers nothing for {:?}", self.limit()));
                }
            }
        }
        Err(problem)
    }

    /// Whether the server answers. A refusal is an answer.
    pub(crate) async fn answers(&self) -> bool {
        for mode in self.tls.attempts(&self.config).iter().copied() {
            match self.attempt(mode).await {
                Ok(_) | Err(Failure::Said(_)) => return true,
                Err(Failure::Silent) => return false,
                Err(Failure::Unreachable(_)) => {}
            }
        }
        false
    }

    /// The time limit for opening a session: that for the connection, and as much for the exchange that follows.
    fn limit(&self) -> Duration {
        2 * self.config.get_connect_timeout().copied().unwrap_or(CONNECT)
    }

    async fn attempt(&self, mode: SslMode) -> Result<Connection, Failure> {
        timeout(self.limit(), self.open(mode)).await.unwrap_or(Err(Failure::Silent))
    }

    async fn open(&self, mode: SslMode) -> Result<Connection, Failure> {
        let failed = |error: tokio_postgres::Error| match error.code() {
            Some(_) => Failure::Said(words(&error)),
            None => Failure::Unreachable(words(&error)),
        };
        let mut config = self.config.clone();
        config.ssl_mode(mode);
        if mode == SslMode::Disable {
            let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
            return Ok(Connection::serve(client, connection, self.clone()));
        }
        let tls = connector(self.tls, self.root.as_deref()).map_err(Failure::Said)?;
        let (client, connection) = config.connect(tls).await.map_err(failed)?;
        Ok(Connection::serve(client, connection, self.clone()))
    }
}
