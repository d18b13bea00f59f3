//! The shapes of the engine's views in JSON, for the OpenAPI document. A test compares answers with them, member by member.

mod approvals;
mod instances;
mod receipts;
mod settings;

pub(crate) use approvals::*;
pub(crate) use instances::*;
pub(crate) use receipts::*;
pub(crate) use settings::*;
