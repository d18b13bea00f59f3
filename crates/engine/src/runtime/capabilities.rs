//! What a host can do in the world: the gate, and the capabilities behind it.

use crate::capability::{Capability, Gate};

/// The capabilities of a host by their names, and the gate in front of all of them.
pub(crate) struct Capabilities {
    pub(crate) gate: Gate,
    pub(crate) registered: Vec<Box<dyn Capability>>,
}

impl Capabilities {
    /// The capability of that name. Of two with one name, the later registration counts.
    pub(crate) fn named(&self, name: &str) -> Option<&dyn Capability> {
        self.registered
            .iter()
            .rev()
            .find(|capability| capability.name() == name)
            .map(|capability| &**capability)
    }
}
