//! Decisions: requests that wait, signed statements about them, and the operators' acts that say who may decide.

mod acts;
mod decide;
pub(crate) mod requests;

pub use decide::Recorded;
pub use requests::Waiting;
