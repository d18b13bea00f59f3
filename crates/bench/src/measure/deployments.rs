//! The real flow: a demo workflow of one of 64 tenants is created, asks, is approved by a signed decision, deploys to a resource of its own,
//! and ends. The same run measures a workflow whose action does nothing, and a bare commit.
//!
//! Left out: compiling, the person, and the network to a target elsewhere. All instances deploy the same bytes, so the artifact is written once.

use crate::fixture::{Action, Fixture, Guest};
use crate::measure::steps::{Bare, micros};
use crate::{Bench, Line, MeasureError, Target, median};
use engine::Start;
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::files::synchronisations;

/// Tenants that deploy in turns.
const TENANTS: u64 = 64;

/// Commits of the bare table in a round.
const COMMITS: u32 = 100;

/// Deployments behind the rate at the end.
const BEHIND: u64 = 100_000;

/// The result of one measurement of a rate.
struct Rate {
    per_second: f64,
    /// Processor time a workflow, of all threads, in milliseconds.
    processor: f64,
    /// Synchronisations of the disk a workflow.
    synchronisations: f64,
}

pub(crate) fn measure(bench: &Bench, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
    let deploying = Arc::new(Fixture::of(&bench.folder, Guest::Demo, Action::Deploys)?);
    let idle = Arc::new(Fixture::of(&bench.folder, Guest::Demo, Action::DoesNothing)?);
    let mut bare = Bare::open(&deploying.folder.path().join("bare.sqlite"))?;
    let time = bench.run_length.of(Duration::from_millis(400), Duration::from_secs(3));
    for at_once in [1, 16, 64, 256] {
        let (mut rates, mut ratios, mut beside) = (Vec::new(), Vec::new(), Vec::new());
        let (mut processor, mut syncs, mut commits) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..bench.run_length.of(1, 5) {
            for _ in 0..COMMITS {
                commits.push(micros(bare.commit(&["b".repeat(500)])?));
            }
            let nothing = idle.runtime.block_on(rate(&idle, at_once, time))?;
            let deployed = deploying.runtime.block_on(rate(&deploying, at_once, time))?;
            rates.push(deployed.per_second);
            beside.push(nothing.per_second);
            ratios.push(deployed.per_second / nothing.per_second);
            processor.push(deployed.processor);
            syncs.push(deployed.synchronisations);
        }
        let commit = median(&mut commits);
        let each = 1e6 / median(&mut rates) / commit;
        let lines = [
            Line::new(
                format!("approved and deployed workflows, {at_once} in flight"),
                median(&mut rates),
                "/s",
            ),
            Line::new("  the same with an action that does nothing", median(&mut beside), "/s"),
            Line::new("  deployed beside nothing done", median(&mut ratios), "×"),
            Line::new("  processor time a workflow", median(&mut processor), "ms"),
            Line::new("  synchronisations a workflow", median(&mut syncs), ""),
            Line::new("  a bare commit, median", commit, "µs"),
        ];
        for (number, line) in lines.into_iter().enumerate() {
            report(with_target(line, at_once, number, commit));
        }
        if at_once == 1 {
            report(Line::new("  bare commits a workflow", each, "").with(Target::AtMost(12.0)));
        }
    }
    behind(bench, &deploying, report)
}

/// The targets, at 64 in flight: the rate is that for a commit of 150 µs.
fn with_target(line: Line, at_once: u32, number: usize, commit: f64) -> Line {
    match (at_once, number) {
        (64, 0) => line.with(Target::AtLeast((1_900.0 * 150.0 / commit).round())),
        (64, 2) => line.with(Target::AtLeast(0.9)),
        (64, 3) => line.with(Target::AtMost(0.7)),
        (64, 4) => line.with(Target::AtMost(0.2)),
        _ => line,
    }
}

/// The rate with many finished deployments in the folder, compared with a new folder's, in turns.
fn behind(bench: &Bench, old: &Arc<Fixture>, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
    let count = bench.run_length.of(1_000, BEHIND);
    let done = AtomicU64::new(0);
    let began = Instant::now();
    while done.load(Ordering::Relaxed) < count {
        let time = Duration::from_millis(200);
        let made = old.runtime.block_on(rate(old, 64, time))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        done.fetch_add((made.per_second * time.as_secs_f64()) as u64, Ordering::Relaxed);
    }
    report(Line::new(format!("{count} more were deployed in"), began.elapsed().as_secs_f64(), "s"));
    let new = Arc::new(Fixture::of(&bench.folder, Guest::Demo, Action::Deploys)?);
    let time = bench.run_length.of(Duration::from_millis(400), Duration::from_secs(3));
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..bench.run_length.of(1, 8) {
        let first = new.runtime.block_on(rate(&new, 64, time))?.per_second;
        let second = old.runtime.block_on(rate(old, 64, time))?.per_second;
        rates.push(second);
        ratios.push(second / first);
    }
    report(Line::new("approved and deployed behind all of those, 64 in flight", median(&mut rates), "/s"));
    report(Line::new("  beside a new folder", median(&mut ratios), "×").with(Target::AtLeast(0.95)));
    Ok(())
}

/// Whole workflows, each followed by another.
async fn rate(fixture: &Arc<Fixture>, at_once: u32, time: Duration) -> Result<Rate, MeasureError> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let (began, processor, syncs) = (Instant::now(), processor_time(), synchronisations());
    let first = NUMBER.load(Ordering::Relaxed);
    let busy: Vec<_> = (0..at_once)
        .map(|_| {
            let fixture = Arc::clone(fixture);
            tokio::spawn(async move {
                while began.elapsed() < time {
                    whole(&fixture, NUMBER.fetch_add(1, Ordering::Relaxed)).await?;
                }
                Ok::<_, MeasureError>(())
            })
        })
        .collect();
    for busy in busy {
        busy.await??;
    }
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (done, syncs) =
        ((NUMBER.load(Ordering::Relaxed) - first) as f64, (synchronisations() - syncs) as f64);
    Ok(Rate {
        per_second: done / began.elapsed().as_secs_f64(),
        processor: (processor_time() - processor).as_secs_f64() * 1e3 / done,
        synchronisations: syncs / done,
    })
}

async fn whole(fixture: &Fixture, number: u64) -> Result<(), MeasureError> {
    let tenant = format!("tenant-{}", number % TENANTS).parse()?;
    let params = format!(r#"{{"resource":"cloudflare://workers/acme/app-{number}"}}"#);
    let start = Start::new(tenant, "agent:bench".parse()?, "tenant-workflow", &params);
    let key = fixture.host.create(&fixture.workflow, start).await?;
    let request = fixture.asked(&key).await?;
    fixture.approve(request).await?;
    fixture.finish(&key).await
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
