//! The notices to send, and the time of each.

use crate::feed::RequestMade;
use receipt::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;
use store::{Notice, NoticeChannel, NoticeKind};
use tokio::time::Instant;
use workflow::RequestId;

/// The pause after the first failure. It doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A notice that is to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) made: RequestMade,
    pub(crate) notice: Notice,
    /// When the notice is to be sent.
    due: Timestamp,
    failures: u32,
}

impl Pending {
    /// The notices of a request through a channel. A reminder is due `before` the request lapses, but not in the first half of its time.
    pub(crate) fn of(
        made: &RequestMade,
        channel: NoticeChannel,
        before: Duration,
    ) -> impl Iterator<Item = Self> {
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let (begun, ends) = (made.at.as_millis(), made.expires_at.as_millis());
        let half = begun.saturating_add(ends.saturating_sub(begun) / 2);
        let remind_at = ends.saturating_sub(millis(before)).max(half);
        let reminder =
            (!before.is_zero()).then_some((NoticeKind::Reminder, Timestamp::from_millis(remind_at)));
        let made = made.clone();
        [Some((NoticeKind::Requested, made.at)), reminder].into_iter().flatten().map(move |(kind, due)| {
            Self { made: made.clone(), notice: Notice { kind, channel }, due, failures: 0 }
        })
    }
}

impl Pending {
    /// Whether no attempt has failed yet.
    pub(crate) fn is_first_attempt(&self) -> bool {
        self.failures == 0
    }

    /// The notice after a restart of the process, if attempts had failed before: due when the next attempt would have been made.
    pub(crate) fn resumed(self, now: Timestamp, longest: Duration) -> Self {
        let (begun, longest) = (self.due.as_millis(), i64::try_from(longest.as_millis()).unwrap_or(i64::MAX));
        let age = now.as_millis().saturating_sub(begun);
        let (mut after, mut failures) = (0_i64, 0);
        while after <= age {
            let pause = i64::try_from(pause(failures).as_millis()).unwrap_or(i64::MAX);
            if pause >= longest {
                // All further pauses have the longest length.
                let pauses = age.saturating_sub(after) / longest.max(1) + 1;
                after = after.saturating_add(pauses.saturating_mul(longest));
                break;
            }
            after = after.saturating_add(pause);
            failures += 1;
        }
        Self { due: Timestamp::from_millis(begun.saturating_add(after)), failures: failures.max(1), ..self }
    }
}

/// The pause after one more failure than that.
fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.min(20))
}

type Key = (RequestId, Notice);

/// Pending notices by request.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    notices: BTreeMap<Key, QueueState>,
}

#[derive(Debug)]
enum QueueState {
    Waits(Pending, Instant),
    /// The notice is being sent.
    UnderWay,
}

impl Queue {
    /// Adds a notice, unless the queue has it.
    pub(crate) fn add(&mut self, pending: Pending, now: Timestamp) {
        let left = pending.due.as_millis().saturating_sub(now.as_millis());
        let due = Instant::now() + Duration::from_millis(u64::try_from(left).unwrap_or(0));
        self.notices.entry(key(&pending)).or_insert(QueueState::Waits(pending, due));
    }

    /// Takes out a notice of that channel that is due, unless `most` of them are being sent.
    pub(crate) fn take_due(&mut self, channel: NoticeChannel, most: u32) -> Option<Pending> {
        let of_channel = || self.notices.iter().filter(|((_, notice), _)| notice.channel == channel);
        let under_way = of_channel().filter(|(_, state)| matches!(state, QueueState::UnderWay)).count();
        if under_way >= usize::try_from(most).unwrap_or(usize::MAX) {
            return None;
        }
        let now = Instant::now();
        let first = of_channel().filter_map(|(key, state)| match state {
            QueueState::Waits(_, due) if *due <= now => Some((*due, key.clone())),
            _ => None,
        });
        let (_, key) = first.min()?;
        match self.notices.insert(key, QueueState::UnderWay) {
            Some(QueueState::Waits(pending, _)) => Some(pending),
            _ => None,
        }
    }

    /// When the next notice becomes due. Overdue notices do not count: they wait for a delivery to end.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let now = Instant::now();
        let later = self.notices.values().filter_map(|state| match state {
            QueueState::Waits(_, due) if *due > now => Some(*due),
            // Being sent, or overdue.
            _ => None,
        });
        later.min()
    }

    /// Removes a notice.
    pub(crate) fn done(&mut self, pending: &Pending) {
        self.notices.remove(&key(pending));
    }

    /// Schedules a failed notice again after a pause.
    pub(crate) fn requeue(&mut self, pending: Pending, longest: Duration) {
        let pause = pause(pending.failures).min(longest);
        let failed = Pending { failures: pending.failures.saturating_add(1), ..pending };
        self.notices.insert(key(&failed), QueueState::Waits(failed, Instant::now() + pause));
    }

    /// Removes the notices for which `is_open` is false, except those being sent.
    pub(crate) fn keep(&mut self, is_open: impl Fn(&Pending) -> bool) {
        self.notices.retain(|_, state| match state {
            QueueState::Waits(pending, _) => is_open(pending),
            QueueState::UnderWay => true,
        });
    }

    /// The number of notices in the queue.
    pub(crate) fn len(&self) -> usize {
        self.notices.len()
    }
}

fn key(pending: &Pending) -> Key {
    (pending.made.request.clone(), pending.notice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::InstanceKey;

    fn made(minutes: i64) -> RequestMade {
        RequestMade {
            key: InstanceKey { tenant: "acme".parse().unwrap(), instance: "one".parse().unwrap() },
            request: "apr_1".parse().unwrap(),
            at: Timestamp::from_millis(0),
            expires_at: Timestamp::from_millis(minutes * 60_000),
        }
    }

    #[test]
    fn a_reminder_comes_before_the_end_and_after_half_of_the_time() {
        for (lasts, before, reminded) in
            [(240, 60, 180), (30, 60, 15), (60, 60, 30), (120, 60, 60), (121, 60, 61)]
        {
            let all: Vec<_> =
                Pending::of(&made(lasts), NoticeChannel::Command, Duration::from_secs(before * 60)).collect();
            let due: Vec<_> = all.iter().map(|pending| pending.due.as_millis() / 60_000).collect();
            assert_eq!(due, [0, reminded], "{lasts} minutes");
        }
        assert_eq!(Pending::of(&made(240), NoticeChannel::Command, Duration::ZERO).count(), 1);
    }

    #[test]
    fn the_pauses_go_on_after_a_restart_where_they_were() {
        let pending = || Pending::of(&made(240), NoticeChannel::Command, Duration::ZERO).next().unwrap();
        // Attempts are made 0, 1, 3, 7, 15, … seconds after the notice was due, and every minute once a pause would be longer.
        for (age, next, failures) in
            [(0, 1, 1), (1, 3, 2), (2, 3, 2), (6, 7, 3), (7, 15, 4), (40, 63, 6), (63, 123, 6), (200, 243, 6)]
        {
            let resumed = pending().resumed(Timestamp::from_millis(age * 1_000), Duration::from_secs(60));
            assert_eq!((resumed.due.as_millis(), resumed.failures), (next * 1_000, failures), "{age} s");
        }
    }

    #[test]
    fn a_channel_has_so_many_under_way_and_a_failure_waits_longer_each_time() {
        let mut queue = Queue::default();
        let mut pending: Vec<_> =
            Pending::of(&made(240), NoticeChannel::Command, Duration::from_secs(1)).collect();
        pending.extend(Pending::of(&made(240), NoticeChannel::Webhook, Duration::ZERO));
        let now = Timestamp::from_millis(1_000 * 60_000);
        pending.into_iter().for_each(|pending| queue.add(pending, now));
        let one = queue.take_due(NoticeChannel::Command, 1).unwrap();
        assert!(queue.take_due(NoticeChannel::Command, 1).is_none());
        assert!(queue.take_due(NoticeChannel::Webhook, 1).is_some(), "another channel does not wait");
        queue.add(one.clone(), now);
        assert_eq!(queue.len(), 3, "it is there");
        let mut before = Duration::ZERO;
        let mut failed = one;
        for _ in 0..4 {
            queue.requeue(failed.clone(), Duration::from_secs(5));
            let pause = queue.next_due().unwrap() - Instant::now();
            assert!(pause > before && pause <= Duration::from_secs(5));
            before = pause;
            failed.failures += 1;
        }
        queue.keep(|_| false);
        assert_eq!(queue.len(), 1, "what is under way ends");
    }
}
