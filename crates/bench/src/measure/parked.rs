//! Very many instances that wait, in one data folder.

use crate::fixture::Fixture;
use crate::fixture::template::{Cast, Template};
use crate::measure::flow::APPROVED;
use crate::measure::steps::{Bare, micros};
use crate::{Bench, Line, MeasureError, Target, median, quantile};
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Commits between a decision and the end: the decision, the redemption, the outcome, the end.
const COMMITS: usize = 4;

pub(super) fn measure(bench: &Bench, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
    let ground = Fixture::new(&bench.folder)?;
    let (count, taken) = (bench.extent.of(5_000, 1_000_000), bench.extent.of(400, 12_000));
    let (key, _) = ground.runtime.block_on(ground.park(APPROVED))?;
    let began = Instant::now();
    let casts = Template::of(&ground, &key)?.cast(&ground, count, taken)?;
    report(Line::new(
        format!("{count} parked instances were written in"),
        began.elapsed().as_secs_f64(),
        "s",
    ));
    let ground = opened(ground, count, report)?;
    let (alone, together) = casts.split_at(casts.len() / 6);
    one_by_one(&ground, alone, report)?;
    many_at_once(ground, together, report)
}

fn opened(ground: Fixture, count: u32, report: &mut dyn FnMut(Line)) -> Result<Fixture, MeasureError> {
    let before = resident_bytes()?;
    let folder = ground.folder.path().to_owned();
    let began = Instant::now();
    let ground = ground.reopened()?;
    report(
        Line::new("to open the folder", began.elapsed().as_secs_f64() * 1e3, "ms").with(Target::AtMost(1e3)),
    );
    let disk = fs::metadata(folder.join("journal.sqlite"))?.len();
    report(Line::new("disk each", of(disk, count), "B").with(Target::AtMost(1024.0)));
    let grown = resident_bytes()?.saturating_sub(before);
    report(Line::new("memory each, after opening", of(grown, count), "B"));
    Ok(ground)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn of(bytes: u64, count: u32) -> f64 {
    bytes as f64 / f64::from(count)
}

/// Bytes of memory that this process has.
fn resident_bytes() -> Result<u64, MeasureError> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).ok_or("no resident pages")?.parse()?;
    Ok(pages * rustix::param::page_size() as u64)
}

fn one_by_one(ground: &Fixture, casts: &[Cast], report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
    let mut bare = Bare::open(&ground.folder.path().join("bare.sqlite"))?;
    let (mut times, mut commits) = (Vec::new(), Vec::new());
    for cast in casts {
        times.push(ground.runtime.block_on(decided(ground, cast))?);
        let four: Result<Vec<_>, _> =
            (0..COMMITS).map(|_| bare.commit(&["b".repeat(500)]).map(micros)).collect();
        commits.push(four?.iter().sum::<f64>());
    }
    let beyond = quantile(&mut times, 0.99) - quantile(&mut commits, 0.99);
    report(Line::new("decision → completed, one at a time, median", median(&mut times), "µs"));
    report(Line::new("  99 of 100", quantile(&mut times, 0.99), "µs"));
    report(Line::new("  99 of 100, beyond that of its four commits", beyond, "µs").with(Target::AtMost(3e3)));
    Ok(())
}

async fn decided(ground: &Fixture, cast: &Cast) -> Result<f64, MeasureError> {
    let began = Instant::now();
    ground.approve(cast.request.clone().ok_or("nothing to decide")?).await?;
    ground.finish(&cast.key).await?;
    Ok(micros(began.elapsed()))
}

fn many_at_once(ground: Fixture, casts: &[Cast], report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
    let waiting: Vec<_> =
        casts.iter().map(|cast| Cast { key: cast.key.clone(), request: cast.request.clone() }).collect();
    let (ground, waiting) = (Arc::new(ground), Arc::new(Mutex::new(waiting)));
    let began = Instant::now();
    let take = || -> Result<(), MeasureError> {
        let busy: Vec<_> = (0..64)
            .map(|_| {
                let (ground, waiting) = (Arc::clone(&ground), Arc::clone(&waiting));
                ground.clone().runtime.spawn(async move {
                    loop {
                        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
                        let Some(cast) = next else { return Ok::<_, MeasureError>(()) };
                        decided(&ground, &cast).await?;
                    }
                })
            })
            .collect();
        busy.into_iter().try_for_each(|busy| ground.runtime.block_on(busy)?)
    };
    take()?;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = casts.len() as f64 / began.elapsed().as_secs_f64();
    report(Line::new("decisions taken to the end, 64 in flight", rate, "/s").with(Target::AtLeast(2e3)));
    Ok(())
}
