//! The log of `work` and `serve` on standard error: text for people, or a JSON object a line.
//!
//! A thread of its own writes, so that a reader that does not read delays no drive and no answer. Each text is bounded and made visible
//! here, whichever part logs it.

use crate::cli::output::log_line::{LogFilter, bounded, cut};
use crate::cli::output::visible_json;
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use engine::Builder;
use std::io::{self, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use store::Fact;
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer, Registry, fmt as lines};

/// Lines that wait to be written. Beyond them lines are left out and counted.
const WAITING: usize = 4_096;

/// The time to write what waits when the process ends.
const LAST: Duration = Duration::from_secs(2);

/// The options of the log and the traces.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogArgs {
    /// What is logged on standard error: off, error, warn, info, debug or trace, of all targets or by target
    /// (info,server=debug). The targets are engine, server and host.
    #[arg(long, value_name = "LEVEL", env = "PP_HOST_LOG", default_value = "info")]
    log: LogFilter,

    /// The form of the log: text, or one JSON object per line. Messages for people are lines of a JSON log too.
    #[arg(long, value_name = "FORMAT", env = "PP_HOST_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,

    /// The OTLP collector that gets traces, one for each instance: http://localhost:4318, or an https:// URL.
    #[cfg(feature = "otlp")]
    #[arg(long, value_name = "URL", env = "PP_HOST_OTLP")]
    otlp: Option<String>,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// The destination of log lines.
struct Log {
    format: LogFormat,
    lines: SyncSender<Line>,
}

enum Line {
    Text(String),
    /// Asks for a message when everything before it is written.
    Last(SyncSender<()>),
}

/// The log of this process, once it has begun.
static LOG: OnceLock<Log> = OnceLock::new();

/// Lines that were left out, as too many waited.
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

impl LogArgs {
    /// Whether all that standard error gets is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.log_format == LogFormat::Json
    }

    /// Begins to log, and to trace.
    pub(crate) fn begin(&self) -> anyhow::Result<Tracing> {
        let (sender, waiting) = sync_channel(WAITING);
        std::thread::Builder::new().name("pp-host-log".to_owned()).spawn(move || write(&waiting))?;
        let form = lines::layer().with_ansi(false).with_writer(Lines(self.log_format));
        let form = match self.log_format {
            LogFormat::Text => form.boxed(),
            LogFormat::Json => form.json().flatten_event(true).with_current_span(false).boxed(),
        };
        let mut layers = vec![form.with_filter(self.log.0.clone()).boxed()];
        let tracing = self.tracing(&mut layers)?;
        let subscriber = Registry::default().with(layers);
        tracing::subscriber::set_global_default(subscriber).context("cannot begin to log")?;
        // Last: if this function fails, the error is printed and not logged.
        let _ = LOG.set(Log { format: self.log_format, lines: sender });
        if self.is_json() {
            std::panic::set_hook(Box::new(|panic| tracing::error!(target: "host", %panic, "panicked")));
        }
        Ok(tracing)
    }

    #[cfg(feature = "otlp")]
    fn tracing(&self, layers: &mut Vec<Box<dyn Layer<Registry> + Send + Sync>>) -> anyhow::Result<Tracing> {
        let traces = self.otlp.as_deref().map(server::Traces::begin).transpose()?;
        if let Some(traces) = &traces {
            layers.push(
                traces.layer().with_filter(targets(tracing::level_filters::LevelFilter::DEBUG)).boxed(),
            );
        }
        Ok(Tracing(traces))
    }

    #[cfg(not(feature = "otlp"))]
    fn tracing(&self, _: &mut [Box<dyn Layer<Registry> + Send + Sync>]) -> anyhow::Result<Tracing> {
        Ok(Tracing())
    }
}

/// The traces that go to a collector, if one is named.
#[derive(Debug, Clone)]
pub(crate) struct Tracing(#[cfg(feature = "otlp")] Option<server::Traces>);

#[cfg(feature = "otlp")]
impl Tracing {
    /// The builder of a host that is traced, and whose facts `observe` gets.
    pub(crate) fn of(&self, builder: Builder, observe: impl Fn(&Fact) + Send + Sync + 'static) -> Builder {
        let Some(traces) = self.0.clone() else { return builder.on_fact(observe) };
        builder.on_drive_span(server::Traces::place).on_fact(move |fact| {
            traces.fact(fact);
            observe(fact);
        })
    }

    /// Sends what waits.
    pub(crate) fn finish(&self) {
        self.0.iter().for_each(server::Traces::finish);
    }
}

#[cfg(not(feature = "otlp"))]
impl Tracing {
    pub(crate) fn of(&self, builder: Builder, observe: impl Fn(&Fact) + Send + Sync + 'static) -> Builder {
        builder.on_fact(observe)
    }

    pub(crate) fn finish(&self) {}
}

/// All targets at one level, and other people's code at none.
#[cfg(feature = "otlp")]
fn targets(level: tracing::level_filters::LevelFilter) -> tracing_subscriber::filter::Targets {
    let targets = crate::cli::output::log_line::TARGETS.map(|target| (target, level));
    tracing_subscriber::filter::Targets::new().with_targets(targets)
}

/// Takes a message for people, if the log is JSON.
pub(crate) fn takes(level: Level, message: &str) -> bool {
    if LOG.get().is_none_or(|log| log.format == LogFormat::Text) {
        return false;
    }
    match level {
        Level::ERROR => tracing::error!(target: "host", "{message}"),
        Level::WARN => tracing::warn!(target: "host", "{message}"),
        _ => tracing::info!(target: "host", "{message}"),
    }
    true
}

/// Waits until the log is written, up to a time limit.
pub(crate) fn finish() {
    let Some(log) = LOG.get() else { return };
    let (told, written) = sync_channel(1);
    if log.lines.try_send(Line::Last(told)).is_ok() {
        let _ = written.recv_timeout(LAST);
    }
}

/// Hands whole lines to the thread that writes.
#[derive(Clone, Copy)]
struct Lines(LogFormat);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let shown = match self.0 {
            LogFormat::Text => workflow::Escaped(&cut(text.trim_end())).to_string(),
            LogFormat::Json => visible_json(&bounded(text.trim_end())),
        };
        if let Some(log) = LOG.get()
            && log.lines.try_send(Line::Text(shown)).is_err()
        {
            LEFT_OUT.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(waiting: &Receiver<Line>) {
    let mut out = io::stderr();
    for line in waiting {
        match line {
            Line::Text(text) => {
                let _ = out.write_all(format!("{text}\n").as_bytes());
            }
            Line::Last(told) => drop(told.send(())),
        }
        let missing = LEFT_OUT.swap(0, Ordering::Relaxed);
        if missing > 0 {
            tracing::warn!(target: "host", missing, "lines of the log were left out, as they were not read in time");
        }
    }
}
