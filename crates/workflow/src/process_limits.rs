//! Words for errors at a limit of the process, which every crate that opens files or starts threads shares.

/// The way out where no further file can be opened.
pub const OPEN_FILES: &str = "this process may open more files with a higher ulimit -n";

/// The way out where no further thread can be started.
pub const THREADS: &str = "this process may start more threads with a higher ulimit -u or -v";
