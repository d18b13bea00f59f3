//! The location of a database: a URL in libpq's form, and its password.

use crate::error::{DatabaseError, PostgresError, words};
use crate::session::connection::Connection;
use crate::session::one_server::{CONNECT, Server, hosts};
use crate::session::tls::TlsMode;
use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, LoadBalanceHosts, TargetSessionAttrs};

/// The settings of this program's sessions. Statements take locks in one order and use indexes even if the planner
/// knows nothing about a new table; a stalled host's open transaction ends soon, so that it blocks no other host.
const SETTINGS: &str = "-c idle_in_transaction_session_timeout=5000 -c client_min_messages=warning -c timezone=UTC \
     -c default_transaction_isolation=read\\ committed -c jit=off -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off";

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// The time in which sent data must be acknowledged, if the URL has none. Without a bound a cut network is never
/// noticed.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// A parsed location. Its `Debug` and `Display` show no password.
#[derive(Clone)]
pub(crate) struct Location {
    config: Config,
    tls: TlsMode,
    root: Option<PathBuf>,
    /// The server that was used last, by its number: it is tried first.
    last: Arc<AtomicUsize>,
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = hosts(&self.config).map(|(host, port)| format!("{host}:{port}")).collect();
        write!(f, "{}/{}", hosts.join(","), database(&self.config))
    }
}

impl Location {
    /// Parses a URL. This function, and not the client library, handles `sslmode`, `sslrootcert` and `passfile`.
    pub(crate) fn parse(url: &str) -> Result<Self, PostgresError> {
        let (url, parameters) = split(url)?;
        let value =
            |name: &str| parameters.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value);
        let tls = value("sslmode").map_or(Ok(TlsMode::Prefer), |mode| TlsMode::parse(mode))?;
        let root = value("sslrootcert").map(PathBuf::from);
        let mut config = Config::from_str(&url).map_err(|error| PostgresError::Url(words(&error)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(PostgresError::Url("it names no host".to_owned()));
        }
        if config.get_password().is_none() {
            let file = value("passfile").map(PathBuf::from).or_else(password_file);
            if let Some(password) = file.as_deref().and_then(|file| password(file, &config)) {
                config.password(password);
            }
        }
        prepare(&mut config);
        Ok(Self { config, tls, root, last: Arc::default() })
    }

    /// Opens a session with the first of its servers that accepts one.
    pub(crate) async fn connect(&self) -> Result<Connection, DatabaseError> {
        let servers = servers(&self.config);
        let (count, first) = (servers.len().max(1), self.last.load(Ordering::Relaxed));
        let mut problems = Vec::new();
        for place in (0..servers.len()).map(|number| (first + number) % count) {
            let Some(config) = servers.get(place) else { continue };
            let server = Server { config: config.clone(), tls: self.tls, root: self.root.clone() };
            match server.connect().await {
                Ok(connection) => {
                    self.last.store(place, Ordering::Relaxed);
                    return Ok(connection);
                }
                Err(problem) if servers.len() == 1 => problems.push(problem),
                Err(problem) => problems.push(format!("{server}: {problem}")),
            }
        }
        let problem = problems.join("; ");
        Err(DatabaseError::Lost(PostgresError::Connect { place: self.to_string(), problem }.into()))
    }

    /// Opens a session, and retries for that long.
    pub(crate) async fn connect_within(&self, timeout: Duration) -> Result<Connection, DatabaseError> {
        let end = Instant::now() + timeout;
        loop {
            match self.connect().await {
                Ok(connection) => return Ok(connection),
                Err(error) if Instant::now() >= end => return Err(error),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}

fn prepare(config: &mut Config) {
    let options = config.get_options().map_or_else(|| SETTINGS.to_owned(), |own| format!("{own} {SETTINGS}"));
    config.options(options).application_name("pp-host");
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNACKNOWLEDGED);
    }
    if config.get_target_session_attrs() == TargetSessionAttrs::Any {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    config.keepalives_idle(UNACKNOWLEDGED).keepalives_interval(Duration::from_secs(1)).keepalives_retries(3);
}

/// A configuration for each server that a configuration names, in the order in which they are tried first.
fn servers(config: &Config) -> Vec<Config> {
    let [hosts, addresses, ports] =
        [config.get_hosts().len(), config.get_hostaddrs().len(), config.get_ports().len()];
    let count = hosts.max(addresses);
    // The client library says what is wrong, and has an order of its own.
    let is_wrong = (hosts > 0 && addresses > 0 && hosts != addresses) || (ports > 1 && ports != count);
    if is_wrong || config.get_load_balance_hosts() != LoadBalanceHosts::Disable {
        return vec![config.clone()];
    }
    (0..count).map(|place| server(config, place)).collect()
}

/// The same configuration for one of its servers.
fn server(config: &Config, place: usize) -> Config {
    let mut one = Config::new();
    macro_rules! same {
        ($($value:expr => $set:ident),+ $(,)?) => {
            $(if let Some(value) = $value {
                one.$set(value);
            })+
        };
    }
    match config.get_hosts().get(place) {
        Some(Host::Tcp(name)) => {
            one.host(name);
        }
        Some(Host::Unix(path)) => {
            one.host_path(path);
        }
        None => {}
    }
    let ports = config.get_ports();
    same!(
        config.get_hostaddrs().get(place).copied() => hostaddr,
        ports.get(place).or(ports.first()).copied() => port,
        config.get_user() => user,
        config.get_password() => password,
        config.get_dbname() => dbname,
        config.get_options() => options,
        config.get_application_name() => application_name,
        config.get_connect_timeout().copied() => connect_timeout,
        config.get_tcp_user_timeout().copied() => tcp_user_timeout,
        config.get_keepalives_interval() => keepalives_interval,
        config.get_keepalives_retries() => keepalives_retries,
    );
    one.keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .ssl_negotiation(config.get_ssl_negotiation())
        .target_session_attrs(config.get_target_session_attrs())
        .channel_binding(config.get_channel_binding());
    one
}

/// Splits a URL into the part for the client library and the parameters that this module reads.
fn split(url: &str) -> Result<(String, Vec<(String, String)>), PostgresError> {
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(PostgresError::Url("it begins with neither postgres:// nor postgresql://".to_owned()));
    }
    let Some((base, query)) = url.split_once('?') else { return Ok((url.to_owned(), Vec::new())) };
    let (mut rest, mut own) = (Vec::new(), Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some((name @ ("sslmode" | "sslrootcert" | "passfile"), value)) => {
                own.push((name.to_owned(), decode(value)?))
            }
            _ => rest.push(pair),
        }
    }
    let url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    Ok((url, own))
}

/// Decodes the percent signs of a part of a URL.
fn decode(text: &str) -> Result<String, PostgresError> {
    let wrong = || PostgresError::Url("a percent sign in it is not followed by two digits".to_owned());
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, others @ ..] = rest {
        rest = others;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| str::from_utf8(digits).ok()).ok_or_else(wrong)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

fn database(config: &Config) -> &str {
    config.get_dbname().or(config.get_user()).unwrap_or_default()
}

/// The file of passwords that libpq reads.
fn password_file() -> Option<PathBuf> {
    let named = std::env::var_os("PGPASSFILE").map(PathBuf::from);
    named.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pgpass")))
}

/// The password of the first line that matches. As in libpq, a file that other accounts can read is not used.
fn password(file: &Path, config: &Config) -> Option<String> {
    let is_private =
        file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o077 == 0);
    let text = is_private.then(|| std::fs::read_to_string(file).ok()).flatten()?;
    let (host, port) = hosts(config).next()?;
    let host = if host.starts_with('/') { "localhost".to_owned() } else { host };
    let wanted = [&*host, &port.to_string(), database(config), config.get_user().unwrap_or_default()];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let (password, names) = fields.split_last().filter(|(_, names)| names.len() == 4)?;
        let fits = names.iter().zip(wanted).all(|(name, wanted)| name == "*" || name == wanted);
        fits.then(|| password.clone())
    })
}

/// A line's fields, separated by colons. A backslash escapes a colon or a backslash.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut characters) = (vec![String::new()], line.chars());
    while let Some(character) = characters.next() {
        let last = fields.len() - 1;
        match character {
            ':' if fields.len() < 5 => fields.push(String::new()),
            '\\' => fields[last].extend(characters.next()),
            other => fields[last].push(other),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let location =
            Location::parse("postgres://ann:s%20ecret@db.example:7000,other/app?sslmode=disable").unwrap();
        assert_eq!(location.config.get_password(), Some(&b"s ecret"[..]));
        assert_eq!(location.to_string(), "db.example:7000,other:5432/app");
        for shown in [format!("{location:?}"), format!("{location}")] {
            assert!(!shown.contains("ecret"), "{shown}");
        }
        for wrong in [
            "postgres://ann:s3cret@db/app?nonsense=1",
            "mysql://ann:s3cret@db/app",
            "postgres://ann:s3cret@db:port/app",
        ] {
            let words = Location::parse(wrong).unwrap_err().to_string();
            assert!(!words.contains("s3cret") && words.contains("postgres://USER@HOST"), "{words}");
        }
    }

    #[test]
    fn each_server_has_the_settings_of_the_url() {
        let url =
            "postgres://ann:secret@db1:7000,%2Frun:7001/app?connect_timeout=3&keepalives=0&options=-cx%3D1";
        let config = Location::parse(url).unwrap().config;
        let each = servers(&config);
        let named: Vec<_> = each.iter().flat_map(|one| hosts(one).collect::<Vec<_>>()).collect();
        assert_eq!(named, [("db1".to_owned(), 7000), ("/run".to_owned(), 7001)]);
        let mut again = each[0].clone();
        again.host_path("/run").port(7001);
        assert_eq!(again, config, "nothing else is different");
        assert_eq!(servers(&each[1]), each[1..]);
        let balanced = Location::parse(&format!("{url}&load_balance_hosts=random")).unwrap().config;
        assert_eq!(servers(&balanced), [balanced]);
    }

    #[test]
    fn passwords_are_read_as_libpq_reads_them() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("pgpass");
        std::fs::write(&file, "# a comment\nother:*:*:*:wrong\ndb:7000:app:ann:a\\:b\\\\c:d\n*:*:*:*:any\n")
            .unwrap();
        let url = |host: &str| format!("postgres://ann@{host}/app?passfile={}", file.display());
        let read =
            |host: &str| Location::parse(&url(host)).unwrap().config.get_password().map(<[u8]>::to_vec);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read("db:7000"), None, "others can read it");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read("db:7000"), Some(b"a:b\\c:d".to_vec()));
        assert_eq!(read("db:7001"), Some(b"any".to_vec()));
    }
}
