//! Events from outside, in the order in which they came.

use crate::{Call, EventType};
use receipt::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The number of an event within its instance: 0 for the first that came.
pub type EventNumber = u32;

/// An event that was sent to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The event's type.
    pub event_type: EventType,
    /// The event's payload, as JSON text.
    pub payload: String,
    /// When the event arrived.
    pub at: Timestamp,
}

/// The events that came, and which waits got them. An event that no wait got is kept for the next wait for its type, the oldest first;
/// a wait that is over takes nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mailbox {
    received: Vec<ReceivedEvent>,
    /// The numbers of the events that no wait has got, by type.
    kept: BTreeMap<EventType, BTreeSet<EventNumber>>,
    waiting: usize,
}

#[derive(Debug, Clone)]
struct ReceivedEvent {
    event: Event,
    /// The index of the entry that records it.
    index: usize,
    taken: Option<Call>,
}

impl Mailbox {
    pub(crate) fn receive(&mut self, index: usize, event: Event) {
        let number = EventNumber::try_from(self.received.len()).unwrap_or(EventNumber::MAX);
        self.kept.entry(event.event_type.clone()).or_default().insert(number);
        self.waiting += 1;
        self.received.push(ReceivedEvent { event, index, taken: None });
    }

    /// The number of events that no wait has got.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// The event for a wait that lasts until then: the oldest of its type, if it arrived in time. With the index of its
    /// entry.
    pub(crate) fn first(&self, event_type: &EventType, until: Timestamp) -> Option<(EventNumber, usize)> {
        let number = *self.kept.get(event_type)?.first()?;
        let received = self.received.get(number as usize)?;
        (received.event.at < until).then_some((number, received.index))
    }

    pub(crate) fn get(&self, number: EventNumber) -> Option<&Event> {
        self.received.get(number as usize).map(|received| &received.event)
    }

    /// Delivers the event to `call`.
    pub(crate) fn take(&mut self, number: EventNumber, call: Call) {
        let Some(received) = self.received.get_mut(number as usize) else { return };
        received.taken = Some(call);
        if let Some(kept) = self.kept.get_mut(&received.event.event_type)
            && kept.remove(&number)
        {
            self.waiting -= 1;
        }
    }

    /// These calls no longer count: the events delivered to them are available again, in their old order.
    pub(crate) fn give_back(&mut self, is_discarded: impl Fn(Call) -> bool) {
        for (number, received) in (0..).zip(&mut self.received) {
            if received.taken.is_some_and(&is_discarded) {
                received.taken = None;
                self.kept.entry(received.event.event_type.clone()).or_default().insert(number);
                self.waiting += 1;
            }
        }
    }
}
