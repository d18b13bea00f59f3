//! Benchmarks: the cost of durability on this machine, the same figures from `pp-host bench` and from `cargo bench`.
//! Nothing here asserts; a figure that has a target is printed with it.
//!
//! Alternatives are measured in turns in one run: absolute figures vary with the machine, ratios much less.

mod fixture;
mod measure;

pub use fixture::hosts::work_if_host;
pub use measure::postgres::{HostsBench, HostsSection};

use measure::{deployments, flow, history, parked, steps};
use std::fmt;
use std::path::PathBuf;

/// The error that ends a measurement.
pub type MeasureError = Box<dyn std::error::Error + Send + Sync>;

/// The length of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunLength {
    /// Some seconds a section: to see that it works.
    Quick,
    /// Minutes: to have figures.
    Whole,
}

impl RunLength {
    fn of<T>(self, quick: T, whole: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Whole => whole,
        }
    }
}

/// A group of measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// A durable step compared with a bare commit of the same bytes.
    Steps,
    /// Entries recorded a second, with few and many instances in flight.
    Entries,
    /// Whole instances per second, and the time to park and to resume.
    Instances,
    /// The real flow: workflows that are approved and deploy, with processor time and synchronisations.
    Deployments,
    /// The rate with many finished instances behind it.
    History,
    /// Many instances that wait, in one data folder.
    Parked,
}

impl Section {
    /// Every section, in order.
    pub const ALL: [Self; 6] =
        [Self::Steps, Self::Entries, Self::Instances, Self::Deployments, Self::History, Self::Parked];

    /// Its name, for the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Entries => "entries",
            Self::Instances => "instances",
            Self::Deployments => "deployments",
            Self::History => "history",
            Self::Parked => "parked",
        }
    }
}

/// The place and the length of a run.
#[derive(Debug, Clone)]
pub struct Bench {
    /// Temporary data folders are made in here: the disk counts.
    pub folder: PathBuf,
    /// The length of the run.
    pub run_length: RunLength,
}

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Of what.
    pub what: String,
    /// The figure.
    pub figure: f64,
    /// Its unit.
    pub unit: &'static str,
    /// The target, if it has one.
    pub target: Option<Target>,
}

/// A figure's target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
}

impl Bench {
    /// Measures one thing.
    ///
    /// # Errors
    /// When it could not be measured.
    pub fn run(&self, section: Section, report: &mut dyn FnMut(Line)) -> Result<(), MeasureError> {
        match section {
            Section::Steps => steps::measure(self, report),
            Section::Entries => flow::entries(self, report),
            Section::Instances => flow::instances(self, report),
            Section::Deployments => deployments::measure(self, report),
            Section::History => history::measure(self, report),
            Section::Parked => parked::measure(self, report),
        }
    }
}

impl Line {
    fn new(what: impl Into<String>, figure: f64, unit: &'static str) -> Self {
        Self { what: what.into(), figure, unit, target: None }
    }

    fn with(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Whether the figure meets its target; `None` without one.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        self.target.map(|target| match target {
            Target::AtMost(most) => self.figure <= most,
            Target::AtLeast(least) => self.figure >= least,
        })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.figure.abs() < 100.0 { 2 } else { 0 };
        write!(f, "{:<64}{:>12.digits$} {:<7}", self.what, self.figure, self.unit)?;
        match (self.target, self.is_met()) {
            (Some(target), Some(met)) => write!(f, " {target}: {}", if met { "met" } else { "not met" }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "at most {most}"),
            Self::AtLeast(least) => write!(f, "at least {least}"),
        }
    }
}

/// The middle one of some figures; 0 of none.
fn median(figures: &mut [f64]) -> f64 {
    quantile(figures, 0.5)
}

/// The figure that the fraction `part` of them does not exceed.
fn quantile(figures: &mut [f64], part: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = ((figures.len() as f64 * part) as usize).min(figures.len().saturating_sub(1));
    figures.get(index).copied().unwrap_or(0.0)
}

/// KiB of this process's memory that no other process shares.
///
/// # Errors
/// When the system does not say: only Linux does.
pub fn private_memory() -> std::io::Result<u64> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let private = rollup.lines().filter(|line| line.starts_with("Private_"));
    Ok(private.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_figures() {
        assert_eq!(median(&mut []), 0.0);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(quantile(&mut [4.0, 3.0, 2.0, 1.0], 0.99), 4.0);
        assert_eq!(quantile(&mut [1.0], 0.0), 1.0);
    }

    #[test]
    fn a_line_says_whether_its_target_is_met() {
        let line = Line::new("a step", 1.25, "×").with(Target::AtMost(1.3));
        assert!(line.to_string().ends_with("1.25 ×       at most 1.3: met"), "{line}");
        assert_eq!(Line::new("a rate", 3.0, "×").with(Target::AtLeast(4.0)).is_met(), Some(false));
        assert_eq!(Line::new("a rate", 3.0, "×").is_met(), None);
    }
}
