//! The shapes of the engine's views as they are sent, for the OpenAPI document. A test holds the answers to them, member by member.

mod approvals;
mod instances;
mod receipts;
mod settings;

pub(crate) use approvals::*;
pub(crate) use instances::*;
pub(crate) use receipts::*;
pub(crate) use settings::*;
