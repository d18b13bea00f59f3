//! Cedar.
use crate::Policy;
