//! Decisions: requests that wait, signed statements about them, and the operators' acts that say who may decide.

mod acts;
mod decide;

pub use crate::runtime::requests::Waiting;
pub use decide::Recorded;
