//! The journal's file: connecting, opening, its schema, its write-ahead log, and copies.

pub(crate) mod backup;
pub(crate) mod connect;
pub(crate) mod open;
pub(crate) mod readers;
pub(crate) mod schema;
pub(crate) mod views;
pub(crate) mod wal;
