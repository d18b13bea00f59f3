//! Compiling in a child process: both ends of the pipe.
//!
//! ```text
//!   parent ─ stdin ─►  cpu seconds (u64) ‖ memory bytes (u64) ‖ addressing (u64) ‖ component        child sets its own limits before it reads on
//!   parent ◄─ stdout ─ config digest (32) ‖ length (u64) ‖ compiled code
//! ```
//!
//! The child has no environment, no files and no key. Its output is trusted as code because this process started it.

use crate::code::Target;
use crate::limits::{LoadLimits, names};
use crate::runtime::engine;
use crate::runtime::engine::Addressing;
use crate::{LoadError, error};
use receipt::Digest;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getrlimit, kill_process_group, set_parent_process_death_signal, setrlimit,
};
use std::any::Any;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc;
use std::{io, panic, thread};

/// The only argument of a program that compiles for its parent.
pub const COMPILE: &str = "compile-for-parent";

/// The child's exit status when the component is at fault.
const INVALID: u8 = 65;

/// The child's exit status when it ran out of memory.
const NO_MEMORY: u8 = 71;

/// The child's exit status when the compiler crashed.
const CRASHED: u8 = 70;

/// The child's exit status when it could not read, write or confine itself.
const BROKEN: u8 = 74;

/// The most bytes of a child's standard error that are kept.
const COMPLAINT_BYTES: u64 = 4 << 10;

/// The child's side: reads a component from standard input and writes its code to standard output, within the limits in
/// its input.
///
/// A program that names itself in [`Compiler::Child`](crate::Compiler::Child) must call this, and nothing else, when
/// its only argument is [`COMPILE`].
#[must_use]
pub fn compile_for_parent() -> ExitCode {
    // The tenant that handed in the component sees the message of a crash: it has no place in the sources and no path of the build.
    panic::set_hook(Box::new(|_| ()));
    let (words, code) = match panic::catch_unwind(answer) {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(error)) => (format!("{error:#}"), fault(&error)),
        Err(panicked) => (words_of(&*panicked), CRASHED),
    };
    let _ = write!(io::stderr(), "{words}");
    ExitCode::from(code)
}

/// A panic's message.
pub(super) fn words_of(panicked: &(dyn Any + Send)) -> String {
    let text = panicked.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panicked.downcast_ref::<&str>().copied()).unwrap_or("nothing").to_owned()
}

fn fault(error: &wasmtime::Error) -> u8 {
    match error.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::OutOfMemory) => NO_MEMORY,
        Some(_) => BROKEN,
        None if error.is::<wasmtime::error::OutOfMemory>() => NO_MEMORY,
        None => INVALID,
    }
}

fn answer() -> wasmtime::Result<()> {
    // If the parent ends without ending its child, the kernel does. If it has ended already, the pipe has no header.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut stdin = io::stdin().lock();
    let (cpu, memory) = (read_u64(&mut stdin)?, read_u64(&mut stdin)?);
    let addressing = Addressing::of_number(read_u64(&mut stdin)?)
        .ok_or_else(|| io::Error::other("the parent asks for code that this program cannot make"))?;
    confine(cpu, memory)?;
    let mut component = Vec::new();
    stdin.read_to_end(&mut component)?;
    let engine = engine::compiling(addressing)?;
    let code = engine.precompile_component(&component)?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(engine::config_digest(&engine).as_bytes())?;
    stdout.write_all(&(code.len() as u64).to_be_bytes())?;
    stdout.write_all(&code)?;
    Ok(stdout.flush()?)
}

fn read_u64(input: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}

/// Gives up the rights and resources that compiling does not need: time, memory, further processes, files and core
/// dumps.
fn confine(cpu_seconds: u64, memory_bytes: u64) -> io::Result<()> {
    let bounds = [
        (Resource::As, memory_bytes),
        (Resource::Nproc, 0),
        (Resource::Nofile, 0),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ];
    for (resource, most) in bounds {
        lower(resource, most, most)?;
    }
    // At the soft limit the kernel ends the process with a signal that names the reason.
    lower(Resource::Cpu, cpu_seconds, cpu_seconds.saturating_add(1))
}

/// Lowers a limit to this value, or keeps a lower one: only the superuser may raise a limit.
fn lower(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    let had = getrlimit(resource);
    let least = |ours: u64, theirs: Option<u64>| Some(theirs.map_or(ours, |theirs| theirs.min(ours)));
    let maximum = least(maximum, had.maximum);
    let current = least(least(current, had.current).unwrap_or(current), maximum);
    Ok(setrlimit(resource, Rlimit { current, maximum })?)
}

/// The parent's end.
pub(crate) fn compile(
    program: &Path,
    component: &[u8],
    limits: &LoadLimits,
    target: &Target,
) -> Result<Vec<u8>, LoadError> {
    let failed = |error: io::Error| {
        LoadError::Compiler(format!("cannot run {}: {}", program.display(), error::with_way_out(&error)))
    };
    let mut child = spawn(program).map_err(failed)?;
    let heard = converse(&mut child, component, limits, target);
    let status = child.wait().map_err(failed)?;
    let heard = heard.map_err(failed)?;
    match heard.output.map(|output| code(output, &target.config)) {
        Some(Ok(code)) => Ok(code),
        Some(Err(Answered::ByAnother)) => Err(LoadError::Compiler(format!(
            "{} compiles for another version or setting of this program: use the one that was built with it",
            program.display()
        ))),
        Some(Err(Answered::Nothing)) => Err(diagnose(status, &heard.complaint, limits)),
        None => Err(over(names::COMPILE_WALL_SECONDS, limits.compile_wall.as_secs())),
    }
}

fn spawn(program: &Path) -> io::Result<Child> {
    Command::new(program)
        .arg(COMPILE)
        .env_clear()
        // An allocator that reserves memory before the child sets its limits would evade them. This allocator requests
        // memory on demand.
        .env("MIMALLOC_ARENA_RESERVE", "0")
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// The output of a child before it ended or its time was over.
struct Heard {
    output: Option<Vec<u8>>,
    complaint: String,
}

/// Feeds the child and listens, until it is done or its time is over. There is no child when this returns. The error is
/// that a thread could not start.
fn converse(child: &mut Child, component: &[u8], limits: &LoadLimits, target: &Target) -> io::Result<Heard> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let header = [limits.compile_cpu.as_secs(), limits.compile_memory_bytes, target.addressing.number()];
    let group = Pid::from_child(child);
    thread::scope(|scope| {
        let begin = || {
            let thread = thread::Builder::new;
            // A child that does not read to the end gives the reason in its status.
            thread().spawn_scoped(scope, move || stdin.map(|stdin| feed(stdin, header, component)))?;
            let (sender, receiver) = mpsc::channel();
            thread().spawn_scoped(scope, move || sender.send(listen(stdout, limits.compile_memory_bytes)))?;
            let complaint = thread().spawn_scoped(scope, move || listen(stderr, COMPLAINT_BYTES))?;
            io::Result::Ok((receiver.recv_timeout(limits.compile_wall).ok(), complaint))
        };
        let begun = begin();
        // Ends a child that hangs, and all processes that it may have started. A child that has ended keeps its status.
        let _ = kill_process_group(group, Signal::KILL);
        let (output, complaint) = begun?;
        let complaint = complaint.join().unwrap_or_default();
        Ok(Heard { output, complaint: String::from_utf8_lossy(&complaint).into_owned() })
    })
}

fn feed(mut stdin: impl Write, header: [u64; 3], component: &[u8]) -> io::Result<()> {
    for number in header {
        stdin.write_all(&number.to_be_bytes())?;
    }
    stdin.write_all(component)
}

/// Reads to the end, keeps at most `keep` bytes, and drops the rest.
fn listen(source: Option<impl Read>, keep: u64) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(mut source) = source {
        let _ = source.by_ref().take(keep).read_to_end(&mut kept);
        let _ = io::copy(&mut source, &mut io::sink());
    }
    kept
}

/// An answer that is not code.
enum Answered {
    Nothing,
    ByAnother,
}

fn code(mut output: Vec<u8>, config: &Digest) -> Result<Vec<u8>, Answered> {
    const HEADER: usize = 40;
    let (header, code) = output.split_first_chunk::<HEADER>().ok_or(Answered::Nothing)?;
    let (by, length) = header.split_at(32);
    match () {
        () if by != config.as_bytes() => Err(Answered::ByAnother),
        () if length != (code.len() as u64).to_be_bytes() => Err(Answered::Nothing),
        () => {
            output.drain(..HEADER);
            Ok(output)
        }
    }
}

fn diagnose(status: ExitStatus, complaint: &str, limits: &LoadLimits) -> LoadError {
    let aborted = status.signal() == Some(Signal::ABORT.as_raw());
    // The standard library's message before it aborts, which is the only sign of this case.
    let no_memory = aborted && complaint.contains("memory allocation of");
    match (status.code(), status.signal()) {
        (Some(code), _) if code == i32::from(INVALID) => LoadError::Invalid(complaint.to_owned()),
        (Some(code), _) if code == i32::from(NO_MEMORY) => out_of_memory(limits),
        (Some(code), _) if code == i32::from(CRASHED) => LoadError::crashed(complaint),
        _ if no_memory => out_of_memory(limits),
        (_, Some(signal)) if signal == Signal::XCPU.as_raw() => {
            over(names::COMPILE_CPU_SECONDS, limits.compile_cpu.as_secs())
        }
        _ => LoadError::Compiler(format!(
            "the compiler ended with {status} and printed {}",
            workflow::Quoted(complaint)
        )),
    }
}

/// The child had the lower of two bounds: the limit, and this process's own.
fn out_of_memory(limits: &LoadLimits) -> LoadError {
    let (ours, own) = (limits.compile_memory_bytes, getrlimit(Resource::As));
    match own.current.into_iter().chain(own.maximum).min() {
        Some(own) if own < ours => LoadError::Compiler(format!(
            "the compiler ran out of the {own} bytes of address space that this process may have (raise ulimit -v)"
        )),
        _ => over(names::COMPILE_MEMORY_BYTES, ours),
    }
}

fn over(limit: &'static str, bound: u64) -> LoadError {
    LoadError::CompileBound { limit, bound }
}
