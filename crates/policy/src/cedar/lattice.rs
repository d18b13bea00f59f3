//! The numbers of approvals that make a difference.

use super::counting::Thresholds;
use crate::people::Tally;
use crate::{Need, Quorum, Role};

/// The most combinations of approvals that a policy may distinguish: each is tried when approvals are asked for.
const MOST_POINTS: usize = 256;

/// The number of approvals for each axis' role.
pub(super) type Point = Vec<u32>;

/// Every combination of approvals that a policy can distinguish. A policy only compares counts with numbers, so these
/// points are representative of all combinations.
#[derive(Debug)]
pub(super) struct Lattice {
    axes: Vec<Axis>,
}

#[derive(Debug)]
struct Axis {
    /// `None` counts any decider.
    role: Option<Role>,
    /// 0, and every count at which an answer changes, ascending.
    counts: Vec<u32>,
}

/// A policy that distinguishes too many combinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the policies distinguish {0} combinations of approvals, and at most {MOST_POINTS} are tried: ask for fewer roles or numbers"
)]
pub(super) struct TooManyPoints(usize);

impl Lattice {
    pub(super) fn of(thresholds: Thresholds) -> Result<Self, TooManyPoints> {
        let axis = |(role, thresholds)| Axis { role, counts: [0].into_iter().chain(thresholds).collect() };
        let mut axes: Vec<_> = thresholds.into_iter().map(axis).collect();
        // The axis of any decider comes last: it has the total.
        axes.sort_by_key(|axis| axis.role.is_none());
        let points = axes.iter().fold(1, |points: usize, axis| points.saturating_mul(axis.counts.len()));
        if points > MOST_POINTS { Err(TooManyPoints(points)) } else { Ok(Self { axes }) }
    }

    pub(super) fn roles(&self) -> impl Iterator<Item = Option<&Role>> {
        self.axes.iter().map(|axis| axis.role.as_ref())
    }

    /// Every count of approvals at which an answer changes, as a need.
    pub(super) fn needs(&self) -> impl Iterator<Item = Need> {
        let counted = |axis: &Axis| {
            let need = |count: &u32| Need { role: axis.role.clone(), approvals: *count };
            axis.counts.iter().filter(|count| **count > 0).map(need).collect::<Vec<_>>()
        };
        self.axes.iter().flat_map(counted)
    }

    /// The point of these approvals.
    pub(super) fn at(&self, tally: &Tally<'_>) -> Point {
        self.roles().map(|role| tally.count(role)).collect()
    }

    /// The point with the most approvals that can make a difference.
    pub(super) fn top(&self) -> Point {
        self.implied(&self.axes.iter().map(|axis| axis.counts.last().copied().unwrap_or(0)).collect())
    }

    /// Every point, beginning with no approvals.
    pub(super) fn points(&self) -> Vec<Point> {
        self.axes.iter().fold(vec![Vec::new()], |points, axis| {
            let with = |point: &Point| {
                let longer = |count: &u32| point.iter().copied().chain([*count]).collect::<Point>();
                axis.counts.iter().map(longer).collect::<Vec<_>>()
            };
            points.iter().flat_map(with).collect()
        })
    }

    /// The least counts that a point implies: a person with a role also counts as any decider.
    pub(super) fn implied(&self, point: &Point) -> Point {
        let people = point.iter().copied().max().unwrap_or(0);
        let count = |(axis, count): (&Axis, &u32)| if axis.role.is_none() { people } else { *count };
        self.axes.iter().zip(point).map(count).collect()
    }

    /// The points among these that no other makes superfluous.
    pub(super) fn least(&self, points: &[Point]) -> Vec<Point> {
        let superfluous = |point: &Point| {
            let whole = self.implied(point);
            points.iter().any(|other| {
                let lower = other != point && reaches(point, other);
                lower || reaches(&whole, other) && !reaches(&self.implied(other), point)
            })
        };
        points.iter().filter(|point| !superfluous(point)).cloned().collect()
    }

    pub(super) fn quorum(&self, point: &Point) -> Quorum {
        let needs = self.axes.iter().zip(point).filter(|(_, count)| **count > 0);
        let need = |(axis, count): (&Axis, &u32)| Need { role: axis.role.clone(), approvals: *count };
        Quorum { needs: needs.map(need).collect() }
    }
}

/// Whether a point has at least the approvals of the other.
fn reaches(point: &Point, other: &Point) -> bool {
    point.iter().zip(other).all(|(count, other)| count >= other)
}
