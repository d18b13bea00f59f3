//! The capabilities of a host, and the choice of the capability that performs a guest's call.

use crate::capability::{Artifacts, Capability, Deploy};
use std::path::Path;
use std::sync::Arc;

/// The capabilities that every host has, over its folder of artifacts. A new capability is a file of its own and a line
/// here.
pub(crate) fn built_in(artifacts: &Arc<Artifacts>) -> Vec<Box<dyn Capability>> {
    vec![Box::new(Deploy::over(Arc::clone(artifacts)))]
}

/// The names of the capabilities that every host has.
#[must_use]
pub fn built_in_names() -> Vec<String> {
    let artifacts = Arc::new(Artifacts::new(Path::new("")));
    built_in(&artifacts).iter().map(|capability| capability.name().to_owned()).collect()
}

/// The capabilities of one host, each name once.
#[derive(Default)]
pub(crate) struct Registry(Vec<Box<dyn Capability>>);

impl Registry {
    /// Adds a capability. It replaces a capability of the same name.
    pub(crate) fn add(&mut self, capability: Box<dyn Capability>) {
        self.0.retain(|other| other.name() != capability.name());
        self.0.push(capability);
    }

    /// The capability that a request names.
    pub(crate) fn named(&self, name: &str) -> Option<&dyn Capability> {
        self.find(|capability| capability.name() == name)
    }

    /// The capability that performs a guest's call on a resource: the capability added last that takes the call and
    /// acts on the resource, or else the capability with the call's own name. The guest does not choose it: the gate
    /// compares the receipt with the capability that is found here.
    pub(crate) fn called(&self, call: &str, resource: &str) -> Option<&dyn Capability> {
        self.find(|capability| capability.call() == call && capability.acts_on(resource))
            .or_else(|| self.named(call))
    }

    fn find(&self, is: impl Fn(&dyn Capability) -> bool) -> Option<&dyn Capability> {
        self.0.iter().rev().map(|capability| &**capability).find(|capability| is(*capability))
    }
}
