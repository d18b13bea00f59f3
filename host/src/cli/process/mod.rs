//! This process: the limits that the system sets for it, and the signals that end it.

pub(crate) mod rlimits;
pub(crate) mod signals;
