//! Very many instances that wait, in one data folder.

use crate::fixture::Fixture;
use crate::fixture::template::{InstanceCopy, Template};
use crate::measure::flow::APPROVED;
use crate::measure::steps::{Bare, micros};
use crate::{Bench, Line, MeasureError, Target, median, quantile};
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Commits between a decision and the end: the decision, the redemption, the outcome, the end.
const COMMITS: usize = 4;

pub(crate) fn measure(bench: &Bench, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
    let fixture = Fixture::new(&bench.folder)?;
    let (count, taken) = (bench.run_length.of(5_000, 1_000_000), bench.run_length.of(400, 12_000));
    let (key, _) = fixture.runtime.block_on(fixture.park(APPROVED))?;
    let began = Instant::now();
    let copies = Template::of(&fixture, &key)?.copies(&fixture, count, taken)?;
    report(Line::new(
        format!("{count} parked instances were written in"),
        began.elapsed().as_secs_f64(),
        "s",
    ));
    let fixture = opened(fixture, count, report)?;
    let (alone, together) = copies.split_at(copies.len() / 6);
    one_by_one(&fixture, alone, report)?;
    many_at_once(fixture, together, report)
}

fn opened(fixture: Fixture, count: u32, report: &mut dyn FnMut(Line)) -> Result<Fixture, MeasureError> {
    let before = resident_bytes()?;
    let folder = fixture.folder.path().to_owned();
    let began = Instant::now();
    let fixture = fixture.reopened()?;
    report(
        Line::new("to open the folder", began.elapsed().as_secs_f64() * 1e3, "ms").with(Target::AtMost(1e3)),
    );
    let disk = fs::metadata(folder.join("journal.sqlite"))?.len();
    report(Line::new("disk each", of(disk, count), "B").with(Target::AtMost(1024.0)));
    let grown = resident_bytes()?.saturating_sub(before);
    report(Line::new("memory each, after opening", of(grown, count), "B"));
    Ok(fixture)
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

fn one_by_one(
    fixture: &Fixture,
    copies: &[InstanceCopy],
    report: &mut dyn FnMut(Line),
) -> Result<(), MeasureError> {
    let mut bare = Bare::open(&fixture.folder.path().join("bare.sqlite"))?;
    let (mut times, mut commits) = (Vec::new(), Vec::new());
    for copy in copies {
        times.push(fixture.runtime.block_on(decided(fixture, copy))?);
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

async fn decided(fixture: &Fixture, copy: &InstanceCopy) -> Result<f64, MeasureError> {
    let began = Instant::now();
    fixture.approve(copy.request.clone().ok_or("nothing to decide")?).await?;
    fixture.finish(&copy.key).await?;
    Ok(micros(began.elapsed()))
}

fn many_at_once(
    fixture: Fixture,
    copies: &[InstanceCopy],
    report: &mut dyn FnMut(Line),
) -> Result<(), MeasureError> {
    let waiting: Vec<_> = copies
        .iter()
        .map(|copy| InstanceCopy { key: copy.key.clone(), request: copy.request.clone() })
        .collect();
    let (fixture, waiting) = (Arc::new(fixture), Arc::new(Mutex::new(waiting)));
    let began = Instant::now();
    let take = || -> Result<(), MeasureError> {
        let busy: Vec<_> = (0..64)
            .map(|_| {
                let (fixture, waiting) = (Arc::clone(&fixture), Arc::clone(&waiting));
                fixture.clone().runtime.spawn(async move {
                    loop {
                        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
                        let Some(copy) = next else { return Ok::<_, MeasureError>(()) };
                        decided(&fixture, &copy).await?;
                    }
                })
            })
            .collect();
        busy.into_iter().try_for_each(|busy| fixture.runtime.block_on(busy)?)
    };
    take()?;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = copies.len() as f64 / began.elapsed().as_secs_f64();
    report(Line::new("decisions taken to the end, 64 in flight", rate, "/s").with(Target::AtLeast(2e3)));
    Ok(())
}
