//! A line on a terminal while an operation takes long.

use std::io::{IsTerminal as _, Write, stderr};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The interval at which the line is updated. Shorter compilations print nothing.
const PERIOD: Duration = Duration::from_secs(1);

/// Loads a component of this size, and shows on a terminal that it is being compiled, and for how long.
pub(crate) fn while_compiling<T>(bytes: usize, load: impl FnOnce() -> T) -> T {
    if !stderr().is_terminal() {
        return load();
    }
    let (loading, loaded) = channel::<()>();
    thread::scope(|scope| {
        // If no thread can start, there is no line.
        let _ = thread::Builder::new().spawn_scoped(scope, move || tell(bytes, &loaded, &mut stderr()));
        // Dropped when loading ends, in every way.
        let _loading = loading;
        load()
    })
}

/// The line is for the waiting person; a failed write does not stop loading.
fn tell(bytes: usize, loaded: &Receiver<()>, out: &mut impl Write) {
    const CLEARED: &str = "\r\x1b[K";
    let (began, mut shown) = (Instant::now(), false);
    while loaded.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        let _ = write!(out, "{CLEARED}{}", line(bytes, began.elapsed()));
        let _ = out.flush();
        shown = true;
    }
    if shown {
        let _ = write!(out, "{CLEARED}");
    }
}

fn line(bytes: usize, took: Duration) -> String {
    let megabytes = bytes as f64 / 1e6;
    format!("compiling {megabytes:.1} MB, once for this component: {} s", took.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_at_once_is_not_spoken_of() {
        let (loading, loaded) = channel();
        drop(loading);
        let mut out = Vec::new();
        tell(12_300_000, &loaded, &mut out);
        assert_eq!(out, b"");
        let said = line(12_340_000, Duration::from_millis(7_900));
        assert_eq!(said, "compiling 12.3 MB, once for this component: 7 s");
    }
}
