//! Advice in errors at a limit of the process.

/// The hint if no further file can be opened.
pub const OPEN_FILES: &str = "this process may open more files with a higher ulimit -n";

/// The hint if no further thread can be started.
pub const THREADS: &str = "this process may start more threads with a higher ulimit -u or -v";
