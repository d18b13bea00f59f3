//! The order of a guest's calls: in the workflow itself, and in each attempt of each step.
//!
//! All calls between the beginning and the end of an attempt are inside it, so attempts nest, and the calls inside one
//! attempt form a *trail*. A guest that gets a step's recorded result does not run its attempts again: it continues in
//! its current trail, and the trails of the attempts are skipped.

use crate::Call;
use receipt::Timestamp;

/// The index of a trail in [`Trails`].
pub(crate) type TrailId = usize;

/// The workflow's own trail.
pub(crate) const ROOT: TrailId = 0;

/// One action of a guest, which the guest repeats at the same place on every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrailMark {
    /// The guest made this call.
    Call(Call),
    /// The entry of that index delivered the end of this started call to it.
    Delivered { call: Call, index: usize },
    /// The entry at this index gave the guest the next attempt of a step. After that attempt has ended, replay skips
    /// this mark.
    Attempt { call: Call, trail: TrailId, index: usize },
}

/// A guest's position: in a trail, before the mark of that number.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) trail: TrailId,
    pub(crate) next: usize,
    /// The step whose attempt it is making, and since when.
    pub(crate) attempt: Option<(Call, Timestamp)>,
}

impl Frame {
    /// The beginning of the workflow itself.
    pub(crate) fn root() -> Self {
        Self { trail: ROOT, next: 0, attempt: None }
    }
}

/// All trails of an instance.
#[derive(Debug, Clone)]
pub(crate) struct Trails(Vec<Trail>);

#[derive(Debug, Clone, Default)]
struct Trail {
    /// The step whose attempt it is; none for the workflow's own.
    owner: Option<Call>,
    marks: Vec<TrailMark>,
}

impl Default for Trails {
    fn default() -> Self {
        Self(vec![Trail::default()])
    }
}

impl Trails {
    /// A new trail, for an attempt of `owner`.
    pub(crate) fn open(&mut self, owner: Call) -> TrailId {
        self.0.push(Trail { owner: Some(owner), marks: Vec::new() });
        self.0.len() - 1
    }

    pub(crate) fn push(&mut self, trail: TrailId, mark: TrailMark) {
        if let Some(trail) = self.0.get_mut(trail) {
            trail.marks.push(mark);
        }
    }

    pub(crate) fn marks(&self, trail: TrailId) -> &[TrailMark] {
        self.0.get(trail).map_or(&[], |trail| &trail.marks)
    }

    /// Drops the workflow's own marks from that call on, and gives them back.
    pub(crate) fn cut(&mut self, from: Call) -> Vec<TrailMark> {
        let Some(root) = self.0.get_mut(ROOT) else { return Vec::new() };
        let place = root.marks.iter().position(|mark| matches!(mark, TrailMark::Call(call) if *call >= from));
        root.marks.split_off(place.unwrap_or(root.marks.len()))
    }

    /// The step whose attempt it is.
    pub(crate) fn owner(&self, trail: TrailId) -> Option<Call> {
        self.0.get(trail)?.owner
    }
}
