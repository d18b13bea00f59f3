//! Counters, in the text form that Prometheus reads. Labels are routes, status codes and kinds of facts: no caller can add one, and none
//! names a tenant.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::NoticeChannel;
use workflow::Entry;

/// Upper ends of the buckets of durations, in seconds.
const BUCKETS: [f64; 8] = [0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0];

/// Counters of HTTP.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, &'static str, u16), u64>>,
    durations: Mutex<BTreeMap<(&'static str, &'static str), Durations>>,
    connections: Arc<AtomicU64>,
    refused: AtomicU64,
    followers: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Durations {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    seconds: f64,
}

/// Counts itself until it is dropped.
#[derive(Debug)]
pub(crate) struct GaugeGuard(Arc<AtomicU64>);

impl GaugeGuard {
    fn one(gauge: &Arc<AtomicU64>) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(gauge))
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Counts an answer of that route.
    pub(crate) fn answered(&self, method: &'static str, path: &'static str, status: u16, took: Duration) {
        *lock(&self.requests).entry((method, path, status)).or_default() += 1;
        let mut durations = lock(&self.durations);
        let durations = durations.entry((method, path)).or_default();
        let seconds = took.as_secs_f64();
        durations.count += 1;
        durations.seconds += seconds;
        for (bucket, end) in durations.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(seconds <= end);
        }
    }

    /// An open connection, until it is dropped.
    pub(crate) fn connection(&self) -> GaugeGuard {
        GaugeGuard::one(&self.connections)
    }

    /// A follower, until it is dropped; `None` if there are `most` already. It is counted before the comparison, so that simultaneous
    /// callers do not exceed the bound together.
    pub(crate) fn follower(&self, most: u64) -> Option<GaugeGuard> {
        let counted = GaugeGuard::one(&self.followers);
        (self.followers.load(Ordering::Relaxed) <= most).then_some(counted)
    }

    /// Counts a connection that was refused for lack of a place.
    pub(crate) fn refused_connection(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// The text with every counter and the values that the caller passes.
    pub(crate) fn text(&self, facts: &Facts, notices: &Notices, waiting: u64) -> String {
        let mut out = String::new();
        let load = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
        for (name, kind, help, value) in [
            ("pp_host_http_connections", "gauge", "open connections", load(&self.connections)),
            (
                "pp_host_http_connections_refused_total",
                "counter",
                "connections beyond http-connections",
                load(&self.refused),
            ),
            ("pp_host_http_followers", "gauge", "open event streams", load(&self.followers)),
            ("pp_host_requests_waiting", "gauge", "requests that wait for a decision", waiting),
        ] {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
        head(&mut out, "pp_host_http_requests_total", "counter", "answered HTTP requests");
        for ((method, path, status), count) in &*lock(&self.requests) {
            let _ = writeln!(
                out,
                "pp_host_http_requests_total{{method=\"{method}\",route=\"{path}\",status=\"{status}\"}} {count}"
            );
        }
        self.write_durations(&mut out);
        head(&mut out, "pp_host_facts_total", "counter", "recorded facts by kind, since this process began");
        for (kind, count) in KINDS.iter().zip(&facts.counts) {
            let _ = writeln!(out, "pp_host_facts_total{{kind=\"{kind}\"}} {}", load(count));
        }
        notices.write(&mut out);
        out
    }

    fn write_durations(&self, out: &mut String) {
        let name = "pp_host_http_request_duration_seconds";
        head(out, name, "histogram", "time to answer HTTP requests");
        for ((method, path), durations) in &*lock(&self.durations) {
            let labels = format!("method=\"{method}\",route=\"{path}\"");
            for (end, count) in BUCKETS.iter().zip(durations.buckets) {
                let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{end}\"}} {count}");
            }
            let Durations { count, seconds, .. } = durations;
            let _ = writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
            let _ = writeln!(out, "{name}_sum{{{labels}}} {seconds}\n{name}_count{{{labels}}} {count}");
        }
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counters of notices.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    waiting: AtomicU64,
    delivered: [AtomicU64; 2],
    failed: [AtomicU64; 2],
}

const CHANNELS: [&str; 2] = ["command", "webhook"];

impl Notices {
    /// Sets the number of notices that are to be sent, now or later.
    pub(crate) fn waiting(&self, notices: usize) {
        self.waiting.store(notices.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn delivered(&self, channel: NoticeChannel) {
        self.delivered[place(channel)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, channel: NoticeChannel) {
        self.failed[place(channel)].fetch_add(1, Ordering::Relaxed);
    }

    fn write(&self, out: &mut String) {
        head(out, "pp_host_notices_waiting", "gauge", "notices and reminders that are to be sent");
        let _ = writeln!(out, "pp_host_notices_waiting {}", self.waiting.load(Ordering::Relaxed));
        head(out, "pp_host_notices_total", "counter", "attempts to deliver notices by channel and outcome");
        for (outcome, counts) in [("delivered", &self.delivered), ("failed", &self.failed)] {
            for (channel, count) in CHANNELS.iter().zip(counts) {
                let count = count.load(Ordering::Relaxed);
                let _ = writeln!(
                    out,
                    "pp_host_notices_total{{channel=\"{channel}\",outcome=\"{outcome}\"}} {count}"
                );
            }
        }
    }
}

fn place(channel: NoticeChannel) -> usize {
    match channel {
        NoticeChannel::Command => 0,
        NoticeChannel::Webhook => 1,
    }
}

/// Kinds of facts that are counted by name; the last entry stands for all others.
const KINDS: [&str; 12] = [
    "started",
    "requested",
    "signed",
    "decided",
    "lapsed",
    "redeemed",
    "refused",
    "performed",
    "completed",
    "failed",
    "diverged",
    "other",
];

/// The number of recorded facts of each kind.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    counts: [AtomicU64; KINDS.len()],
}

impl Facts {
    pub(crate) fn count(&self, entry: &Entry) {
        let named = KINDS.iter().position(|kind| *kind == entry.kind());
        let kind = named.unwrap_or(KINDS.len() - 1);
        self.counts[kind].fetch_add(1, Ordering::Relaxed);
    }
}
