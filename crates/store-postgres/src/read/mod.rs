//! Queries over the committed state.

pub(crate) mod journals;
pub(crate) mod requests;
pub(crate) mod schedule;
pub(crate) mod tail;
