//! The journal folded into an instance's state.

use crate::limits::Limits;
use crate::order::{Frame, Mark, ROOT};
use crate::table::{Calls, Unsettled};
use crate::{Call, Entry, EventType, Failure, Illegal, RequestId, Status, Unknown};
use receipt::Timestamp;

/// A journal as a state machine.
///
/// What a guest asks for is in the same order on every run. [`Replay::next`] compares each thing with what the journal has in its
/// place.
#[derive(Debug, Clone)]
pub struct Replay {
    pub(crate) calls: Calls,
    entries: usize,
    origin: Origin,
    /// What keeps it from going on: a pause or a divergence.
    hold: Option<Status>,
    end: Option<Status>,
    /// Where the guest is in this run: in the workflow itself, and in the attempts that it is making, the innermost last.
    pub(crate) frames: Vec<Frame>,
    /// The index of the entry that answered the guest last.
    pub(crate) position: usize,
    pub(crate) limits: Limits,
}

/// How far an instance's creation has come.
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
    /// When an entry cannot stand where it stands.
    pub fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>, limits: Limits) -> Result<Self, Illegal> {
        let mut replay = Self::whole(entries, limits)?;
        replay.calls.mark_interrupted();
        Ok(replay)
    }

    /// The same run of the same guest over a journal in which something was recorded from outside, before the last entries of this one.
    /// `journal` is all that is on disk; `unwritten` are those last entries, which are not. None where the run cannot go on: what was
    /// recorded stops it, takes it back, or leaves no place for them, or the guest was told of one of them already, in the place that it had.
    /// Begin another then.
    ///
    /// # Errors
    /// When the journal on disk makes no sense.
    pub fn caught_up<'a, J>(&self, journal: J, unwritten: &[Entry]) -> Result<Option<Self>, Illegal>
    where
        J: IntoIterator<Item = &'a Entry>,
        J::IntoIter: Clone,
    {
        self.continued(journal.into_iter(), unwritten, self.entries - unwritten.len())
    }

    /// The same run without its last `refused` entries, which the disk did not take and the guest has not heard of. `unwritten` are those
    /// before them that are not on disk. None where the run cannot go on, as for [`caught_up`](Self::caught_up).
    ///
    /// # Errors
    /// When the journal on disk makes no sense.
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
        // The guest has heard of something that is not written: its clock and its random numbers follow from the place that it had.
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
    /// When the entry cannot follow the ones before it; the state is then as it was.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Illegal> {
        let applied = self.may_follow(entry).and_then(|()| self.follow(entry));
        applied.map_err(|reason| Illegal { index: self.entries, entry: entry.to_string(), reason })?;
        self.entries += 1;
        Ok(())
    }

    /// Whether an entry of this kind has a place here at all.
    fn may_follow(&self, entry: &Entry) -> Result<(), &'static str> {
        let stays = matches!(entry, Entry::Restarted { .. } | Entry::Resolved { .. });
        match entry {
            _ if self.end.is_some() && !stays => Err("the instance has ended"),
            Entry::Issued { .. } if self.calls.unissued() => Ok(()),
            _ if self.calls.unissued() => Err("a decision is followed by its receipt"),
            Entry::Resumed { .. } if self.hold.is_none() => {
                Err("the instance is neither paused nor diverged")
            }
            entry if self.hold.is_some() && is_progress(entry) => Err("the instance stands still"),
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

    /// No entry has been applied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// How the instance stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.end.as_ref().or(self.hold.as_ref()).cloned().unwrap_or_else(|| self.calls.status())
    }

    /// It has ended, is paused, or has diverged.
    #[must_use]
    pub fn stands_still(&self) -> bool {
        self.end.is_some() || self.hold.is_some()
    }

    /// The index of the entry that answered the guest last. On every run it is the same at the same place between two calls, and it only
    /// grows: what has to look the same to the guest every time, its clock and its random numbers, is derived from it.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// The actions that were begun and have no signed outcome. None may be left when an instance ends or goes back.
    #[must_use]
    pub fn unsettled(&self) -> Vec<Unsettled> {
        self.calls.unsettled()
    }

    /// The actions whose attested outcome is unknown, and what was found out since.
    #[must_use]
    pub fn unknown(&self) -> Vec<Unknown> {
        self.calls.unknown()
    }

    /// A decision about that request would count. An instance may do other things meanwhile.
    #[must_use]
    pub fn is_pending(&self, request: &RequestId) -> bool {
        self.end.is_none() && self.calls.is_pending(request)
    }

    /// The entry for an event that is sent now.
    ///
    /// # Errors
    /// When the instance has ended, or the event is more than may be kept; the message says which.
    pub fn receive(&self, event_type: EventType, payload: String, now: Timestamp) -> Result<Entry, Failure> {
        if let Some(end) = &self.end {
            let message = format!("the instance is {end}, and no event reaches it any more");
            return Err(Failure { name: "ended".to_owned(), message });
        }
        self.limits.check_event(&payload, self.calls.mailbox().waiting(), self.calls.kept())?;
        Ok(Entry::EventReceived { event_type, payload, at: now })
    }

    /// The call, among those that the workflow made itself and that count, that began the step, sleep or wait of this name: the `nth` of
    /// them, from 0. From there the workflow can be sent back.
    #[must_use]
    pub fn named(&self, name: &str, nth: usize) -> Option<Call> {
        let calls = self.calls.marks(ROOT).iter().filter_map(|mark| match mark {
            Mark::Call(call) => Some(*call),
            Mark::Told { .. } | Mark::Attempt { .. } => None,
        });
        let has_name = |call: &Call| {
            self.calls
                .get(*call)
                .and_then(|recorded| recorded.asked.name())
                .is_some_and(|given| given == name)
        };
        calls.filter(has_name).nth(nth)
    }

    /// The number that the next call will have. From there on nothing has been asked for.
    #[must_use]
    pub fn next_call(&self) -> Call {
        self.calls.next()
    }
}

/// Whether an entry says that the workflow has got further, and so has no place while the instance stands still. What comes from outside,
/// and how something ended that was begun, does.
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

/// Whether an entry comes from outside, and leaves the workflow where it is.
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
