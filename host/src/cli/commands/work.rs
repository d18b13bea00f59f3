//! `pp-host work`.

use crate::cli::options::data_dir::Data;
use crate::cli::options::limit::LimitArgs;
use crate::cli::output::fact_printer::{FactPrinter, Verbosity};
use crate::cli::output::hint::Hint;
use crate::cli::output::logs::LogArgs;
use crate::cli::output::{complain, inform};
use crate::cli::process::signals::StopSignals;
use crate::cli::{Exit, session};
use anyhow::Context as _;
use clap::Args;
use engine::{Host, WorkerOptions};
use receipt::Scope;
use server::{Feed, Notifier, Server, SiteUrl};
use std::num::NonZeroUsize;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// Drive everything that is due, until stopped.
///
/// This process owns the data folder while it runs, and other commands send it their operations. SIGTERM, SIGHUP or ^C stops it: running drives have
/// the seconds of --grace to end, and the rest continues when a server runs here again.
#[derive(Debug, Args)]
pub(crate) struct Work {
    #[command(flatten)]
    pub(crate) working: WorkArgs,
}

/// The options of `work`, which `serve` has too.
#[derive(Debug, Args)]
pub(crate) struct WorkArgs {
    /// The most concurrent drives, over all tenants.
    #[arg(long, alias = "at-once", value_name = "N", default_value_t = WorkerOptions::default().max_drives.try_into().unwrap_or(NonZeroUsize::MIN))]
    max_drives: NonZeroUsize,

    /// Seconds that running drives have to end after a signal to stop.
    #[arg(long, value_name = "SECONDS", default_value_t = WorkerOptions::default().grace.as_secs())]
    grace: u64,

    /// Print every fact, not only the notable ones.
    #[arg(long, conflicts_with = "json")]
    verbose: bool,

    /// Print every fact as one JSON object per line.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    pub(crate) logs: LogArgs,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

impl Work {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let working = &self.working;
        let tracing = working.logs.begin()?;
        let (facts, printer) = FactPrinter::open(working.verbosity())?;
        let feed = Feed::default();
        let observed = feed.clone();
        let host = session::open_to_work(data, &working.limits, &tracing, move |fact| {
            observed.fact(fact);
            facts.print(fact);
        })?;
        let worked = working.notifier(data, &host, feed, None);
        let worked =
            worked.and_then(|notifier| working.work(data, &host, Services { server: None, notifier }));
        // The last one who tells anything.
        drop(host);
        printer.finish();
        tracing.finish();
        worked
    }
}

impl WorkArgs {
    /// The facts that are printed.
    pub(crate) fn verbosity(&self) -> Verbosity {
        match (self.json, self.verbose) {
            (true, _) => Verbosity::Json,
            (false, true) => Verbosity::All,
            (false, false) => Verbosity::Notable,
        }
    }

    /// The notifier, if the settings name a channel. Links lead to the page that the settings name, or else to the page that this process serves.
    pub(crate) fn notifier(
        &self,
        data: &Data,
        host: &Host,
        feed: Feed,
        served: Option<&SiteUrl>,
    ) -> anyhow::Result<Option<Notifier>> {
        let settings = self.limits.settings(data)?;
        let Some(notify) = settings.notify() else { return Ok(None) };
        let named = notify.url.as_deref().map(|url| url.parse::<SiteUrl>().context("notify.url"));
        let site = named.transpose()?.or_else(|| served.cloned()).context(
            "notices link to the page on which people decide, which pp-host work does not serve: name its URL in the settings, [notify] url = \"https://…\"",
        )?;
        let limits = settings.largest().notify;
        Ok(Some(Notifier::new(host.clone(), feed, notify, limits, site, complain)?))
    }

    /// Drives instances until stopped, and serves and notifies at the same time.
    pub(crate) fn work(&self, data: &Data, host: &Host, services: Services) -> anyhow::Result<Exit> {
        let threads = std::thread::available_parallelism().map_or(2, NonZeroUsize::get).max(2);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_io()
            .enable_time()
            .build()?;
        let options =
            WorkerOptions { max_drives: self.max_drives.get(), grace: Duration::from_secs(self.grace) };
        // From now on a signal stops the work, and other processes get answers.
        let stops = {
            let _inside = runtime.enter();
            Stops(StopSignals::listen()?)
        };
        let control = host.listen()?;
        if host.scope()? == Scope::Demo {
            let demo = Hint::new(data, &["drive", "INSTANCE", "--approve"]);
            let earnest = Hint::new(data, &["deciders", "add", "NAME", "--role", "ROLE", "--key", "FILE"]);
            inform(&format!(
                "no decider is registered: a request waits until it is decided as a demonstration: {demo}"
            ));
            inform(&format!("or until a decider is registered: {earnest}"));
        }
        inform(&format!("working in {data}, until SIGTERM, SIGHUP or ^C"));
        if let Some(server) = &services.server {
            inform(&format!("serving {}", server.url()));
        }
        let worked = runtime.block_on(stops.work(host, options, services));
        drop(control);
        match worked? {
            Shutdown::Graceful => inform("stopped"),
            Shutdown::Immediate => {
                inform("stopped now; drives that were running continue from their journals")
            }
        }
        Ok(Exit::Done)
    }
}

/// The threads that run next to the worker.
pub(crate) struct Services {
    pub(crate) server: Option<Server>,
    pub(crate) notifier: Option<Notifier>,
}

/// Why the work ended.
enum Shutdown {
    Graceful,
    Immediate,
}

/// The signals that end the work.
struct Stops(StopSignals);

impl Stops {
    /// Works until the first signal. At the second, the work ends without its grace.
    async fn work(
        mut self,
        host: &Host,
        options: WorkerOptions,
        Services { server, notifier }: Services,
    ) -> Result<Shutdown, engine::Error> {
        let grace = options.grace.as_secs();
        let (tell, told) = oneshot::channel();
        let (close, closed) = watch::channel(());
        let mut quiet = closed.clone();
        let work = host.work(options, async {
            // A sender that is gone is no signal.
            if told.await.is_err() {
                std::future::pending::<()>().await;
            }
        });
        let twice = async {
            self.0.next().await;
            inform(&format!(
                "stopping: running drives have {grace} s to finish; send the signal again to stop now"
            ));
            let _ = tell.send(());
            drop(close);
            self.0.next().await;
        };
        let served = serve(server, closed);
        let notified = async {
            if let Some(notifier) = notifier {
                notifier.run(async { drop(quiet.changed().await) }).await;
            }
        };
        let all = async { tokio::join!(work, served, notified).0 };
        tokio::select! {
            worked = all => worked.map(|()| Shutdown::Graceful),
            () = twice => Ok(Shutdown::Immediate),
        }
    }
}

async fn serve(server: Option<Server>, mut closed: watch::Receiver<()>) {
    let Some(server) = server else { return };
    if let Err(error) = server.run(async { drop(closed.changed().await) }).await {
        complain(&format!("cannot serve: {error}"));
    }
}
