//! `pp-host serve`.

use crate::cli::commands::work::{Services, WorkArgs};
use crate::cli::options::data_dir::Data;
use crate::cli::output::fact_printer::FactPrinter;
use crate::cli::output::hint::Hint;
use crate::cli::output::{complain, inform};
use crate::cli::{Exit, session};
use anyhow::{Context as _, bail};
use clap::Args;
use engine::api::Account;
use engine::{Clock as _, Host, Invite, SystemClock};
use receipt::{PersonId, RelyingParty};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use server::{Feed, Server, ServerOptions, SiteUrl, TlsFiles};
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The role of the first decider.
const ROLE: &str = "release";

/// The message if the authority is another process: that process invites people.
const INVITED_ELSEWHERE: &str =
    "no decider is registered yet: invite the first one in the authority's folder (pp-host deciders invite)";

/// Drive everything that is due, and serve: an API for programs, a page on which people decide.
///
/// Does what `work` does, and serves. A proxy ends TLS, or the server itself with --tls-cert and --tls-key: docs/operations.md says how.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,

    /// The URL at which people's browsers reach the server: its own https:// URL, or the proxy's. Default: localhost and the port.
    #[arg(long, value_name = "URL", env = "PP_HOST_URL")]
    url: Option<SiteUrl>,

    /// The server's own TLS certificate, and the certificates that lead to its root, as PEM. The running server loads a renewed certificate.
    /// Default: no TLS.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The certificate's private key, as PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Open the page in a browser: the program in BROWSER, or else xdg-open.
    #[arg(long)]
    open: bool,

    /// The first decider's name, if no decider is registered yet: the server prints a link to register. Default: this account's name.
    #[arg(long, value_name = "NAME")]
    first_decider: Option<PersonId>,

    #[command(flatten)]
    working: WorkArgs,
}

impl Serve {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let tracing = self.working.logs.begin()?;
        let feed = Feed::default();
        let (facts, printer) = FactPrinter::open(self.working.verbosity())?;
        let observed = feed.clone();
        let host = session::open_to_work(data, &self.working.limits, &tracing, move |fact| {
            observed.fact(fact);
            facts.print(fact);
        })?;
        let served = self.serve(data, &host, feed);
        // The last one who tells anything.
        drop(host);
        printer.finish();
        tracing.finish();
        served
    }

    fn serve(&self, data: &Data, host: &Host, feed: Feed) -> anyhow::Result<Exit> {
        let largest = self.working.limits.settings(data)?.largest();
        let options = ServerOptions {
            url: self.url.clone(),
            limits: largest.http,
            component_bytes: largest.sandbox.component_bytes,
            tls: self.tls(),
            problems: complain,
        };
        self.check_exposure(host)?;
        raise_descriptors();
        let listener = TcpListener::bind(self.listen)
            .with_context(|| format!("cannot listen on {} (--listen names another address)", self.listen))?;
        let server = Server::new(listener, host.clone(), feed.clone(), options)?;
        let notifier = self.working.notifier(data, host, feed, Some(server.url()))?;
        self.invite_first(data, host, server.url())?;
        if self.open {
            open_browser(server.url());
        }
        self.working.work(data, host, Services { server: Some(server), notifier })
    }
}

impl Serve {
    fn tls(&self) -> Option<TlsFiles> {
        let (certificate, key) = self.tls_cert.clone().zip(self.tls_key.clone())?;
        Some(TlsFiles { certificate, key })
    }

    /// Refuses to listen on a network address while no token exists: remote programs could do nothing without one, and a person who only
    /// tries out the program would not notice that other machines can reach the page.
    fn check_exposure(&self, host: &Host) -> anyhow::Result<()> {
        let (trust, now) = (host.trust()?, SystemClock.now());
        let guarded = trust.tokens().any(|(_, token)| token.is_good(now));
        match self.listen.ip().is_loopback() || guarded {
            true => Ok(()),
            false => bail!(
                "{} is reachable from other machines, and there is no token yet: make one first (pp-host tokens create --tenant NAME --scope instances:read), or listen on 127.0.0.1",
                self.listen
            ),
        }
    }
}

impl Serve {
    /// If there are no deciders, the account that starts the host invites the first one. The link is a secret: a log in JSON, which other
    /// machines may collect, has the command instead.
    fn invite_first(&self, data: &Data, host: &Host, url: &SiteUrl) -> anyhow::Result<()> {
        if self.working.logs.is_json() {
            if host.trust()?.deciders().people().is_empty() {
                match data.authority {
                    Some(_) => complain(INVITED_ELSEWHERE),
                    None => {
                        let (role, page) = (["--role", ROLE], ["--url".to_owned(), url.to_string()]);
                        let invite = Hint::new(data, &["deciders", "invite", "NAME"]).with(role).with(page);
                        inform(&format!(
                            "no decider is registered yet: this prints a link for the first one: {invite}"
                        ));
                    }
                }
            }
            return Ok(());
        }
        let decider = match &self.first_decider {
            Some(named) => named.clone(),
            None => Account::own().as_str().to_lowercase().parse()?,
        };
        let first = Invite {
            decider,
            roles: [ROLE.parse()?].into(),
            tenants: BTreeSet::new(),
            relying_party: RelyingParty::of_origin(url.origin())?,
            lifetime: Duration::from_secs(24 * 3_600),
        };
        match host.invite_first(Account::own().as_str(), first) {
            Ok(Some(code)) => {
                inform(&format!("register the first decider, once and within a day: {url}/register#{code}"));
            }
            Ok(None) => {}
            Err(engine::Error::ActsAtAuthority) => complain(INVITED_ELSEWHERE),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Opens the page without an invitation's code: the code is a secret, and other accounts see a command line.
fn open_browser(url: &SiteUrl) {
    let program = std::env::var_os("BROWSER").filter(|program| !program.is_empty());
    let program = program.unwrap_or_else(|| "xdg-open".into());
    let mut browser = Command::new(&program);
    browser.arg(url.origin()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match browser.spawn() {
        // The browser ends at any time.
        Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
        Err(error) => {
            let program = program.display();
            complain(&format!("cannot open a browser with {program}: {error}; the page is at {url}"));
        }
    }
}

/// Raises the limit of open files to the hard limit: every connection is a descriptor. If the limit is reached, further connections wait.
fn raise_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
