//! Child processes: this test program, which runs one test there and can be killed; and any program with a limit of its own.

use crate::support::network::Network;
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};
use rustix::thread::{
    CapabilitySet, CpuSet, remove_capability_from_bounding_set, sched_getaffinity, sched_setaffinity,
};
use std::env;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The limit that [`child`] sets, in bytes.
const FILE_SIZE: &str = "PP_TEST_FILE_SIZE";
const ADDRESS_SPACE: &str = "PP_TEST_ADDRESS_SPACE";

/// Makes [`child`] give up root's rights, or run on one processor.
const ORDINARY: &str = "PP_TEST_ORDINARY";
const ONE_PROCESSOR: &str = "PP_TEST_ONE_PROCESSOR";

/// The program that [`child`] becomes, and its arguments, a line each.
const PROGRAM: &str = "PP_TEST_PROGRAM";

/// The test `child` of a module, given as `module_path!()`.
pub fn of(module: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(arguments(module));
    command
}

/// The same in the namespace of a network.
pub fn inside(network: &Network, module: &str) -> Command {
    let mut command = network.inside(&env::current_exe().unwrap());
    command.args(arguments(module));
    command
}

/// The same where a file that may not grow is an error, and not a signal.
pub fn of_with_file_errors(module: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(env::current_exe().unwrap());
    command.args(arguments(module));
    command
}

/// A program whose files may not grow beyond this many bytes.
pub fn with_file_size(bytes: u64, program: &[&str]) -> Command {
    let mut command = of_with_file_errors(module_path!());
    command.env(FILE_SIZE, bytes.to_string()).env(PROGRAM, program.join("\n"));
    command
}

/// A program with this many bytes of address space.
pub fn with_address_space(bytes: u64, program: &[&str]) -> Command {
    let mut command = of(module_path!());
    command.env(ADDRESS_SPACE, bytes.to_string()).env(PROGRAM, program.join("\n"));
    command
}

/// A program that may only do what its account may: permissions bind it even where this process is root.
pub fn as_ordinary_account(program: &[&str]) -> Command {
    let mut command = of(module_path!());
    command.env(ORDINARY, "").env(PROGRAM, program.join("\n"));
    command
}

/// A program on one processor.
pub fn on_one_processor(program: &[&str]) -> Command {
    let mut command = of(module_path!());
    command.env(ONE_PROCESSOR, "").env(PROGRAM, program.join("\n"));
    command
}

fn arguments(module: &str) -> [String; 3] {
    let (_program, module) = module.split_once("::").unwrap();
    ["--exact".to_owned(), "--nocapture".to_owned(), format!("{module}::child")]
}

/// Not a test: limits itself and becomes the program. The shell's `ulimit` has another unit in every shell.
#[test]
fn child() {
    let Ok(program) = env::var(PROGRAM) else { return };
    for (name, resource) in [(FILE_SIZE, Resource::Fsize), (ADDRESS_SPACE, Resource::As)] {
        if let Ok(bytes) = env::var(name) {
            let limit = Rlimit { current: Some(bytes.parse().unwrap()), ..getrlimit(resource) };
            setrlimit(resource, limit).unwrap();
        }
    }
    if env::var_os(ORDINARY).is_some() && geteuid().is_root() {
        for capability in [CapabilitySet::DAC_OVERRIDE, CapabilitySet::DAC_READ_SEARCH] {
            remove_capability_from_bounding_set(capability).unwrap();
        }
    }
    if env::var_os(ONE_PROCESSOR).is_some() {
        let (mine, mut one) = (sched_getaffinity(None).unwrap(), CpuSet::new());
        one.set((0..CpuSet::MAX_CPU).find(|processor| mine.is_set(*processor)).unwrap());
        sched_setaffinity(None, &one).unwrap();
    }
    let mut words = program.lines().map(OsStr::new);
    let failed = Command::new(words.next().unwrap()).args(words).exec();
    panic!("{program} does not start: {failed}");
}
