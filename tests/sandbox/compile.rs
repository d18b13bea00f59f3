//! Compiling is bounded, in this process and in a child, and one hostile component keeps nobody from another.

use crate::support;
use crate::support::cli;
use engine::Host;
use sandbox::{Compiler, LoadError, LoadLimits, Provenance, Sandbox, SandboxLimits};
use std::fs;
use std::fs::Permissions;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

fn demo() -> Vec<u8> {
    support::guest("tenant-workflow")
}

fn in_child(load: LoadLimits) -> Sandbox {
    compiled_by(Path::new(env!("CARGO_BIN_EXE_pp-host")), load)
}

fn compiled_by(program: &Path, load: LoadLimits) -> Sandbox {
    let limits = SandboxLimits { load, ..SandboxLimits::default() };
    Sandbox::new(limits).unwrap().compiled_by(Compiler::Child { program: program.to_owned() })
}

/// A compiler that is a shell script. A shell writes it: a file that this process has open for writing is open in every child that another
/// test starts at that moment as well, and what is open for writing cannot be run.
fn script(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("compiler");
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"printf '%s\n' '#!/bin/sh' "$1" > "$0" && chmod 755 "$0""#]).arg(&path).arg(text);
    assert!(shell.status().unwrap().success());
    path
}

fn refusal(sandbox: &Sandbox, bytes: &[u8]) -> LoadError {
    sandbox.load(bytes).err().unwrap()
}

/// Small to read, long to compile: one function with many values that live across many blocks.
fn bomb() -> Vec<u8> {
    let body: String = (0..20_000)
        .map(|n| format!("(if (local.get {}) (then (local.set {} (i64.popcnt (i64.add (local.get {}) (local.get {}))))))", 500 + n % 7, n % 500, (n * 7) % 500, (n * 13) % 500))
        .collect();
    let locals = "i64 ".repeat(500);
    let conditions = "i32 ".repeat(7);
    wat::parse_str(format!("(component (core module (func (local {locals} {conditions}) {body})))")).unwrap()
}

#[test]
fn size_count_and_length_of_functions_are_bounded_before_anything_is_compiled() {
    type Change = fn(&mut SandboxLimits);
    let bounds = |change: Change| {
        let mut limits = SandboxLimits::default();
        change(&mut limits);
        // A compiler that is not there is not missed.
        let missing = Compiler::Child { program: "/nowhere/compiler".into() };
        refusal(&Sandbox::new(limits).unwrap().compiled_by(missing), &demo()).to_string()
    };
    let cases: [(&str, Change); 3] = [
        ("component-bytes", |limits| limits.component_bytes = 1000),
        ("functions", |limits| limits.load.functions = 10),
        ("function-bytes", |limits| limits.load.function_bytes = 100),
    ];
    for (name, change) in cases {
        let message = bounds(change);
        assert!(message.contains(&format!("limit {name}")), "{message}");
        assert!(message.contains(&format!("--limit {name}=N")), "{message}");
    }
    // Adapters between parts are functions that no part contains.
    let adapters = r#"(canon lift (core func $i "f"))"#;
    let many: String = (0..50).map(|n| format!("(func $f{n} {adapters})")).collect();
    let text = format!(
        r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m)) {many})"#
    );
    let load = LoadLimits { functions: 50, ..LoadLimits::default() };
    let limits = SandboxLimits { load, ..SandboxLimits::default() };
    let refused = refusal(&Sandbox::new(limits).unwrap(), &wat::parse_str(text).unwrap());
    assert!(matches!(refused, LoadError::TooComplex { limit: "functions", .. }), "{refused}");
}

#[test]
fn a_child_compiles_the_same_code() {
    let folder = TempDir::new().unwrap();
    let child = in_child(LoadLimits::default()).cached_in(folder.path()).unwrap();
    assert_eq!(child.load(&demo()).unwrap().provenance(), Provenance::Compiled);
    let here = Sandbox::new(SandboxLimits::default()).unwrap().cached_in(folder.path()).unwrap();
    assert_eq!(here.load(&demo()).unwrap().provenance(), Provenance::Cached);
}

#[test]
fn a_child_says_what_is_wrong_with_a_component() {
    let mut damaged = demo();
    damaged.truncate(demo().len() / 2);
    let load = LoadLimits::default();
    assert!(matches!(refusal(&in_child(load.clone()), &damaged), LoadError::Invalid(_)));
    let mistyped = wat::parse_str(r#"(component (core module (func (result i32) i64.const 0)))"#).unwrap();
    let refused = refusal(&in_child(load), &mistyped);
    assert!(matches!(&refused, LoadError::Invalid(why) if why.contains("type mismatch")), "{refused}");
}

#[test]
fn a_child_that_takes_too_much_is_stopped() {
    let processor = LoadLimits { compile_cpu: Duration::from_secs(1), ..LoadLimits::default() };
    let refused = refusal(&in_child(processor), &bomb());
    assert!(
        matches!(refused, LoadError::CompileBound { limit: "compile-cpu-seconds", bound: 1 }),
        "{refused}"
    );
    let memory = LoadLimits { compile_memory_bytes: 64 << 20, ..LoadLimits::default() };
    let refused = refusal(&in_child(memory), &bomb());
    assert!(matches!(refused, LoadError::CompileBound { limit: "compile-memory-bytes", .. }), "{refused}");
    let message = refused.to_string();
    assert!(message.contains("--limit compile-memory-bytes=N"), "{message}");
}

#[test]
fn a_compiler_that_hangs_lies_or_dies_is_an_error_that_says_so() {
    let folder = TempDir::new().unwrap();
    let wall = LoadLimits { compile_wall: Duration::from_secs(1), ..LoadLimits::default() };
    let refused_by = |text: &str| refusal(&compiled_by(&script(&folder, text), wall.clone()), &demo());
    // Its own child keeps the pipes open, and is ended with it.
    let refused = refused_by("sleep 1000; exit 0");
    assert!(
        matches!(refused, LoadError::CompileBound { limit: "compile-wall-seconds", bound: 1 }),
        "{refused}"
    );
    for (text, words) in [
        ("exit 0", "ended with"),
        ("printf 'x\\033[31m' >&2; exit 3", "exit status: 3"),
        ("kill -SEGV $$", "signal: 11"),
        ("head -c 100 /dev/zero", "another version"),
    ] {
        let refused = refused_by(text);
        assert!(matches!(&refused, LoadError::Compiler(why) if why.contains(words)), "{text}: {refused}");
        assert!(!refused.to_string().contains('\u{1b}'), "{refused}");
    }
    let missing = refusal(&compiled_by(Path::new("/nowhere/compiler"), wall.clone()), &demo());
    assert!(missing.to_string().contains("/nowhere/compiler"), "{missing}");
}

#[test]
fn the_command_line_compiles_in_a_child() {
    let data = TempDir::new().unwrap();
    let bounded = ["run", cli::GUEST, "--limit", "compile-memory-bytes=20000000"];
    let ran = cli::run(data.path(), &bounded);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stderr.contains("compile-memory-bytes"), "{}", ran.stderr);
    // What is in the cache needs no compiler.
    assert_eq!(cli::run(data.path(), &["run", cli::GUEST]).code, Some(0));
    assert_eq!(cli::run(data.path(), &bounded).code, Some(0));
}

#[test]
fn the_same_bytes_are_compiled_once() {
    let (data, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let log = folder.path().join("log");
    let text = format!("echo compiled >> {}\nexec {} \"$@\"", log.display(), env!("CARGO_BIN_EXE_pp-host"));
    let program = script(&folder, &text);
    let host = Host::builder(data.path()).compiler(Compiler::Child { program }).open().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| host.load(demo()).unwrap());
        }
    });
    assert_eq!(fs::read_to_string(log).unwrap(), "compiled\n");
}

#[test]
fn what_was_refused_is_refused_again_and_not_compiled_again() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("log");
    let text = format!("echo compiled >> {}\nexec {} \"$@\"", log.display(), env!("CARGO_BIN_EXE_pp-host"));
    let sandbox = compiled_by(&script(&folder, &text), LoadLimits::default());
    let mistyped = wat::parse_str("(component (core module (func (result i32) i64.const 0)))").unwrap();
    let no_workflow = wat::parse_str("(component (core module))").unwrap();
    for (number, bytes) in [mistyped, no_workflow].iter().enumerate() {
        let first = refusal(&sandbox, bytes).to_string();
        assert_eq!(refusal(&sandbox, bytes).to_string(), first);
        assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), number + 1, "{first}");
    }
    // Whose fault it was is not known, so it is tried again.
    let broken = compiled_by(
        &script(&folder, &format!("echo tried >> {}; exit 3", log.display())),
        LoadLimits::default(),
    );
    for _ in 0..2 {
        assert!(matches!(refusal(&broken, &demo()), LoadError::Compiler(_)));
    }
    assert_eq!(fs::read_to_string(&log).unwrap().lines().filter(|line| *line == "tried").count(), 2);
}

#[test]
fn a_slow_component_keeps_nobody_from_another() {
    let (data, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let [started, go] = ["started", "go"].map(|name| folder.path().join(name));
    for pipe in [&started, &go] {
        support::make_pipe(pipe);
    }
    // The first to come says that it has begun, and waits until it is told to go on.
    let text = format!(
        "if mkdir {}/first 2>/dev/null; then echo > {}; read _ < {}; fi\nexec {} \"$@\"",
        folder.path().display(),
        started.display(),
        go.display(),
        env!("CARGO_BIN_EXE_pp-host")
    );
    let program = script(&folder, &text);
    let host = Host::builder(data.path()).compiler(Compiler::Child { program }).open().unwrap();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| host.load(support::guest("tenant-workflow-std")).unwrap());
        fs::read(&started).unwrap();
        host.load(demo()).unwrap();
        fs::write(&go, "\n").unwrap();
        slow.join().unwrap();
    });
}
