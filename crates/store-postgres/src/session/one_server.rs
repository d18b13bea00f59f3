//! One server: opening sessions with it, and whether it answers.

use crate::error::words;
use crate::session::connection::{Connection, Probe};
use crate::session::tls::{TlsMode, connector};
use std::error::Error;
use std::fmt;
use std::io;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Config, NoTls};

/// The time limit for connecting, where the URL has none.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

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
    /// The server refused, or this process cannot connect at present: neither says that the server is away.
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

    /// What a session asks when its server is silent.
    fn probe(&self) -> Probe {
        let server = self.clone();
        let answers = move || -> Pin<Box<dyn Future<Output = bool> + Send>> {
            let server = server.clone();
            Box::pin(async move { server.answers().await })
        };
        Probe { server: self.to_string(), answers: Box::new(answers) }
    }

    /// Whether the server answers. A refusal is an answer.
    async fn answers(&self) -> bool {
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
        let failed = |error: tokio_postgres::Error| match is_unreachable(&error) {
            true => Failure::Unreachable(words(&error)),
            false => Failure::Said(words(&error)),
        };
        let mut config = self.config.clone();
        config.ssl_mode(mode);
        if mode == SslMode::Disable {
            let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
            return Ok(Connection::serve(client, connection, self.probe()));
        }
        let tls = connector(self.tls, self.root.as_deref()).map_err(Failure::Said)?;
        let (client, connection) = config.connect(tls).await.map_err(failed)?;
        Ok(Connection::serve(client, connection, self.probe()))
    }
}

/// Whether the network or the server's machine refuses the connection. Other errors are this process's own, such as too many open files.
fn is_unreachable(error: &(dyn Error + 'static)) -> bool {
    use ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkDown,
        NetworkUnreachable, NotFound, TimedOut,
    };
    let (mut cause, mut kind) = (Some(error), None);
    while let (Some(error), None) = (cause, kind) {
        kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        cause = error.source();
    }
    matches!(
        kind,
        Some(
            ConnectionAborted
                | ConnectionRefused
                | ConnectionReset
                | HostUnreachable
                | NetworkDown
                | NetworkUnreachable
                | NotFound
                | TimedOut
        )
    )
}

/// The hosts of a place with their ports.
pub(super) fn hosts(config: &Config) -> impl Iterator<Item = (String, u16)> + '_ {
    let ports = config.get_ports();
    let port = move |place: usize| ports.get(place).or(ports.first()).copied().unwrap_or(5432);
    let name = |host: &Host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    };
    config.get_hosts().iter().enumerate().map(move |(place, host)| (name(host), port(place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_file_descriptors_says_nothing_about_its_server() {
        for (error, expected) in [
            (io::Error::from(ErrorKind::ConnectionRefused), true),
            (io::Error::from(ErrorKind::NotFound), true),
            // EMFILE, and a name that cannot be resolved.
            (io::Error::from_raw_os_error(24), false),
            (io::Error::other("failed to lookup address information"), false),
        ] {
            assert_eq!(is_unreachable(&error), expected, "{error}");
        }
    }
}
