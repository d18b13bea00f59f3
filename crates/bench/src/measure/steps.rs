//! A durable step compared with a bare, synchronised commit of the same bytes to the same disk.

use crate::fixture::Fixture;
use crate::{Bench, Line, MeasureError, Target, median, quantile};
use rusqlite::Connection;
use std::path::Path;
use std::time::{Duration, Instant};
use workflow::Entry;

/// Steps of one instance, and commits, in a round.
const ROUND: u32 = 200;

/// Rounds in which the logs still grow.
const GROWING: u32 = 85;

pub(crate) fn measure(bench: &Bench, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
    let fixture = Fixture::new(&bench.folder)?;
    let params = format!(r#"{{"steps":{ROUND},"result":"{}"}}"#, "r".repeat(100));
    let bodies = bodies_of_a_step(&fixture, &params)?;
    let mut bare = Bare::open(&fixture.folder.path().join("bare.sqlite"))?;
    let (mut commits, mut steps, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // Until both logs have been written to their end once: a file that grows is slower to synchronise, as both are in their first seconds.
    for number in 0..bench.run_length.of(1 + 4, GROWING + 20) {
        let mut round = Vec::new();
        for _ in 0..ROUND {
            round.push(micros(bare.commit(&bodies)?));
        }
        let step = fixture.runtime.block_on(async {
            let key = fixture.create(&params).await?;
            let began = Instant::now();
            fixture.finish(&key).await?;
            Ok::<_, MeasureError>(micros(began.elapsed()) / f64::from(ROUND))
        })?;
        if number < bench.run_length.of(1, GROWING) {
            continue;
        }
        let mean = round.iter().sum::<f64>() / f64::from(ROUND);
        commits.append(&mut round);
        steps.push(step);
        ratios.push(step / mean);
    }
    report(Line::new("a bare commit of a step's bytes, median", median(&mut commits), "µs"));
    report(Line::new("  99 of 100", quantile(&mut commits, 0.99), "µs"));
    report(Line::new("a durable step: guest, journal, commit; median of means", median(&mut steps), "µs"));
    report(
        Line::new("a durable step beside a bare commit", median(&mut ratios), "×").with(Target::AtMost(1.3)),
    );
    Ok(())
}

/// The texts of the entries that one step makes.
fn bodies_of_a_step(fixture: &Fixture, params: &str) -> Result<Vec<String>, MeasureError> {
    let key = fixture.runtime.block_on(async {
        let key = fixture.create(params).await?;
        fixture.finish(&key).await?;
        Ok::<_, MeasureError>(key)
    })?;
    let of_a_step = |entry: &Entry| {
        matches!(entry, Entry::StepStarted { call: 0, .. } | Entry::StepCompleted { call: 0, .. })
    };
    let facts = fixture.host.audit(Some(&key))?;
    let entries = facts.iter().map(|fact| &fact.entry).filter(|entry| of_a_step(entry));
    Ok(entries.map(serde_json::to_string).collect::<Result<_, _>>()?)
}

/// A table that is only appended to.
pub(crate) struct Bare(Connection);

impl Bare {
    pub(crate) fn open(path: &Path) -> Result<Self, MeasureError> {
        let database = Connection::open(path)?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "FULL")?;
        database.execute_batch("CREATE TABLE bare (seq INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT")?;
        Ok(Self(database))
    }

    pub(crate) fn commit(&mut self, bodies: &[String]) -> Result<Duration, MeasureError> {
        let began = Instant::now();
        let transaction = self.0.transaction()?;
        for body in bodies {
            transaction.prepare_cached("INSERT INTO bare (body) VALUES (?1)")?.execute([body])?;
        }
        transaction.commit()?;
        Ok(began.elapsed())
    }
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
