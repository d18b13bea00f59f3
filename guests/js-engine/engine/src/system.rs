//! What QuickJS expects of an operating system: a clock. It shows the time of the host's last answer.

use crate::bindings::permission_protocol::script::source;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

/// Before the snapshot there is no host to ask.
static INITIALISED: AtomicBool = AtomicBool::new(false);

/// From here on there is a host.
pub(crate) fn initialised() {
    INITIALISED.store(true, Ordering::Relaxed);
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> f64 {
    if INITIALISED.load(Ordering::Relaxed) { source::now_ms() as f64 } else { 0.0 }
}

/// Microseconds since the Unix epoch, for QuickJS.
#[unsafe(no_mangle)]
pub extern "C" fn __rquickjs_host_now_us() -> f64 {
    now_ms() * 1e3
}
