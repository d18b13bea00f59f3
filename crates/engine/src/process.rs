//! A process that holds private keys gives up core dumps and debuggers.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use std::io;

/// Keeps this process from writing its memory to disk, and from showing it to another process of its account: no core
/// dump, and no debugger without root's rights. Child processes write no core dump either. This cannot be undone.
///
/// A program that opens a [`Host`](crate::Host) has private keys in its memory, unless the authority is elsewhere.
/// `pp-host` calls this first; a library cannot decide it for the program.
///
/// # Errors
/// The system refuses.
pub fn forbid_core_dumps() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // The limit does not reach a core that the system hands to a program.
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
