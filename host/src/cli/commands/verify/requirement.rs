//! `--require`: the properties that a caller needs a receipt to have before it acts on the exit code.

use clap::ValueEnum;
use std::fmt;

/// One requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Requirement {
    /// The decision is APPROVED, and none of the given files revokes it
    Approved,
    /// It was decided in production, and not under a demonstration's key
    Production,
    /// It can still be redeemed, by this machine's clock
    Unexpired,
    /// The request is known: opened, or signed in the open by an older version
    Opened,
    /// At least one person signed, and every person's signature is by a key of --deciders
    Deciders,
}

/// A requirement that a receipt does not meet, and why.
#[derive(Debug)]
pub(super) struct Unmet {
    pub(super) requirement: Requirement,
    pub(super) why: String,
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Approved => "approved",
            Self::Production => "production",
            Self::Unexpired => "unexpired",
            Self::Opened => "opened",
            Self::Deciders => "deciders",
        })
    }
}
