//! The journal folded into an instance's state.

pub(crate) mod attempt;
pub(crate) mod respond;
pub(crate) mod status;

use crate::limits::Limits;
use crate::table::trails::{Frame, ROOT, TrailMark};
use crate::table::{Calls, Unsettled};
use crate::{Call, Entry, EventType, Failure, Illegal, RequestId, Status, Unknown};
use receipt::Timestamp;

/// A journal as a state machine.
///
/// A guest makes its calls in the same order on every run. [`Replay::next`] compares each with the journal's record of
/// the same number.
#[derive(Debug, Clone)]
pub struct Replay {
    pub(crate) calls: Calls,
    entries: usize,
    origin: Origin,
    /// The reason why the instance does not continue: a pause or a divergence.
    hold: Option<Status>,
    end: Option<Status>,
    /// The guest's position in this run: in the workflow itself, and in the attempts that it is making, the innermost
    /// last.
    pub(crate) frames: Vec<Frame>,
    /// The index of the entry that answered the guest last.
    pub(crate) position: usize,
    /// The time on the guest's clock, if it is behind.
    pub(crate) guest_clock: Option<Timestamp>,
    pub(crate) limits: Limits,
}

/// The progress of an instance's creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Nothing,
    Loaded,
    Started,
    /// The workflow goes back to an earlier place, and may be given other code there.
    Restarted,
}

impl Replay {
    /// Folds a journal as it was loaded.
    ///
    /// # Errors
    /// When an entry is not allowed in its place.
    pub fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>, limits: Limits) -> Result<Self, Illegal> {
        let mut replay = Self::whole(entries, limits)?;
        replay.calls.mark_interrupted();
        Ok(replay)
    }

    /// Rebases this run on a journal to which other writers have appended entries from outside, before the unwritten
    /// entries of this run. `journal` is the whole journal on disk; `unwritten` are this run's last entries, which are
    /// not on disk. `None` if the run cannot continue: a new entry stops the instance, restarts it or leaves no
    /// place for the unwritten entries, or the guest already has the answer of an unwritten entry at its old position. The
    /// caller then begins another run.
    ///
    /// # Errors
    /// When the journal on disk is illegal.
    pub fn caught_up<'a, J>(&self, journal: J, unwritten: &[Entry]) -> Result<Option<Self>, Illegal>
    where
        J: IntoIterator<Item = &'a Entry>,
        J::IntoIter: Clone,
    {
        self.continued(journal.into_iter(), unwritten, self.entries - unwritten.len())
    }

    /// This run without its last `refused` entries, which the store refused and whose answers the guest has not got.
    /// `unwritten` are the entries before them that are not on disk. `None` if the run cannot continue, as for
    /// [`caught_up`](Self::caught_up).
    ///
    /// # Errors
    /// The journal on disk is illegal.
    pub fn taken_back<'a, J>(
        &self,
        journal: J,
        unwritten: &[Entry],
        refused: usize,
    ) -> Result<Option<Self>, Illegal>
    where
        J: IntoIterator<Item = &'a Entry>,
        J::IntoIter: Clone,
    {
        let seen = self.entries.saturating_sub(unwritten.len() + refused);
        self.continued(journal.into_iter(), unwritten, seen)
    }

    /// This run over a journal of which the guest has seen the first `seen` entries, with `unwritten` after it.
    fn continued<'a, J>(&self, journal: J, unwritten: &[Entry], seen: usize) -> Result<Option<Self>, Illegal>
    where
        J: Iterator<Item = &'a Entry> + Clone,
    {
        if !journal.clone().skip(seen).all(is_from_outside) {
            return Ok(None);
        }
        let mut replay = Self::whole(journal, self.limits.clone())?;
        // The guest has the answer of an unwritten entry: its clock and its random numbers depend on that entry's
        // position.
        if self.position >= seen && replay.entries > seen {
            return Ok(None);
        }
        replay.calls.mark_interrupted_as(&self.calls);
        if unwritten.iter().any(|entry| replay.apply(entry).is_err()) {
            return Ok(None);
        }
        replay.frames.clone_from(&self.frames);
        replay.position = self.position;
        Ok(Some(replay))
    }

    fn whole<'a>(entries: impl IntoIterator<Item = &'a Entry>, limits: Limits) -> Result<Self, Illegal> {
        let mut replay = Self {
            calls: Calls::default(),
            entries: 0,
            origin: Origin::Nothing,
            hold: None,
            end: None,
            frames: vec![Frame::root()],
            position: 0,
            guest_clock: None,
            limits,
        };
        let mut last = None;
        for entry in entries {
            replay.apply(entry)?;
            last = Some(entry);
        }
        if let (Some(entry), true) = (last, replay.calls.unissued()) {
            let reason = "a decision and its receipt are written together, and the receipt is not here";
            return Err(Illegal { index: replay.entries - 1, entry: entry.to_string(), reason });
        }
        Ok(replay)
    }

    /// Applies one entry: the table that guards loading and appending alike.
    ///
    /// # Errors
    /// The entry cannot follow the entries before it; the state is then unchanged.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Illegal> {
        let applied = self.may_follow(entry).and_then(|()| self.follow(entry));
        applied.map_err(|reason| Illegal { index: self.entries, entry: entry.to_string(), reason })?;
        self.entries += 1;
        Ok(())
    }

    /// Whether the instance's state allows an entry of this kind.
    fn may_follow(&self, entry: &Entry) -> Result<(), &'static str> {
        let stays = matches!(entry, Entry::Restarted { .. } | Entry::Resolved { .. });
        match entry {
            _ if self.end.is_some() && !stays => Err("the instance has ended"),
            Entry::Issued { .. } if self.calls.unissued() => Ok(()),
            _ if self.calls.unissued() => Err("a decision is followed by its receipt"),
            Entry::Resumed { .. } if self.hold.is_none() => {
                Err("the instance is neither paused nor diverged")
            }
            entry if self.hold.is_some() && is_progress(entry) => Err("the instance is stopped"),
            _ => Ok(()),
        }
    }

    fn follow(&mut self, entry: &Entry) -> Result<(), &'static str> {
        match (self.origin, entry) {
            (Origin::Nothing, Entry::Loaded { .. }) => self.origin = Origin::Loaded,
            (Origin::Restarted, Entry::Loaded { .. }) => self.origin = Origin::Started,
            (Origin::Loaded, Entry::Started { .. }) => self.origin = Origin::Started,
            (Origin::Nothing | Origin::Loaded, _) => return Err("a journal begins with loaded and started"),
            (_, Entry::Loaded { .. } | Entry::Started { .. }) => {
                return Err("an instance is loaded and started once");
            }
            (_, entry) => self.go_on(entry)?,
        }
        Ok(())
    }

    fn go_on(&mut self, entry: &Entry) -> Result<(), &'static str> {
        match entry {
            Entry::Paused { by } => self.hold = Some(Status::Paused { by: by.clone() }),
            Entry::Diverged { call, message } => {
                self.hold = Some(Status::Diverged { call: *call, message: message.clone() });
            }
            Entry::Resumed { .. } => self.hold = None,
            Entry::Completed { output } => self.end = Some(Status::Completed(output.clone())),
            Entry::Failed { failure } => self.end = Some(Status::Failed(failure.clone())),
            Entry::Terminated { by, reason } => {
                self.end = Some(Status::Terminated { by: by.clone(), reason: reason.clone() });
            }
            Entry::Restarted { .. } => {
                self.calls.apply(self.entries, entry)?;
                (self.hold, self.end, self.origin) = (None, None, Origin::Restarted);
            }
            entry => {
                self.calls.apply(self.entries, entry)?;
                if is_progress(entry) {
                    self.origin = Origin::Started;
                }
            }
        }
        Ok(())
    }

    /// The number of entries applied: the next one's index.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries
    }

    /// Whether no entry has been applied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// The instance's state.
    #[must_use]
    pub fn status(&self) -> Status {
        self.end.as_ref().or(self.hold.as_ref()).cloned().unwrap_or_else(|| self.calls.status())
    }

    /// Whether the instance has ended, is paused, or has diverged.
    #[must_use]
    pub fn stands_still(&self) -> bool {
        self.end.is_some() || self.hold.is_some()
    }

    /// The index of the entry that last answered the guest. It is the same at the same place of every run, and it only
    /// grows. The guest's clock and random numbers are derived from it, so that they are the same on every run.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// The actions that were begun and have no signed outcome. None may be left when an instance ends or goes back.
    #[must_use]
    pub fn unsettled(&self) -> Vec<Unsettled> {
        self.calls.unsettled()
    }

    /// The actions whose attested outcome is unknown, and what people have found out since.
    #[must_use]
    pub fn unknown(&self) -> Vec<Unknown> {
        self.calls.unknown()
    }

    /// Whether a decision about this request would count. The instance may do other things while the request waits.
    #[must_use]
    pub fn is_pending(&self, request: &RequestId) -> bool {
        self.end.is_none() && self.calls.is_pending(request)
    }

    /// Sets the guest's clock time at which the guest may have computed the deadline that it now passes. The guest's
    /// clock does not advance between two answers, so a deadline counts as past only if it is before this time. If
    /// unset, deadlines before `now` count as past.
    pub fn set_guest_clock(&mut self, time: Timestamp) {
        self.guest_clock = Some(time);
    }

    /// The entry for an event that is sent now.
    ///
    /// # Errors
    /// The instance has ended, or the event exceeds a limit; the message says which of the two.
    pub fn receive(&self, event_type: EventType, payload: String, now: Timestamp) -> Result<Entry, Failure> {
        if let Some(end) = &self.end {
            let message = format!("the instance has ended ({end}) and accepts no events");
            return Err(Failure { name: "ended".to_owned(), message });
        }
        self.limits.check_event(&payload, self.calls.mailbox().waiting(), self.calls.kept())?;
        Ok(Entry::EventReceived { event_type, payload, at: now })
    }

    /// The call of the workflow itself that began the step, sleep or wait of this name: the `nth` that counts, from 0.
    /// An operator can restart the workflow from it.
    #[must_use]
    pub fn named(&self, name: &str, nth: usize) -> Option<Call> {
        let calls = self.calls.marks(ROOT).iter().filter_map(|mark| match mark {
            TrailMark::Call(call) => Some(*call),
            TrailMark::Delivered { .. } | TrailMark::Attempt { .. } => None,
        });
        let has_name = |call: &Call| {
            self.calls
                .get(*call)
                .and_then(|recorded| recorded.asked.name())
                .is_some_and(|given| given == name)
        };
        calls.filter(has_name).nth(nth)
    }

    /// The number of the next call.
    #[must_use]
    pub fn next_call(&self) -> Call {
        self.calls.next()
    }
}

/// Whether an entry records progress of the workflow, which is not allowed while the instance is stopped. Entries from
/// outside, and the ends of operations that had begun, are allowed.
fn is_progress(entry: &Entry) -> bool {
    !matches!(
        entry,
        Entry::EventReceived { .. }
            | Entry::Signed { .. }
            | Entry::Decided { .. }
            | Entry::Issued { .. }
            | Entry::Lapsed { .. }
            | Entry::Withdrawn { .. }
            | Entry::Performed { .. }
            | Entry::Attested { .. }
            | Entry::Resolved { .. }
            | Entry::Resumed { .. }
            | Entry::Restarted { .. }
            | Entry::Terminated { .. }
    )
}

/// Whether an entry comes from outside, and does not move the workflow.
fn is_from_outside(entry: &Entry) -> bool {
    matches!(
        entry,
        Entry::EventReceived { .. }
            | Entry::Signed { .. }
            | Entry::Decided { .. }
            | Entry::Issued { .. }
            | Entry::Withdrawn { .. }
            | Entry::Resolved { .. }
            | Entry::Paused { .. }
            | Entry::Resumed { .. }
            | Entry::Terminated { .. }
    )
}
