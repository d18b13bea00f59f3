//! A process that holds private keys gives up core dumps and debuggers.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use std::io;

/// Has this process never write its memory to disk, nor show it to another process of its account: no core dump, and no debugger without the
/// rights of root. Child processes write no core dump either. It cannot be taken back.
///
/// A program that opens a [`Host`](crate::Host) has private keys in its memory, unless the authority is elsewhere. `pp-host` calls this before it
/// does anything else; a library cannot decide that for the program that it is part of.
///
/// # Errors
/// When the system refuses.
pub fn forbid_core_dumps() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // The limit does not reach a core that the system hands to a program.
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
