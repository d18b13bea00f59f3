//! The limits that the system sets for this process: too low ones are an error with a message, and not a crash.

use crate::cli::output::{complain, logs};
use rustix::process::{Resource, Signal, getrlimit};
use std::io;
use std::process::ExitCode;
use std::thread;
use store::ulimit_hints;
use tokio::signal::unix::{SignalKind, signal};

/// The stack of the thread that a command runs on.
const STACK: usize = 8 << 20;

/// The number of files that any command may have open at the same time.
const FILES: u64 = 32;

/// The exit code of a process that panicked, as the standard library has it.
const PANICKED: u8 = 101;

/// Runs the program on a thread with a stack of its own: the stack of the main thread is as small as `ulimit -s` says,
/// and the kernel ends a process that overflows it without a message.
pub(crate) fn on_own_stack(program: impl FnOnce() -> ExitCode + Send + 'static) -> ExitCode {
    match thread::Builder::new().name("pp-host".to_owned()).stack_size(STACK).spawn(program) {
        Ok(running) => running.join().unwrap_or_else(|_panic| {
            // If the log is JSON, the message of the panic is a line that another thread writes.
            logs::finish();
            PANICKED.into()
        }),
        Err(error) => {
            complain(&format!("cannot start a thread: {error}: {}", ulimit_hints::THREADS));
            ExitCode::FAILURE
        }
    }
}

/// Refuses to begin if too few files may be open: a library could only panic, or a database report a file that is
/// missing. A process that only compiles needs none.
pub(crate) fn check(compiles: bool) -> Result<(), String> {
    match getrlimit(Resource::Nofile).current {
        Some(files) if files < FILES && !compiles => Err(format!(
            "the limit of {files} open files is too low: {FILES} are needed; {}",
            ulimit_hints::OPEN_FILES
        )),
        _ => Ok(()),
    }
}

/// Makes a write beyond a file size limit (`ulimit -f`) an error with a message. Without a handler the kernel ends the
/// process at that write without a message. A closed pipe is already an error: the standard library ignores its signal.
pub(crate) fn outlive_full_files() -> Result<(), String> {
    let handled = || -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let _inside = runtime.enter();
        // The handler stays when the runtime and this listener are gone.
        signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
    };
    handled().map_err(|error| format!("cannot set up a signal handler: {error}"))
}
