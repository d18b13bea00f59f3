//! The signals with which a person or a supervisor ends this process.

use crate::cli::output::complain;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io, process, thread};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The bit of SIGHUP in the kernel's masks of signals.
const HANGUP: u64 = 1;

/// Added to a signal's number for the exit code of a process that it ended, as shells do.
const BY_SIGNAL: i32 = 128;

/// SIGTERM, SIGINT (^C) and SIGHUP, the last only if this process was not started to ignore it (`nohup`).
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
}

impl StopSignals {
    /// Handles the signals for the rest of the process. Call it inside a runtime that has IO.
    pub(crate) fn listen() -> io::Result<Self> {
        let hangup = (!hangup_is_ignored()).then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup,
        })
    }

    /// The next signal.
    pub(crate) async fn next(&mut self) -> SignalKind {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = hangup => SignalKind::hangup(),
        }
    }
}

/// Whether the parent process makes this one ignore SIGHUP. A handler would undo that.
fn hangup_is_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & HANGUP != 0)
}

/// The message of this process when a signal ends it. All lasting state is on disk at any moment, so the process ends
/// immediately.
#[derive(Clone, Default)]
pub(crate) struct ExitMessage(Arc<Mutex<Option<String>>>);

impl ExitMessage {
    /// From now on a signal ends the process with the message that was set, if any.
    pub(crate) fn listen() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let mut signals = {
            let _inside = runtime.enter();
            StopSignals::listen()?
        };
        let words = Self::default();
        let said = words.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let signal = runtime.block_on(signals.next());
            if let Some(words) = &*said.lock() {
                complain(words);
            }
            process::exit(BY_SIGNAL + signal.as_raw_value());
        })?;
        Ok(words)
    }

    /// Sets the words.
    pub(crate) fn set(&self, words: String) {
        *self.lock() = Some(words);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
