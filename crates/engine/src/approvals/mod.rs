//! Decisions: waiting requests, signed statements about them, and the operators' acts about who may decide.

mod acts;
mod decide;
mod keys;
mod passkeys;
mod review;

pub use crate::runtime::requests::Waiting;
pub use decide::SignOutcome;
pub use passkeys::{AssertionRequest, Invite};
