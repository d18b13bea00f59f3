//! The state that running instances share in memory, and reading a journal: every other module of the engine uses it.

pub(crate) mod capabilities;
pub(crate) mod claims;
pub(crate) mod due;
pub(crate) mod governance;
pub(crate) mod hosts;
pub(crate) mod journals;
pub(crate) mod lease;
pub(crate) mod previews;
pub(crate) mod programs;
pub(crate) mod publisher;
pub(crate) mod remote_authority;
pub(crate) mod requests;
pub(crate) mod slots;
pub(crate) mod state;
pub(crate) mod times;
pub(crate) mod wakeups;
