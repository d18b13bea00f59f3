//! A program of the operator that reads a notice on its standard input. Exit code 0 means that the notice is delivered.

use crate::notify::message::Message;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fmt;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

/// The environment variables that the program gets. Others may contain secrets, such as a database's password.
const VARIABLES: [&str; 6] = ["HOME", "LANG", "PATH", "TMPDIR", "TZ", "USER"];

/// A program and its arguments.
pub(crate) struct Program {
    program: String,
    arguments: Vec<String>,
}

/// Kills the program unless it has ended.
struct KillOnDrop(OwnedFd);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // Signalling fails if the program has ended; there is nothing to kill then.
        let _ = pidfd_send_signal(&self.0, Signal::KILL);
    }
}

impl Program {
    pub(crate) fn new(program: &str, arguments: &[String]) -> Self {
        Self { program: program.to_owned(), arguments: arguments.to_vec() }
    }

    pub(crate) async fn send(&self, message: &Message<'_>) -> Result<(), String> {
        let failed = |error: &dyn fmt::Display| format!("it cannot be run: {error}");
        let (mut child, _killed) = self.begin(&message.body()).map_err(|error| failed(&error))?;
        let waited = tokio::task::spawn_blocking(move || child.wait());
        let status = waited.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        if status.success() { Ok(()) } else { Err(format!("it ended with {status}")) }
    }

    fn begin(&self, body: &[u8]) -> io::Result<(std::process::Child, KillOnDrop)> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear();
        for variable in VARIABLES {
            if let Some(value) = std::env::var_os(variable) {
                command.env(variable, value);
            }
        }
        // The program's standard error is this process's own, so its messages are in the log.
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let killed = KillOnDrop(pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?);
        if let Some(mut stdin) = child.stdin.take() {
            // A notice fits into the pipe's buffer, so a program that does not read it blocks nothing. If the write fails, the exit code decides.
            let _ = stdin.write_all(&[body, b"\n"].concat());
        }
        Ok((child, killed))
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.program)
    }
}
