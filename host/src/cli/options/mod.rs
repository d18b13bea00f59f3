//! Options and arguments that several commands take.

pub(crate) mod data_dir;
pub(crate) mod limit;
pub(crate) mod moment;
pub(crate) mod shell_quoted;
