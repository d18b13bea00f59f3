//! Compiling is bounded, in this process and in a child, and one hostile component delays no other.

mod process;

use crate::support;
use crate::support::cli;
use engine::Host;
use sandbox::{Compiler, LoadError, LoadLimits, Provenance, Sandbox, SandboxLimits};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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

/// A compiler that is a shell script. A shell writes it: a file that this process has open for writing is also open in
/// every child that another test starts at that moment, and a file that is open for writing cannot be run.
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

/// A component that claims to be a workflow: others are refused before they are compiled.
fn with_entrypoint(parts: &str) -> Vec<u8> {
    let entry =
        r#"(instance $entry) (export "permission-protocol:tenant/entrypoint@0.2.0" (instance $entry))"#;
    wat::parse_str(format!("(component {parts} {entry})")).unwrap()
}

/// Small to read, long to compile: one function with many values that live across many blocks.
fn bomb() -> Vec<u8> {
    let body: String = (0..20_000)
        .map(|n| format!("(if (local.get {}) (then (local.set {} (i64.popcnt (i64.add (local.get {}) (local.get {}))))))", 500 + n % 7, n % 500, (n * 7) % 500, (n * 13) % 500))
        .collect();
    let locals = "i64 ".repeat(500);
    let conditions = "i32 ".repeat(7);
    with_entrypoint(&format!("(core module (func (local {locals} {conditions}) {body}))"))
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
    let mistyped = with_entrypoint("(core module (func (result i32) i64.const 0))");
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
    let ran = cli::run_cold(data.path(), &bounded);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stderr.contains("compile-memory-bytes"), "{}", ran.stderr);
    // A component in the cache needs no compiler.
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
    let mistyped = with_entrypoint("(core module (func (result i32) i64.const 0))");
    let no_workflow = with_entrypoint("(core module)");
    for (number, bytes) in [mistyped, no_workflow].iter().enumerate() {
        let first = refusal(&sandbox, bytes).to_string();
        assert_eq!(refusal(&sandbox, bytes).to_string(), first);
        assert_eq!(sandbox.inspect(bytes).verdict.unwrap_err().to_string(), first);
        assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), number + 1, "{first}");
    }
    let inspected = with_entrypoint("(core module (func))");
    let first = sandbox.inspect(&inspected).verdict.unwrap_err().to_string();
    assert_eq!(refusal(&sandbox, &inspected).to_string(), first);
    assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 3);
    // The cause is not known, so it is tried again.
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
fn a_slow_component_delays_no_other() {
    let (data, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let [started, go] = ["started", "go"].map(|name| folder.path().join(name));
    for pipe in [&started, &go] {
        support::make_pipe(pipe);
    }
    // The first compiler reports that it has begun, and waits for permission to continue.
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

/// Two components, each with a memory of its own, of which one calls the other with a text: the runtime makes an
/// adapter between them.
const COMPOSED: &str = r#"
  (component $A
    (core module $m (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0) (func (export "f") (param i32 i32)))
    (core instance $i (instantiate $m))
    (func (export "f") (param "s" string)
      (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
  (component $B
    (import "f" (func $f (param "s" string)))
    (core module $libc (memory (export "memory") 1))
    (core instance $libc (instantiate $libc))
    (core func $lf (canon lower (func $f) (memory (core memory $libc "memory"))))
    (core module $m (import "" "f" (func (param i32 i32))))
    (core instance (instantiate $m (with "" (instance (export "f" (func $lf)))))))
  (instance $a (instantiate $A))
  (instance $b (instantiate $B (with "f" (func $a "f"))))"#;

#[test]
fn components_that_are_composed_of_others_compile() {
    for sandbox in [in_child(LoadLimits::default()), Sandbox::new(SandboxLimits::default()).unwrap()] {
        // It has no run, which is found out from its code: there is some.
        let refused = refusal(&sandbox, &with_entrypoint(COMPOSED));
        assert!(
            matches!(&refused, LoadError::OtherTypes(why) if why.contains("no function run")),
            "{refused}"
        );
    }
}

#[test]
fn a_guest_s_own_module_has_one_memory() {
    let missing = || compiled_by(Path::new("/nowhere/compiler"), LoadLimits::default());
    for modules in [
        "(core module (memory 1) (memory 1))",
        r#"(core module (import "" "m" (memory 1)) (memory 1))"#,
        r#"(core module (import "" "m" (memory 1)) (import "" "n" (memory 1)))"#,
        "(component (component (core module (memory 1) (memory 1))))",
    ] {
        let refused = refusal(&missing(), &with_entrypoint(modules));
        assert!(matches!(&refused, LoadError::Feature(_)), "{modules}: {refused}");
    }
    // One in each of two modules is acceptable: that component reaches the compiler.
    let two = "(core module (memory 1)) (core module (memory 1))";
    assert!(matches!(refusal(&missing(), &with_entrypoint(two)), LoadError::Compiler(_)));
}

#[test]
fn what_can_be_refused_at_sight_is_not_compiled() {
    let missing = compiled_by(Path::new("/nowhere/compiler"), LoadLimits::default());
    let imports =
        wat::parse_str(r#"(component (import "wasi:sockets/types@0.3.0" (instance)) (core module))"#);
    assert!(matches!(refusal(&missing, &imports.unwrap()), LoadError::ForbiddenImports(_)));
    let nothing = wat::parse_str("(component (core module))").unwrap();
    assert!(matches!(refusal(&missing, &nothing), LoadError::NoEntrypoint { .. }));
    let instances = "(core instance (instantiate $m))".repeat(5);
    let inner = format!("(component $c (core module $m) {instances})");
    for (what, parts) in [
        ("instances", format!("(core module $m) {}", "(core instance (instantiate $m))".repeat(65))),
        ("of a component inside", format!("{inner} {}", "(instance (instantiate $c))".repeat(13))),
        (
            "of an outer module",
            format!(
                "(core module $m) (component $c (alias outer 1 $m (core module $n)) {}) (instance (instantiate $c)) (instance (instantiate $c))",
                "(core instance (instantiate $n))".repeat(33)
            ),
        ),
        (
            "memories",
            "(core module $m (memory 1)) ".to_owned() + &"(core instance (instantiate $m))".repeat(17),
        ),
        (
            "tables",
            format!("(core module $m {}) (core instance (instantiate $m))", "(table 1 funcref)".repeat(17)),
        ),
    ] {
        let refused = refusal(&missing, &with_entrypoint(&parts));
        let named = if matches!(what, "memories" | "tables") { "memories" } else { "core-instances" };
        assert!(
            matches!(&refused, LoadError::TooComplex { limit, .. } if *limit == named),
            "{what}: {refused}"
        );
    }
    // A component within every bound reaches the compiler.
    let few = format!("{inner} {}", "(instance (instantiate $c))".repeat(12));
    assert!(matches!(refusal(&missing, &with_entrypoint(&few)), LoadError::Compiler(_)));
}

#[test]
fn a_compiler_that_crashes_says_what_of_and_not_where() {
    let folder = TempDir::new().unwrap();
    let crashed = script(&folder, "printf 'invalid adapter' >&2; exit 70");
    let refused = refusal(&compiled_by(&crashed, LoadLimits::default()), &demo());
    let LoadError::Compiler(why) = refused else { panic!("{refused}") };
    assert!(why.contains("the compiler crashed and printed \"invalid adapter\""), "{why}");
}

/// The refusal of what only compiling shows is the instance's end: who submits it does not wait for that.
#[test]
fn what_is_refused_after_it_was_submitted_is_its_instance_s_end() {
    let (data, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let guest = folder.path().join("composed.wasm");
    fs::write(&guest, with_entrypoint(COMPOSED)).unwrap();
    let submitted = cli::run(data.path(), &["submit", &guest.display().to_string(), "--id", "composed"]);
    assert_eq!(submitted.code, Some(0), "{}", submitted.stderr);
    assert_eq!(cli::run(data.path(), &["drive", "composed"]).code, Some(1));
    let shown = cli::run(data.path(), &["instances", "show", "composed"]).stdout;
    assert!(shown.contains("errored") && shown.contains("\"refused\""), "{shown}");
    assert!(shown.contains("no function run"), "why: {shown}");
}

/// A terminal of util-linux: without it the test reports that it did not run.
#[test]
fn compiling_is_told_on_a_terminal_and_nowhere_else() {
    if !support::installed(&["script"]) {
        return;
    }
    let (data, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let guest = folder.path().join("bomb.wasm");
    fs::write(&guest, bomb()).unwrap();
    let (data, guest) = (data.path().display().to_string(), guest.display().to_string());
    let words =
        [env!("CARGO_BIN_EXE_pp-host"), "--data", &data, "run", &guest, "--limit", "compile-wall-seconds=3"];
    let typed = words.join(" ");
    let mut terminal = Command::new("script");
    let terminal = terminal.args(["--quiet", "--return", "--command", &typed, "/dev/null"]);
    let shown: cli::Ran = terminal.stdin(std::process::Stdio::null()).output().unwrap().into();
    assert_eq!(shown.code, Some(1), "{}", shown.stdout);
    let line = "\r\x1b[Kcompiling 0.3 MB, once for this component: ";
    assert!(shown.stdout.contains(line), "{:?}", shown.stdout);
    let (_, refused) = shown.stdout.rsplit_once("\x1b[K").unwrap();
    assert!(refused.starts_with("pp-host: ") && refused.contains("compile-wall-seconds"), "{refused:?}");
    let piped: cli::Ran = Command::new(words[0]).args(&words[1..]).output().unwrap().into();
    assert_eq!(
        (piped.code, piped.stderr.contains("once for this component")),
        (Some(1), false),
        "{}",
        piped.stderr
    );
}
