//! What running instances share in memory, and how a journal is read: the ground that every other module of the engine stands on.

pub(crate) mod authority;
pub(crate) mod capabilities;
pub(crate) mod claims;
pub(crate) mod due;
pub(crate) mod hosts;
pub(crate) mod journals;
pub(crate) mod lease;
pub(crate) mod previews;
pub(crate) mod programs;
pub(crate) mod publisher;
pub(crate) mod remote_authority;
pub(crate) mod requests;
pub(crate) mod slots;
pub(crate) mod times;
pub(crate) mod wakeups;
