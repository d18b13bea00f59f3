//! Errors with which a host function unwinds a guest, as types of their own.

use crate::Halt;

/// A handler's error on its way through the guest's stack.
#[derive(Debug, thiserror::Error)]
#[error("the drive was halted: {0}")]
pub(crate) struct Marked(pub(crate) Halt);

/// A call with more text than its limit.
#[derive(Debug, thiserror::Error)]
#[error("the call hands over too much text")]
pub(crate) struct TooMuchText;
