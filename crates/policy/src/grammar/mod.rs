//! Forms of text in a policy: names, patterns, sizes and durations.

pub(crate) mod name;
pub(crate) mod pattern;
pub(crate) mod value;
