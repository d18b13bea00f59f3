//! The published format: the artifact, its payload and canonical form, the committed request and its public projection.

pub(crate) mod artifact;
pub(crate) mod binding;
pub(crate) mod canonical;
pub(crate) mod decider;
pub(crate) mod names;
pub(crate) mod payload;
pub(crate) mod projection;
pub(crate) mod request;
