//! Writes: what a record needs is loaded, decided, and saved, in one transaction of the group.

pub(crate) mod artifacts;
pub(crate) mod decide;
pub(crate) mod delete;
pub(crate) mod entries;
pub(crate) mod load;
pub(crate) mod needs;
pub(crate) mod record;
pub(crate) mod rows;
pub(crate) mod save;
pub(crate) mod state;
pub(crate) mod steps;
pub(crate) mod usage_stripes;
pub(crate) mod writer;
