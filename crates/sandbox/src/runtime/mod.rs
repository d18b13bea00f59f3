//! What all drives share: the engine, its time, its share of the processors, its output.

pub(crate) mod determinism;
pub(crate) mod engine;
pub(crate) mod live;
pub(crate) mod output;
pub(crate) mod throttle;
