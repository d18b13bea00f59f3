//! The table.

use crate::limits::http::http_names as http;
use crate::limits::notify::notify_names as notify;
use crate::limits::value::{Amount, InvalidValue};
use crate::limits::{Limits, Unit};
use sandbox::limit_names as sandbox;
use std::fmt;
use store::quota_names as quota;
use workflow::limit_names as workflow;

/// Whether a bound is a tenant's or the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Each tenant may have its own value.
    Tenant,
    /// One value holds for all tenants together.
    Host,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "tenant",
            Self::Host => "host",
        })
    }
}

/// One bound.
#[derive(Debug)]
pub struct Limit {
    /// The limit's name in settings, errors and listings.
    pub name: &'static str,
    /// The unit of its value.
    pub unit: Unit,
    /// What the limit bounds.
    pub what: &'static str,
    /// The reason for its default.
    pub reason: &'static str,
    /// The smallest accepted value. Below it no instance could progress, or instances would be deleted while quotas
    /// still count them.
    pub least: u64,
    get: fn(&Limits) -> u64,
    /// Returns the largest accepted value as the error if the given one does not fit.
    set: fn(&mut Limits, u64) -> Result<(), u64>,
}

impl Limit {
    /// The limit's value in the given limits.
    #[must_use]
    pub fn get(&self, limits: &Limits) -> u64 {
        (self.get)(limits)
    }

    /// Sets it in `limits`.
    ///
    /// # Errors
    /// When the value is too large to be stored, or less than the least.
    pub fn set(&self, limits: &mut Limits, value: u64) -> Result<(), InvalidValue> {
        if value < self.least {
            return Err(InvalidValue::TooSmall(self.unit.show(self.least)));
        }
        (self.set)(limits, value).map_err(InvalidValue::TooLarge)
    }

    /// Whether it is one tenant's or the whole host's.
    #[must_use]
    pub fn reach(&self) -> Reach {
        if OF_THE_HOST.contains(&self.name) { Reach::Host } else { Reach::Tenant }
    }

    /// The limit's default.
    #[must_use]
    pub fn default(&self) -> u64 {
        self.get(&Limits::default())
    }

    /// Reads a value and checks that it fits.
    ///
    /// # Errors
    /// The limit cannot have this value.
    pub fn parse(&self, text: &str) -> Result<u64, InvalidValue> {
        let value = self.unit.parse(text)?;
        self.check(value)
    }

    /// Checks that a value is in range.
    ///
    /// # Errors
    /// The value is too large to be stored, or less than the least.
    pub fn check(&self, value: u64) -> Result<u64, InvalidValue> {
        self.set(&mut Limits::default(), value).map(|()| value)
    }
}

/// The limits that bound what all tenants share: the pool, the compiler, the caches, HTTP, notices. No tenant has its
/// own value.
const OF_THE_HOST: [&str; 26] = [
    sandbox::ARTIFACT_BUFFER_BYTES,
    sandbox::LIVE_INSTANCES,
    sandbox::CORE_INSTANCES,
    sandbox::MEMORIES,
    sandbox::STACK_BYTES,
    sandbox::FUNCTIONS,
    sandbox::FUNCTION_BYTES,
    sandbox::COMPILE_CPU_SECONDS,
    sandbox::COMPILE_WALL_SECONDS,
    sandbox::COMPILE_MEMORY_BYTES,
    sandbox::CACHE_BYTES,
    sandbox::CACHED_PROGRAMS,
    http::CONNECTIONS,
    http::REQUESTS,
    http::FOLLOWERS,
    http::HEAD_BYTES,
    http::HEAD_TIMEOUT_SECONDS,
    http::BODY_BYTES,
    http::BODY_MEMORY_BYTES,
    http::TIMEOUT_SECONDS,
    http::STREAM_SECONDS,
    http::TOKEN_REQUESTS,
    http::TOKEN_CONCURRENCY,
    notify::CONCURRENCY,
    notify::TIMEOUT_SECONDS,
    notify::MAX_BACKOFF_SECONDS,
];

/// A name that no limit has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no limit {}; did you mean {nearest}? `pp-host limits` lists them all",
    ::workflow::Quoted(name)
)]
pub struct UnknownLimit {
    /// The name.
    pub name: String,
    /// The name that is most like it.
    pub nearest: &'static str,
}

/// Limits that had another name in earlier versions, with their present name. Settings may use either.
const EARLIER_NAMES: [(&str, &str); 14] = [
    ("beside", workflow::STARTED_CALLS),
    ("bytes-in-hand", sandbox::ARTIFACT_BUFFER_BYTES),
    ("log-bytes", sandbox::OUTPUT_BYTES),
    ("parts", sandbox::CORE_INSTANCES),
    ("programs", sandbox::CACHED_PROGRAMS),
    ("drives", quota::CONCURRENT_DRIVES),
    ("http-head-seconds", http::HEAD_TIMEOUT_SECONDS),
    ("http-bodies-bytes", http::BODY_MEMORY_BYTES),
    ("http-seconds", http::TIMEOUT_SECONDS),
    ("http-follow-seconds", http::STREAM_SECONDS),
    ("http-token-at-once", http::TOKEN_CONCURRENCY),
    ("notify-at-once", notify::CONCURRENCY),
    ("notify-seconds", notify::TIMEOUT_SECONDS),
    ("notify-pause-seconds", notify::MAX_BACKOFF_SECONDS),
];

/// The limit with this name, or with this earlier name.
///
/// # Errors
/// There is no such limit; the error has the most similar name.
pub fn find(name: &str) -> Result<&'static Limit, UnknownLimit> {
    let unknown = || UnknownLimit {
        name: name.chars().take(64).collect(),
        nearest: nearest(name, ALL.iter().map(|limit| limit.name)).unwrap_or_default(),
    };
    let renamed = EARLIER_NAMES.iter().find(|(earlier, _)| *earlier == name);
    let present = renamed.map_or(name, |(_, present)| *present);
    ALL.iter().find(|limit| limit.name == present).ok_or_else(unknown)
}

/// The known name that is most similar to `name`: a few letters away, or with the same beginning.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Names are about 20 characters long; the rest of a longer one does not make it more similar to any of them.
    let name: String = name.chars().take(64).flat_map(char::to_lowercase).collect();
    let score = |known: &str| strsim::jaro_winkler(&name, known);
    known.max_by(|a, b| score(a).total_cmp(&score(b)))
}

macro_rules! limit {
    ($name:expr, $unit:ident, $($field:ident).+, $what:literal, $reason:literal) => {
        limit!($name, $unit, $($field).+, $what, $reason, at least 0)
    };
    ($name:expr, $unit:ident, $($field:ident).+, $what:literal, $reason:literal, at least $least:expr) => {
        Limit {
            name: $name,
            unit: Unit::$unit,
            what: $what,
            reason: $reason,
            least: $least,
            get: |limits| limits.$($field).+.amount(),
            set: |limits, value| store(&mut limits.$($field).+, value),
        }
    };
}

fn store<A: Amount>(field: &mut A, value: u64) -> Result<(), u64> {
    *field = A::of(value).ok_or(A::LARGEST)?;
    Ok(())
}

/// The shortest time that anything is kept, in seconds: requests are counted for an hour.
pub(crate) const SHORTEST_RETENTION: u64 = 60 * 60;

/// Every limit: first those on an instance's calls, then on a drive, then on what a tenant keeps, then on HTTP callers,
/// then on notices.
#[rustfmt::skip]
pub static ALL: &[Limit] = &[
    limit!(workflow::CALLS, Count, workflow.calls,
        "calls an instance: steps, sleeps, waits, approvals and actions together", "as on Cloudflare Workflows"),
    limit!(workflow::STARTED_CALLS, Count, workflow.started_calls,
        "started calls of a workflow that have not ended", "one wait for all of them adds a few kilobytes to the journal"),
    limit!(workflow::RETRIES, Count, workflow.retries,
        "retries of a step", "as on Cloudflare Workflows"),
    limit!(workflow::SLEEP_SECONDS, Seconds, workflow.sleep,
        "a sleep, a wait, an attempt, or the delay before one", "365 days, as on Cloudflare Workflows"),
    limit!(workflow::EVENT_BYTES, Bytes, workflow.event_bytes,
        "an event", "as on Cloudflare Workflows"),
    limit!(workflow::EVENTS, Count, workflow.events,
        "events of an instance that are not delivered yet", "a workflow with more of them does not read its events"),
    limit!(workflow::STEP_NAME_CHARS, Characters, workflow.step_name_chars,
        "characters in the name of a step, a sleep or a wait", "as on Cloudflare Workflows"),
    limit!(workflow::RESULT_BYTES, Bytes, workflow.result_bytes,
        "a step's or a workflow's result, and the parameters", "as on Cloudflare Workflows"),
    limit!(workflow::JOURNAL_BYTES, Bytes, workflow.journal_bytes,
        "all step results, failures of attempts and events of an instance together", "all of them are read whenever the instance continues"),
    limit!(workflow::EVIDENCE_BYTES, Bytes, workflow.evidence_bytes,
        "an action's evidence", "more than an approver reads"),
    limit!(workflow::REASON_BYTES, Bytes, workflow.reason_bytes,
        "an action's reason, and a failure's message", "some 600 words"),
    limit!(workflow::RESOURCE_BYTES, Bytes, workflow.resource_bytes,
        "an action's resource", "twice a long URL"),
    limit!(workflow::ARTIFACT_BYTES, Bytes, workflow.artifact_bytes,
        "an artifact", "six times Cloudflare's largest compressed Worker"),
    limit!(sandbox::COMPONENT_BYTES, Bytes, sandbox.component_bytes,
        "a component", "a Python interpreter with its library is 18 MB; a larger file is not read"),
    limit!(sandbox::MEMORY_BYTES, Bytes, sandbox.memory_bytes,
        "linear memory, all memories of a drive together", "as on Cloudflare"),
    limit!(sandbox::FUEL, Fuel, sandbox.fuel,
        "work of a drive, about one unit an instruction", "some 30 s of one core, Cloudflare's bound on CPU time"),
    limit!(sandbox::WALL_CLOCK_SECONDS, Seconds, sandbox.wall_clock,
        "wall-clock time of a drive", "ends a guest that sleeps; twice what the fuel takes", at least 1),
    limit!(sandbox::TABLE_ELEMENTS, Count, sandbox.table_elements,
        "elements in a table", "several times the functions of the largest guests"),
    limit!(sandbox::HANDLES, Count, sandbox.handles,
        "handles that a guest holds at once", "a thousand started calls count twice while the workflow waits for them"),
    limit!(sandbox::CALL_BYTES, Bytes, sandbox.call_bytes,
        "data that one call passes to the host", "the largest artifact, and its evidence"),
    limit!(sandbox::TEXT_BYTES, Bytes, sandbox.text_bytes,
        "text that one call passes to the host", "four times the longest result"),
    limit!(sandbox::ARTIFACT_BUFFER_BYTES, Bytes, sandbox.artifact_buffer_bytes,
        "artifacts in the host's memory at once, over all tenants", "four of the largest; further calls wait for their turn"),
    limit!(sandbox::OUTPUT_BYTES, Bytes, sandbox.output_bytes,
        "output of a drive that is kept", "some 3 000 lines; the rest is counted"),
    limit!(sandbox::LIVE_INSTANCES, Count, sandbox.live_instances,
        "instances in memory at once, over all tenants", "each reserves 4 GiB of address space; further drives wait for their turn", at least 1),
    limit!(sandbox::CORE_INSTANCES, Count, sandbox.core_instances,
        "core instances of an instance", "a Python interpreter is 40", at least 1),
    limit!(sandbox::MEMORIES, Count, sandbox.memories,
        "memories of an instance, and tables", "several times what toolchains make", at least 1),
    limit!(sandbox::STACK_BYTES, Bytes, sandbox.stack_bytes,
        "native stack of a guest's calls", "enough that a script that recurses without end gets an error that it can catch"),
    limit!(sandbox::FUNCTIONS, Count, sandbox.load.functions,
        "functions in a component", "more than a compiler in a component has"),
    limit!(sandbox::FUNCTION_BYTES, Bytes, sandbox.load.function_bytes,
        "the longest function of a component", "the time to compile one grows faster than its length"),
    limit!(sandbox::COMPILE_CPU_SECONDS, Seconds, sandbox.load.compile_cpu,
        "computing time of a compilation, in a child process", "the largest component that loads takes less", at least 1),
    limit!(sandbox::COMPILE_WALL_SECONDS, Seconds, sandbox.load.compile_wall,
        "wall-clock time of a compilation, in a child process", "ends a compiler that hangs", at least 1),
    limit!(sandbox::COMPILE_MEMORY_BYTES, Bytes, sandbox.load.compile_memory_bytes,
        "address space of a compilation, in a child process", "the largest component that loads takes less"),
    limit!(sandbox::CACHE_BYTES, Bytes, sandbox.load.cache_bytes,
        "compiled code that is kept on disk", "some thousand workflows; the least recently used goes first"),
    limit!(sandbox::CACHED_PROGRAMS, Count, sandbox.load.cached_programs,
        "compiled components in memory", "the least recently used goes first", at least 1),
    limit!(quota::INSTANCES, Count, quotas.instances,
        "a tenant's instances that have not ended", "room for every workflow of a team, and an end to a loop that starts them"),
    limit!(quota::PENDING_APPROVALS, Count, quotas.pending_approvals,
        "a tenant's requests that wait for a decision", "more than people decide in a day"),
    limit!(quota::REQUESTS_PER_HOUR, Count, quotas.requests_per_hour,
        "a tenant's requests for approval in an hour", "people who are asked more often stop reading"),
    limit!(quota::STORED_BYTES, Bytes, quotas.stored_bytes,
        "stored data of a tenant: journals, requests, receipts, output, each component and each artifact once", "some 100 000 small instances"),
    limit!(quota::CONCURRENT_DRIVES, Count, quotas.concurrent_drives,
        "a tenant's instances that are driven at once", "a quarter of what is driven: no tenant has it all", at least 1),
    limit!(quota::RETENTION, Age, quotas.retention,
        "how long an ended instance is kept; an hour at least", "nothing is deleted unless an operator asks for it", at least SHORTEST_RETENTION),
    limit!(http::CONNECTIONS, Count, http.connections,
        "HTTP connections at once", "every follower, and the callers of a busy platform; further ones are closed", at least 1),
    limit!(http::REQUESTS, Count, http.requests,
        "HTTP requests being answered at once, once their bodies are there", "each may take a thread; further ones get 503 and may try again", at least 1),
    limit!(http::FOLLOWERS, Count, http.followers,
        "event streams at once", "an idle one takes some kilobytes"),
    limit!(http::HEAD_BYTES, Bytes, http.head_bytes,
        "the head of an HTTP request", "several times what browsers send"),
    limit!(http::HEAD_TIMEOUT_SECONDS, Seconds, http.head_timeout,
        "time to send the head of an HTTP request, and idle time between two requests", "ends idle connections", at least 1),
    limit!(http::BODY_BYTES, Bytes, http.body_bytes,
        "the body of an HTTP request; `component-bytes` bounds an uploaded workflow", "the largest parameters, escaped as JSON"),
    limit!(http::BODY_MEMORY_BYTES, Bytes, http.body_memory_bytes,
        "the bodies of all HTTP requests and answers under way together, without the first 4 KiB of each; and, counted separately, the events that followers have not read, and an eighth of it for callers without a valid token or session; no less than `component-bytes`", "bounds their memory, because each may be sent or read slowly; further bytes get 503"),
    limit!(http::TIMEOUT_SECONDS, Seconds, http.timeout,
        "time to send a body, to answer it, and to read a piece of the answer", "ends callers that send or read too slowly", at least 1),
    limit!(http::STREAM_SECONDS, Seconds, http.stream_time,
        "how long an event stream stays open", "the client resumes where it was"),
    limit!(http::TOKEN_REQUESTS, Count, http.token_requests,
        "HTTP requests a minute of one token", "ten a second; further ones get 429 and say when to try again", at least 1),
    limit!(http::TOKEN_CONCURRENCY, Count, http.token_concurrency,
        "HTTP requests of one token being answered at once", "a quarter of `http-requests`: no token has them all; further ones get 429", at least 1),
    limit!(notify::CONCURRENCY, Count, notify.concurrency,
        "notices that each channel sends at once", "a slow receiver delays its own notices only", at least 1),
    limit!(notify::TIMEOUT_SECONDS, Seconds, notify.timeout,
        "time of one attempt to deliver a notice", "ends a command or a receiver that hangs; the notice is sent again", at least 1),
    limit!(notify::MAX_BACKOFF_SECONDS, Seconds, notify.max_backoff,
        "the longest time between two attempts to deliver a notice", "a receiver that was down gets its notices within ten minutes of its return", at least 1),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_limit_reads_back_what_it_was_set_to_and_changes_no_other() {
        for limit in ALL {
            let mut limits = Limits::default();
            limit.set(&mut limits, 12_345).unwrap();
            for other in ALL {
                let expected = if other.name == limit.name { 12_345 } else { other.default() };
                assert_eq!(other.get(&limits), expected, "{} after setting {}", other.name, limit.name);
            }
        }
        let names: BTreeSet<_> = ALL.iter().map(|limit| limit.name).collect();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn a_name_that_is_nearly_right_is_understood() {
        for (wrong, right) in [
            ("feul", "fuel"),
            ("Memory_Bytes", "memory-bytes"),
            ("memory", "memory-bytes"),
            ("wall-clock", "wall-clock-seconds"),
            ("pending", "pending-approvals"),
            ("instance", "instances"),
        ] {
            assert_eq!(find(wrong).unwrap_err().nearest, right, "{wrong}");
        }
        assert!(!find(&"x".repeat(1 << 20)).unwrap_err().to_string().contains(&"x".repeat(65)));
    }

    #[test]
    fn the_least_value_is_the_least_that_is_taken() {
        for limit in ALL {
            let mut limits = Limits::default();
            assert_eq!(limit.parse(&limit.least.to_string()), Ok(limit.least), "{}", limit.name);
            assert!(limit.default() >= limit.least, "{}", limit.name);
            if let Some(less) = limit.least.checked_sub(1) {
                let too_small = InvalidValue::TooSmall(limit.unit.show(limit.least));
                assert_eq!(limit.check(less), Err(too_small.clone()), "{}", limit.name);
                assert_eq!(limit.parse(&less.to_string()), Err(too_small.clone()), "{}", limit.name);
                assert_eq!(limit.set(&mut limits, less), Err(too_small), "{}", limit.name);
                assert_eq!(limits, Limits::default(), "{}", limit.name);
            }
        }
        assert_eq!(find("retention").unwrap().least, 3_600);
    }

    #[test]
    fn a_value_that_cannot_be_stored_is_refused() {
        let calls = find("calls").unwrap();
        assert_eq!(calls.parse("4294967295"), Ok(u64::from(u32::MAX)));
        assert_eq!(calls.parse("4294967296"), Err(InvalidValue::TooLarge(u64::from(u32::MAX))));
    }
}
