//! `pp-host serve` in a process of its own, which can be killed, and what it says on standard error.

use super::cli;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

/// The process. Killed when it is dropped.
pub struct Serving {
    child: Child,
    pub port: u16,
    stderr: BufReader<ChildStderr>,
}

impl Serving {
    /// Begins on a port that is free, and comes back when it serves.
    pub fn begin(data: &Path, arguments: &[&str]) -> Self {
        let serve = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut command = cli::command(data, &serve);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut serving = Self { child, port: 0, stderr };
        let line = serving.says("serving http");
        serving.port = line.rsplit(':').next().unwrap().parse().unwrap();
        serving
    }

    /// The next line with these words.
    pub fn says(&mut self, words: &str) -> String {
        let (mut line, mut all) = (String::new(), String::new());
        loop {
            line.clear();
            assert!(self.stderr.read_line(&mut line).unwrap() > 0, "it ended without {words:?}: {all}");
            if line.contains(words) {
                return line.trim().to_owned();
            }
            all += &line;
        }
    }

    /// The memory that it has, in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// Bounds the length of the files that it writes, as a full disk does.
    pub fn bound_files(&self, current: Option<u64>) {
        let limit = Rlimit { current, maximum: None };
        prlimit(Some(Pid::from_child(&self.child)), Resource::Fsize, limit).unwrap();
    }

    /// Ends it as a crash would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it in order.
    pub fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
