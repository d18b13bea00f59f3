//! The rate of a host with many finished instances, compared with a new one.

use crate::fixture::Fixture;
use crate::fixture::template::Template;
use crate::measure::flow::{PLAIN, instance_rate};
use crate::{Bench, Line, MeasureError, Target, median};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) fn measure(bench: &Bench, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
    let (old, new) = (Fixture::new(&bench.folder)?, Arc::new(Fixture::new(&bench.folder)?));
    let finished = bench.run_length.of(2_000, 100_000);
    let key = old.runtime.block_on(async {
        let key = old.create(PLAIN).await?;
        old.finish(&key).await?;
        Ok::<_, MeasureError>(key)
    })?;
    let began = Instant::now();
    Template::of(&old, &key)?.copies(&old, finished, 0)?;
    report(Line::new(
        format!("{finished} finished instances were written in"),
        began.elapsed().as_secs_f64(),
        "s",
    ));
    let old = Arc::new(old.reopened()?);
    let time = bench.run_length.of(Duration::from_millis(400), Duration::from_secs(3));
    let (mut before, mut after, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.run_length.of(2, 10) {
        let first = new.runtime.block_on(instance_rate(&new, PLAIN, 16, time))?;
        let second = old.runtime.block_on(instance_rate(&old, PLAIN, 16, time))?;
        before.push(first);
        after.push(second);
        ratios.push(second / first);
    }
    report(Line::new(
        "instances of three steps, 16 at a time, on an empty folder",
        median(&mut before),
        "/s",
    ));
    report(Line::new("the same behind all of those", median(&mut after), "/s"));
    report(Line::new("beside an empty folder", median(&mut ratios), "×").with(Target::AtLeast(0.95)));
    Ok(())
}
