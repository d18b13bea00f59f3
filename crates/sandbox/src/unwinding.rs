//! Errors with which a host function unwinds a guest, told apart from those of the runtime.

use crate::Halt;

/// A handler's error on its way through the guest's stack.
#[derive(Debug, thiserror::Error)]
#[error("the drive was halted: {0}")]
pub(crate) struct Marked(pub(crate) Halt);

/// A call that handed over more text than it may.
#[derive(Debug, thiserror::Error)]
#[error("the call hands over too much text")]
pub(crate) struct TooMuchText;
