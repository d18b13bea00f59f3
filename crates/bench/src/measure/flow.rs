//! Rates: entries and whole instances per second, with few and with many in flight; and the latency of one.

use crate::fixture::{Fixture, IN_FLIGHT_MAX};
use crate::measure::steps::micros;
use crate::{Bench, Line, MeasureError, Target, median, quantile};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use store::DataFolder;
use store::JournalStore as _;
use store_sqlite::Sqlite;

/// Three steps.
pub(crate) const PLAIN: &str = r#"{"steps":3,"result":"done"}"#;

/// Three steps, an approval, and a deployment.
pub(crate) const APPROVED: &str = r#"{"steps":3,"result":"done","approve":true,"deploy":true}"#;

/// Steps of an instance whose entries are counted, for any number in flight.
const STEPS: u32 = 100;

pub(crate) fn entries(bench: &Bench, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
    let fixture = Arc::new(Fixture::new(&bench.folder)?);
    let in_flight = [(1, 10), (64, 1), (IN_FLIGHT_MAX, 1)];
    let mut rates = in_flight.map(|_| Vec::new());
    for _ in 0..bench.run_length.of(2, 12) {
        for (rates, (at_once, turns)) in rates.iter_mut().zip(in_flight) {
            rates.push(fixture.runtime.block_on(entry_rate(&fixture, at_once, turns))?);
        }
    }
    let rates = rates.map(|mut rates| median(&mut rates));
    for (rate, (at_once, _)) in rates.iter().zip(in_flight) {
        report(Line::new(format!("entries recorded, {at_once} in flight"), *rate, "/s"));
    }
    report(Line::new("64 in flight beside 1", rates[1] / rates[0], "×").with(Target::AtLeast(4.0)));
    report(Line::new("1 024 in flight beside 1", rates[2] / rates[0], "×").with(Target::AtLeast(15.0)));
    Ok(())
}

/// Entries a second of instances that only do steps, some at once and some in turns. They are created before the clock runs.
async fn entry_rate(fixture: &Arc<Fixture>, at_once: u32, turns: u32) -> Result<f64, MeasureError> {
    let params = format!(r#"{{"steps":{STEPS},"result":"{}"}}"#, "r".repeat(100));
    let mut created = Vec::new();
    for _ in 0..at_once * turns {
        let (fixture, params) = (Arc::clone(fixture), params.clone());
        created.push(tokio::spawn(async move { fixture.create(&params).await }));
    }
    let mut keys = Vec::new();
    for created in created {
        keys.push(created.await??);
    }
    let began = Instant::now();
    let driven: Vec<_> = keys
        .chunks(turns as usize)
        .map(|keys| {
            let (fixture, keys) = (Arc::clone(fixture), keys.to_vec());
            tokio::spawn(async move {
                for key in keys {
                    fixture.finish(&key).await?;
                }
                Ok::<_, MeasureError>(())
            })
        })
        .collect();
    for driven in driven {
        driven.await??;
    }
    Ok(f64::from(at_once * turns) * f64::from(2 * STEPS + 1) / began.elapsed().as_secs_f64())
}

pub(crate) fn instances(bench: &Bench, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
    let fixture = Arc::new(Fixture::new(&bench.folder)?);
    let time = bench.run_length.of(Duration::from_millis(500), Duration::from_secs(8));
    for (params, what) in [(PLAIN, "three steps"), (APPROVED, "three steps, approval, deployment")] {
        for at_once in [1, 16, 64] {
            let rate = fixture.runtime.block_on(instance_rate(&fixture, params, at_once, time))?;
            report(Line::new(format!("whole instances of {what}, {at_once} at a time"), rate, "/s"));
        }
    }
    latencies(bench, &fixture, report)?;
    reader_lookups(&fixture, report)
}

/// Whole instances per second, each followed by another.
pub(crate) async fn instance_rate(
    fixture: &Arc<Fixture>,
    params: &'static str,
    at_once: u32,
    time: Duration,
) -> Result<f64, MeasureError> {
    let (done, began) = (Arc::new(AtomicU32::new(0)), Instant::now());
    let busy: Vec<_> = (0..at_once)
        .map(|_| {
            let (fixture, done) = (Arc::clone(fixture), Arc::clone(&done));
            tokio::spawn(async move {
                while began.elapsed() < time {
                    whole(&fixture, params).await?;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, MeasureError>(())
            })
        })
        .collect();
    for busy in busy {
        busy.await??;
    }
    Ok(f64::from(done.load(Ordering::Relaxed)) / began.elapsed().as_secs_f64())
}

async fn whole(fixture: &Fixture, params: &str) -> Result<(), MeasureError> {
    if params != APPROVED {
        let key = fixture.create(params).await?;
        return fixture.finish(&key).await;
    }
    let (key, request) = fixture.park(params).await?;
    fixture.approve(request).await?;
    fixture.finish(&key).await
}

fn latencies(bench: &Bench, fixture: &Fixture, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
    let (mut parked, mut resumed) = (Vec::new(), Vec::new());
    for _ in 0..bench.run_length.of(20, 500) {
        fixture.runtime.block_on(async {
            let began = Instant::now();
            let (key, request) = fixture.park(APPROVED).await?;
            parked.push(micros(began.elapsed()));
            let began = Instant::now();
            fixture.approve(request).await?;
            fixture.finish(&key).await?;
            resumed.push(micros(began.elapsed()));
            Ok::<_, MeasureError>(())
        })?;
    }
    for (what, mut times) in [("created → parked", parked), ("decision → completed", resumed)] {
        report(Line::new(format!("{what}, median"), median(&mut times), "µs"));
        report(Line::new(format!("{what}, 99 of 100"), quantile(&mut times, 0.99), "µs"));
    }
    Ok(())
}

/// The time that a reader without the writer's cache takes to read an instance's journal: it scans the tail for the
/// journal's end. Measured over enough entries to take the tail from its beginning past its greatest length.
fn reader_lookups(fixture: &Fixture, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
    const STEPS: &str = r#"{"steps":100,"result":"done"}"#;
    let store = Sqlite::open(&DataFolder::read(fixture.folder.path())?)?;
    let (mut times, key) = (Vec::new(), fixture.runtime.block_on(fixture.create(PLAIN))?);
    fixture.runtime.block_on(fixture.finish(&key))?;
    for _ in 0..50 {
        let other = fixture.runtime.block_on(fixture.create(STEPS))?;
        fixture.runtime.block_on(fixture.finish(&other))?;
        let began = Instant::now();
        store.facts(Some(&key)).wait()?;
        times.push(micros(began.elapsed()));
    }
    report(Line::new("a journal of three steps, read by another process, median", median(&mut times), "µs"));
    report(Line::new("the same, 99 of 100", quantile(&mut times, 0.99), "µs"));
    Ok(())
}
