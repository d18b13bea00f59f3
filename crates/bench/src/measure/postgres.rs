//! Hosts over one PostgreSQL, beside a bare synchronous commit of one row to the same server and beside the engine over SQLite, in one run.

use crate::fixture::Guest;
use crate::fixture::hosts::{HostEvent, HostProcess, Hosts, What};
use crate::measure::flow::{APPROVED, PLAIN};
use crate::measure::steps;
use crate::measure::steps::micros;
use crate::{Line, MeasureError, RunLength, Target, median, quantile};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, Statement};

/// The targets. A step, beside a bare commit of one row.
const STEP: f64 = 1.5;
/// Entries a second with [`IN_FLIGHT`] instances, beside bare commits a second.
const GROUPED: f64 = 20.0;
/// Whole workflows a second on two hosts, beside one.
const TWO_HOSTS: f64 = 1.3;
/// The rate behind finished instances, beside a new database.
const BEHIND: f64 = 0.95;
/// Seconds until a dead host's instances are another's, beyond the time of a claim.
const TAKEOVER: f64 = 1.0;
/// Commits between a decision on one host and the end of the workflow on another, beyond the poll.
const COMMITS: f64 = 3.0;

/// The time of a claim, in seconds, and the interval of the poll for what other hosts append.
const CLAIM: f64 = 10.0;
const POLL: Duration = Duration::from_millis(250);

/// Steps of an instance, and bare commits, in a round.
const ROUND: u32 = 200;
/// Instances in flight, and the steps of each.
const IN_FLIGHT: u32 = 256;
const STEPS: u32 = 100;
/// Whole workflows in flight.
const FLOWS: u32 = 64;

/// The measurements of hosts over one server.
pub struct HostsBench<'a> {
    /// The URL of a schema that was migrated and has nothing in it.
    pub url: &'a str,
    /// The URL of another one.
    pub second: &'a str,
    /// Folders of hosts are made in here.
    pub folder: &'a Path,
    /// The length of the run.
    pub run_length: RunLength,
}

/// A section of the measurements of hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostsSection {
    /// A durable step, beside a bare commit.
    Steps,
    /// A durable step in the engine over SQLite.
    Sqlite,
    /// Entries a second of many instances.
    Entries,
    /// Approved workflows on one host and on two.
    Flows,
    /// From a decision on one host to the end on another.
    Decisions,
    /// From the death of a host to the end of its instances on another.
    Takeover,
    /// The rate behind many finished instances.
    Behind,
}

impl HostsSection {
    /// All, in the order in which they are measured.
    pub const ALL: [Self; 7] = [
        Self::Steps,
        Self::Sqlite,
        Self::Entries,
        Self::Flows,
        Self::Decisions,
        Self::Takeover,
        Self::Behind,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Sqlite => "sqlite",
            Self::Entries => "entries",
            Self::Flows => "flows",
            Self::Decisions => "decisions",
            Self::Takeover => "takeover",
            Self::Behind => "behind",
        }
    }
}

impl HostsBench<'_> {
    /// Measures sections.
    ///
    /// # Errors
    /// When something could not be measured.
    pub fn run(&self, sections: &[HostsSection], report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
        // Hosts of all measurements have the same keys, which are in here.
        let folder = tempfile::Builder::new().prefix("pp-bench-hosts-").tempdir_in(self.folder)?;
        HostsBench { folder: folder.path(), ..*self }.measure(sections, report)
    }

    fn measure(&self, sections: &[HostsSection], report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
        let mut bare = Bare::open(self.url)?;
        for section in sections {
            match section {
                HostsSection::Steps => self.steps(&mut bare, report)?,
                HostsSection::Sqlite => self.sqlite(report)?,
                HostsSection::Entries => self.entries(&mut bare, report)?,
                HostsSection::Flows => self.flows(report)?,
                HostsSection::Decisions => self.decisions(&mut bare, report)?,
                HostsSection::Takeover => self.takeover(report)?,
                HostsSection::Behind => self.behind(report)?,
            }
        }
        Ok(())
    }

    /// One step at a time in the engine over SQLite.
    fn sqlite(&self, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
        let sqlite = crate::Bench { folder: self.folder.to_owned(), run_length: RunLength::Quick };
        steps::measure(&sqlite, &mut |line| {
            report(Line { what: format!("SQLite: {}", line.what), target: None, ..line });
        })
    }

    /// One step at a time, beside bare commits.
    fn steps(&self, bare: &mut Bare, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
        let mut hosts = self.working(self.url, Guest::Paces, 1)?;
        let params = format!(r#"{{"steps":{ROUND},"result":"{}"}}"#, "r".repeat(100));
        let (mut commits, mut steps, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..self.run_length.of(3, 25) {
            let mut round = bare.commits(ROUND)?;
            let runtime = hosts.runtime.handle().clone();
            let step = runtime.block_on(async {
                hosts.create(0, &params).await?;
                let began = loop {
                    if let HostEvent { what: What::Begun, at } = hosts.next().await? {
                        break at;
                    }
                };
                Ok::<_, MeasureError>(micros(hosts.ended(1).await? - began) / f64::from(ROUND))
            })?;
            // Statements are prepared in the first round.
            if number > 0 {
                ratios.push(step / median(&mut round));
                steps.push(step);
                commits.append(&mut round);
            }
        }
        hosts.stop(0)?;
        let what = "a bare synchronous commit of one row, median";
        report(Line::new(what, median(&mut commits), "µs"));
        report(Line::new("  99 of 100", quantile(&mut commits, 0.99), "µs"));
        report(Line::new(
            "a durable step: guest, journal, commit; median of means",
            median(&mut steps),
            "µs",
        ));
        let beside = Line::new("a durable step beside a bare commit", median(&mut ratios), "×");
        report(beside.with(Target::AtMost(STEP)));
        Ok(())
    }

    /// Entries a second of many instances, which exist before the clock runs.
    fn entries(&self, bare: &mut Bare, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
        let mut hosts = Hosts::open(self.url, self.folder, Guest::Paces, 1)?;
        let params = format!(r#"{{"steps":{STEPS},"result":"{}"}}"#, "r".repeat(100));
        let (mut rates, mut commits) = (Vec::new(), Vec::new());
        for _ in 0..self.run_length.of(1, 5) {
            commits.append(&mut bare.commits(ROUND)?);
            let runtime = hosts.runtime.handle().clone();
            for _ in 0..IN_FLIGHT {
                runtime.block_on(hosts.create(0, &params))?;
            }
            hosts.work(0);
            let (mut began, mut left) = (None, IN_FLIGHT);
            let ended = runtime.block_on(async {
                loop {
                    let HostEvent { what, at } = hosts.next().await?;
                    match what {
                        What::Begun => drop(began.get_or_insert(at)),
                        What::Ended => left -= 1,
                        _ => {}
                    }
                    if left == 0 {
                        return Ok::<_, MeasureError>(at);
                    }
                }
            })?;
            let time = ended - began.unwrap_or(ended);
            rates.push(f64::from(IN_FLIGHT * (2 * STEPS + 1)) / time.as_secs_f64());
            hosts.stop(0)?;
        }
        let rate = median(&mut rates);
        report(Line::new(format!("entries recorded, {IN_FLIGHT} in flight"), rate, "/s"));
        let beside = rate * median(&mut commits) / 1e6;
        let beside = Line::new("  beside bare commits one after the other", beside, "×");
        report(beside.with(Target::AtLeast(GROUPED)));
        Ok(())
    }

    /// Whole approved workflows on one host, and on two.
    fn flows(&self, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
        let mut hosts = self.working(self.url, Guest::Paces, 2)?;
        let (mut one, mut two, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.run_length.of(1, 5) {
            let both = self.rate(&mut hosts, deploying)?;
            hosts.stop(1)?;
            hosts.settle()?;
            let alone = self.rate(&mut hosts, deploying)?;
            hosts.work(1);
            hosts.settle()?;
            ratios.push(both / alone);
            one.push(alone);
            two.push(both);
        }
        let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let what = format!("approved and deployed workflows, {FLOWS} in flight");
        report(Line::new(format!("{what}, one host"), median(&mut one), "/s"));
        report(Line::new(format!("{what}, two hosts"), median(&mut two), "/s"));
        let beside = format!("  two hosts beside one, with {processors} processors for both and the server");
        report(Line::new(beside, median(&mut ratios), "×").with(Target::AtLeast(TWO_HOSTS)));
        Ok(())
    }

    /// Whole workflows a second, each followed by another, created on every host in turns and approved on the one that asks.
    fn rate(&self, hosts: &mut Hosts, params: fn(u32) -> String) -> Result<f64, MeasureError> {
        let time = self.run_length.of(Duration::from_secs(2), Duration::from_secs(10));
        let runtime = hosts.runtime.handle().clone();
        runtime.block_on(async {
            let began = Instant::now();
            for number in 0..FLOWS {
                hosts.create_soon(number as usize, &params(number));
            }
            let (mut done, mut left) = (0_u32, FLOWS);
            while left > 0 {
                match hosts.next().await?.what {
                    What::Asked(number, request) => hosts.approve(number, request),
                    What::Ended => {
                        done += 1;
                        match began.elapsed() < time {
                            true => hosts.create_soon(done as usize, &params(FLOWS + done)),
                            false => left -= 1,
                        }
                    }
                    What::Begun | What::Failed(_) => {}
                }
            }
            Ok(f64::from(done) / began.elapsed().as_secs_f64())
        })
    }

    /// From a decision on one host to the end of the workflow on another.
    fn decisions(&self, bare: &mut Bare, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
        let mut hosts = Hosts::open(self.url, self.folder, Guest::Paces, 2)?;
        hosts.work(0);
        hosts.settle()?;
        let (mut times, mut commits) = (Vec::new(), Vec::new());
        for number in 0..self.run_length.of(20, 100) {
            commits.append(&mut bare.commits(10)?);
            let runtime = hosts.runtime.handle().clone();
            let time = runtime.block_on(async {
                hosts.create(0, APPROVED).await?;
                let request = loop {
                    if let What::Asked(_, request) = hosts.next().await?.what {
                        break request;
                    }
                };
                // At any moment between two polls.
                tokio::time::sleep(POLL * (number * 37 % 100) / 100).await;
                let began = Instant::now();
                hosts.approve(1, request);
                Ok::<_, MeasureError>(hosts.ended(1).await? - began)
            })?;
            times.push(micros(time) / 1e3);
        }
        hosts.stop(0)?;
        let target = COMMITS * median(&mut commits) / 1e3 + POLL.as_secs_f64() * 1e3;
        let what = "a decision on one host → completed on another, median";
        report(Line::new(what, median(&mut times), "ms").with(Target::AtMost(target.round())));
        report(Line::new("  99 of 100", quantile(&mut times, 0.99), "ms"));
        Ok(())
    }

    /// From the death of a host, which is a process of its own, to the end of instances that were its.
    fn takeover(&self, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
        let mut hosts = Hosts::open(self.url, self.folder, Guest::Paces, 1)?;
        hosts.work(0);
        let mut times = Vec::new();
        for _ in 0..self.run_length.of(2, 5) {
            let process = HostProcess::start(self.url, self.folder)?;
            hosts.settle_with(1)?;
            process.kill()?;
            let (began, runtime) = (Instant::now(), hosts.runtime.handle().clone());
            let ended = runtime.block_on(async {
                for _ in 0..FLOWS {
                    hosts.create(0, PLAIN).await?;
                }
                hosts.ended(FLOWS).await
            })?;
            times.push((ended - began).as_secs_f64());
        }
        hosts.stop(0)?;
        let most = Target::AtMost(CLAIM + TAKEOVER);
        report(
            Line::new("instances of a killed host have ended on another, median", median(&mut times), "s")
                .with(most),
        );
        report(Line::new("  the longest", quantile(&mut times, 1.0), "s"));
        Ok(())
    }

    /// The rate behind many finished instances, beside that in a new database, in turns.
    fn behind(&self, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
        let mut old = self.working(self.url, Guest::Paces, 1)?;
        let (count, began) = (self.run_length.of(2_000, 100_000), Instant::now());
        let runtime = old.runtime.handle().clone();
        runtime.block_on(async {
            let (mut made, mut left) = (0, count);
            while left > 0 {
                while made < count && made + left < count + 4 * IN_FLIGHT {
                    old.create_soon(0, PLAIN);
                    made += 1;
                }
                if let What::Ended = old.next().await?.what {
                    left -= 1;
                }
            }
            Ok::<_, MeasureError>(())
        })?;
        report(Line::new(
            format!("{count} instances of three steps ran in"),
            began.elapsed().as_secs_f64(),
            "s",
        ));
        let mut new = self.working(self.second, Guest::Paces, 1)?;
        let (mut rates, mut ratios) = (Vec::new(), Vec::new());
        for _ in 0..self.run_length.of(1, 5) {
            let first = self.rate(&mut new, |_| PLAIN.to_owned())?;
            let second = self.rate(&mut old, |_| PLAIN.to_owned())?;
            rates.push(second);
            ratios.push(second / first);
        }
        report(Line::new(
            format!("instances of three steps behind those, {FLOWS} in flight"),
            median(&mut rates),
            "/s",
        ));
        report(Line::new("  beside a new database", median(&mut ratios), "×").with(Target::AtLeast(BEHIND)));
        Ok(())
    }

    fn working(&self, url: &str, guest: Guest, count: usize) -> Result<Hosts, MeasureError> {
        let mut hosts = Hosts::open(url, self.folder, guest, count)?;
        (0..count).for_each(|number| hosts.work(number));
        hosts.settle()?;
        Ok(hosts)
    }
}

/// The parameters of a workflow that deploys to a resource of its own.
fn deploying(number: u32) -> String {
    format!(r#"{},"resource":"cloudflare://workers/paces/app-{number}"}}"#, APPROVED.trim_end_matches('}'))
}

/// A table that is only appended to, on a connection of its own.
struct Bare {
    runtime: Runtime,
    client: Client,
    insert: Statement,
}

impl Bare {
    fn open(url: &str) -> Result<Self, MeasureError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (client, insert) = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            client
                .batch_execute(
                    "CREATE TABLE bare (seq bigint GENERATED ALWAYS AS IDENTITY, body text NOT NULL)",
                )
                .await?;
            let insert = client.prepare("INSERT INTO bare (body) VALUES ($1)").await?;
            Ok::<_, MeasureError>((client, insert))
        })?;
        Ok(Self { runtime, client, insert })
    }

    /// The times of commits of a step's bytes, in microseconds.
    fn commits(&mut self, count: u32) -> Result<Vec<f64>, MeasureError> {
        let body = "b".repeat(250);
        self.runtime.block_on(async {
            let mut times = Vec::new();
            for _ in 0..count {
                let began = Instant::now();
                self.client.execute(&self.insert, &[&body]).await?;
                times.push(micros(began.elapsed()));
            }
            Ok(times)
        })
    }
}
