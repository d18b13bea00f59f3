//! The measurements, a file each.

pub(crate) mod deployments;
pub(crate) mod flow;
pub(crate) mod history;
pub(crate) mod parked;
pub(crate) mod postgres;
pub(crate) mod steps;
