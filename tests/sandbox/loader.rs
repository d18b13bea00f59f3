//! From bytes to a program: what is cached, what is never loaded, and what one instance leaves to the next.

use crate::sandbox::determinism;
use crate::support;
use crate::support::{child, cli, compiled, script};
use engine::{Host, Start, Status};
use receipt::{Decision, Digest};
use sandbox::{End, LoadError, Program, Provenance, Sandbox, SandboxLimits};
use std::fs;
use std::fs::{File, Permissions};
use std::future::{Future as _, poll_fn};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, SystemTime};
use store::InstanceKey;
use tempfile::TempDir;
use workflow::Command;

fn demo() -> Vec<u8> {
    support::guest("tenant-workflow")
}

/// The same workflow under another digest: a custom section means nothing and counts as content.
fn variant(mut component: Vec<u8>, number: u8) -> Vec<u8> {
    component.extend([0, 3, 1, b'v', number]);
    component
}

fn sandbox(cache: &Path) -> Sandbox {
    bounded(cache, SandboxLimits::default().load.cache_bytes)
}

fn bounded(cache: &Path, cache_bytes: u64) -> Sandbox {
    let mut limits = SandboxLimits::default();
    limits.load.cache_bytes = cache_bytes;
    Sandbox::new(limits).unwrap().cached_in(cache).unwrap()
}

fn load(sandbox: &Sandbox, bytes: &[u8]) -> Program {
    sandbox.load(bytes).unwrap()
}

fn file(cache: &Path, component: &[u8]) -> PathBuf {
    cache.join(format!("{}.cwasm", Digest::of(component)))
}

#[test]
fn what_was_compiled_once_is_found_again() {
    let folder = TempDir::new().unwrap();
    assert_eq!(load(&sandbox(folder.path()), &demo()).provenance(), Provenance::Compiled);
    assert_eq!(load(&sandbox(folder.path()), &demo()).provenance(), Provenance::Cached);
    let modes = ["key", file(folder.path(), &demo()).file_name().unwrap().to_str().unwrap()]
        .map(|name| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777);
    assert_eq!(modes, [0o600; 2]);
}

/// The seal covers every byte: a unit test of the seal flips each bit. Here the whole path is run, for some of them.
#[test]
fn a_damaged_file_is_compiled_again_and_replaced() {
    let folder = TempDir::new().unwrap();
    let (sandbox, path) = (sandbox(folder.path()), file(folder.path(), &demo()));
    load(&sandbox, &demo());
    let whole = fs::read(&path).unwrap();
    let mut damaged: Vec<Vec<u8>> = [0, 31, 32, 33, whole.len() / 2, whole.len() - 1]
        .map(|position| {
            let mut bytes = whole.clone();
            bytes[position] ^= 1;
            bytes
        })
        .into();
    damaged.extend([0, 1, 31, 32, whole.len() - 1].map(|length| whole[..length].to_vec()));
    damaged.push([&*whole, b"\0"].concat());
    for bytes in damaged {
        fs::write(&path, &bytes).unwrap();
        assert_eq!(load(&sandbox, &demo()).provenance(), Provenance::Replaced);
        assert_eq!(load(&sandbox, &demo()).provenance(), Provenance::Cached);
    }
}

#[test]
fn a_file_of_another_component_or_another_folder_is_never_loaded() {
    let (ours, theirs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let other = variant(demo(), 1);
    for folder in [&ours, &theirs] {
        load(&sandbox(folder.path()), &demo());
        load(&sandbox(folder.path()), &other);
    }
    let target = file(ours.path(), &demo());
    for source in [file(ours.path(), &other), file(theirs.path(), &demo())] {
        fs::copy(&source, &target).unwrap();
        assert_eq!(load(&sandbox(ours.path()), &demo()).provenance(), Provenance::Replaced, "{source:?}");
    }
}

#[test]
fn what_is_not_a_file_is_not_read() {
    let folder = TempDir::new().unwrap();
    let (sandbox, path) = (sandbox(folder.path()), file(folder.path(), &demo()));
    load(&sandbox, &demo());
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert_eq!(load(&sandbox, &demo()).provenance(), Provenance::Compiled);
    assert!(!fs::symlink_metadata(&path).unwrap().is_symlink());
    // Opening a pipe without a writer would wait forever.
    fs::remove_file(&path).unwrap();
    support::make_pipe(&path);
    assert_eq!(load(&sandbox, &demo()).provenance(), Provenance::Compiled);
    assert_eq!(load(&sandbox, &demo()).provenance(), Provenance::Cached);
}

#[test]
fn a_key_that_others_may_know_is_replaced_and_the_cache_emptied() {
    type Breach = fn(&Path);
    let breaches: [Breach; 5] = [
        |cache| fs::set_permissions(cache.join("key"), Permissions::from_mode(0o644)).unwrap(),
        |cache| fs::set_permissions(cache, Permissions::from_mode(0o770)).unwrap(),
        |cache| fs::write(cache.join("key"), [7; 31]).unwrap(),
        |cache| fs::remove_file(cache.join("key")).unwrap(),
        |cache| {
            fs::rename(cache.join("key"), cache.join("moved")).unwrap();
            std::os::unix::fs::symlink(cache.join("moved"), cache.join("key")).unwrap();
        },
    ];
    for (number, breach) in breaches.into_iter().enumerate() {
        let folder = TempDir::new().unwrap();
        load(&sandbox(folder.path()), &demo());
        let before = fs::read(folder.path().join("key")).unwrap();
        breach(folder.path());
        let sandbox = sandbox(folder.path());
        assert!(!file(folder.path(), &demo()).exists(), "breach {number}");
        assert_ne!(fs::read(folder.path().join("key")).unwrap(), before, "breach {number}");
        let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(folder.path()), mode(&folder.path().join("key"))), (0o700, 0o600));
        assert_eq!(load(&sandbox, &demo()).provenance(), Provenance::Compiled);
    }
}

#[test]
fn the_least_recently_used_goes_first() {
    let folder = TempDir::new().unwrap();
    let components = [variant(demo(), 0), variant(demo(), 1), variant(demo(), 2)];
    let paths = components.each_ref().map(|component| file(folder.path(), component));
    load(&sandbox(folder.path()), &components[0]);
    let two_files = fs::metadata(&paths[0]).unwrap().len() * 5 / 2;
    let sandbox = bounded(folder.path(), two_files);
    load(&sandbox, &components[1]);
    for (path, hours) in [(&paths[0], 2), (&paths[1], 1)] {
        let used = SystemTime::now() - Duration::from_secs(hours * 3600);
        File::options().write(true).open(path).unwrap().set_modified(used).unwrap();
    }
    // The oldest file, but used now.
    assert_eq!(load(&sandbox, &components[0]).provenance(), Provenance::Cached);
    load(&sandbox, &components[2]);
    assert_eq!(paths.each_ref().map(|path| path.exists()), [true, false, true]);
    // A lower bound holds from the start, and a component that exceeds the cache's bound runs anyway.
    let tight = bounded(folder.path(), 1000);
    assert_eq!(paths.each_ref().map(|path| path.exists()), [false; 3]);
    assert_eq!(load(&tight, &components[0]).provenance(), Provenance::Compiled);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the key alone");
}

/// The result of the guest that looks for stains.
fn look(host: &Host, component: Vec<u8>) -> serde_json::Value {
    support::result(&support::finish(host, &start(host, component, "look"), Decision::Denied))
}

fn start(host: &Host, component: Vec<u8>, attack: &str) -> InstanceKey {
    let workflow = host.load(component).unwrap();
    let params = format!(r#"{{"attack":"{attack}"}}"#);
    let (tenant, actor) = (attack.parse().unwrap(), "agent:a".parse().unwrap());
    host.start(&workflow, Start::new(tenant, actor, attack, params)).unwrap()
}

fn one_at_a_time() -> (TempDir, Host) {
    let folder = TempDir::new().unwrap();
    let limits = SandboxLimits { live_instances: 1, ..SandboxLimits::default() };
    let host = Host::builder(folder.path()).sandbox(limits).open().unwrap();
    assert_eq!(host.note(), None, "this test needs the pool");
    (folder, host)
}

/// The pool has one place, so the next instance gets the memory, the tables and the stack that the last one had.
#[test]
fn nothing_of_one_instance_is_left_for_the_next() {
    let hostile = support::guest("hostile");
    let clean = look(&one_at_a_time().1, hostile.clone());
    assert_eq!((&clean["dirty"], &clean["stains"], &clean["mark"]), (&0.into(), &0.into(), &0.into()));
    let (_folder, host) = one_at_a_time();
    for component in [hostile.clone(), variant(hostile.clone(), 1)] {
        let filled = support::finish(&host, &start(&host, hostile.clone(), "fill"), Decision::Denied);
        assert_eq!(support::failure(&filled).0, "panicked", "{filled:?}");
        assert_eq!(look(&host, component), clean);
    }
}

#[test]
fn drives_beyond_the_limit_wait_for_their_turn() {
    let (_folder, host) = one_at_a_time();
    let keys: Vec<_> = (0..8).map(|_| start(&host, support::guest("hostile"), "environment")).collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let drives: Vec<_> = keys
        .into_iter()
        .map(|key| {
            let host = host.clone();
            runtime.spawn(async move { host.drive(&key).await })
        })
        .collect();
    for drive in drives {
        let status = runtime.block_on(drive).unwrap().unwrap();
        assert!(matches!(status, Status::Completed(_)), "{status:?}");
    }
}

/// The pool has one place: an instance that prepares takes it in its turn, as a drive does.
#[test]
fn drives_and_preparations_wait_for_each_other() {
    let folder = TempDir::new().unwrap();
    compiled::put_engine(folder.path());
    let limits = SandboxLimits { live_instances: 1, ..SandboxLimits::default() };
    let sandbox = Sandbox::new(limits.clone()).unwrap().cached_in(&folder.path().join("cache")).unwrap();
    assert_eq!(sandbox.note(), None, "this test needs the pool");
    let load = |number: usize| sandbox.load(&script::workflow(&format!("return {number};")).bytes());
    let program = load(0).unwrap();
    std::thread::scope(|scope| {
        let prepared = scope.spawn(|| (1..40).try_for_each(|number| load(number).map(drop)));
        while !prepared.is_finished() {
            let handler = |_| Err("it asks for nothing".into());
            let event = determinism::event("acme", "{}");
            let drive = support::block_on(sandbox.run(&program, event, &limits, Box::new(handler)));
            assert!(matches!(drive.end, End::Returned(Ok(_))), "{:?}", drive.end);
        }
        prepared.join().unwrap().unwrap();
    });
}

/// A copied artifact counts for as long as the action that has it exists, whichever tenant's it is.
#[test]
fn artifacts_beyond_the_bound_wait_until_others_are_dropped() {
    let limits = SandboxLimits { artifact_buffer_bytes: 1, ..SandboxLimits::default() };
    let sandbox = Sandbox::new(limits.clone()).unwrap();
    let program = load(&sandbox, &support::guest("hostile"));
    let actions = Arc::new(Mutex::new(Vec::new()));
    let drive = |tenant: &str| {
        let (actions, mut number) = (Arc::clone(&actions), 0);
        let handler = move |command: Command| {
            number += 1;
            let outcome = determinism::outcome(&command, number)?;
            if matches!(command, Command::Perform(_)) {
                actions.lock().unwrap().push(command);
            }
            Ok(outcome)
        };
        let event = determinism::event(tenant, r#"{"attack":"plain"}"#);
        sandbox.run(&program, event, &limits, Box::new(handler))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        drive("acme").await;
        assert_eq!(actions.lock().unwrap().len(), 1);
        let mut other = pin!(drive("globex"));
        for _ in 0..1_000 {
            let ended = poll_fn(|cx| Poll::Ready(other.as_mut().poll(cx).is_ready())).await;
            assert!(!ended, "the first artifact is still in hand");
            tokio::task::yield_now().await;
        }
        actions.lock().unwrap().clear();
        let drive = other.await;
        assert!(matches!(drive.end, End::Returned(Ok(_))), "{:?}", drive.end);
        assert_eq!(actions.lock().unwrap().len(), 1);
    });
}

#[test]
fn without_address_space_for_a_pool_it_runs_and_says_so() {
    let data = TempDir::new().unwrap();
    let folder = data.path().display().to_string();
    let run = [env!("CARGO_BIN_EXE_pp-host"), "--data", &folder, "run", cli::GUEST];
    let mut bounded = child::with_address_space(20_000_000 << 10, &run);
    let ran = cli::Ran::from(bounded.current_dir(support::root()).output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("no pool") && ran.stderr.contains("live-instances"), "{}", ran.stderr);
}

#[test]
fn inspecting_needs_no_data_folder_and_makes_none() {
    let parent = TempDir::new().unwrap();
    let data = parent.path().join("none");
    let ran = cli::run(&data, &["inspect", cli::GUEST, "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let seen = &cli::lines(&ran.stdout)[0];
    assert_eq!(seen["sha256"], Digest::of(&demo()).to_string());
    assert_eq!(seen["workflow"], true);
    assert_eq!(seen["capabilities"], serde_json::json!(["cloudflare.dynamic-worker.deploy"]));
    assert_eq!((&seen["wasi"], &seen["code"]), (&serde_json::json!([]), &"compiled".into()));
    assert!(!data.exists());
    // With a data folder, its cache is used.
    assert_eq!(cli::run(&data, &["run", cli::GUEST]).code, Some(0));
    let ran = cli::run(&data, &["inspect", cli::GUEST]);
    assert!(ran.stdout.contains("from the cache"), "{}", ran.stdout);
    assert!(ran.stdout.contains("could reach   cloudflare.dynamic-worker.deploy"), "{}", ran.stdout);
}

#[test]
fn inspecting_says_why_something_is_no_workflow() {
    let folder = TempDir::new().unwrap();
    let cases = [
        (r#"(component (import "wasi:sockets/types@0.3.0" (instance)))"#, "wasi:sockets/types@0.3.0", 1),
        ("(component)", "exports nothing", 0),
        ("(module)", "not a component", 0),
    ];
    for (number, (text, why, imports)) in cases.into_iter().enumerate() {
        let path = folder.path().join(format!("{number}.wasm"));
        fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
        let ran = cli::run(folder.path(), &["inspect", "--json", path.to_str().unwrap()]);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        let seen = &cli::lines(&ran.stdout)[0];
        assert!(seen["why_not"].as_str().unwrap().contains(why), "{seen}");
        assert_eq!(seen["imports"].as_array().unwrap().len(), imports);
        assert_eq!(seen["capabilities"], serde_json::json!([]));
    }
}

#[test]
fn more_than_the_pool_has_room_for_is_refused_when_it_is_loaded() {
    let component = wat::parse_str(
        r#"(component (core module $m (table 5000000 funcref)) (core instance (instantiate $m))
             (instance $entry) (export "permission-protocol:tenant/entrypoint@0.2.0" (instance $entry)))"#,
    );
    let refused = Sandbox::new(SandboxLimits::default()).unwrap().load(&component.unwrap()).err().unwrap();
    assert!(
        matches!(refused, LoadError::TooComplex { limit: "table-elements", bound: 100_000, .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("--limit table-elements=N"), "{refused}");
}

#[test]
fn more_parts_than_an_instance_may_have_are_refused_with_or_without_a_pool() {
    let frame = fs::read_to_string(support::root().join("guests/hostile/frame.wat")).unwrap();
    let attack = fs::read_to_string(support::root().join("guests/hostile/raw/many-instances.wat")).unwrap();
    let component = wat::parse_str(frame.replacen("  ;; ATTACK", &attack, 1)).unwrap();
    let refused = Sandbox::new(SandboxLimits::default()).unwrap().load(&component).err().unwrap();
    assert!(matches!(refused, LoadError::TooComplex { limit: "core-instances", bound: 64, .. }), "{refused}");
    let more = SandboxLimits { core_instances: 200, ..SandboxLimits::default() };
    load(&Sandbox::new(more).unwrap(), &component);
    let folder = TempDir::new().unwrap();
    let no_pool = SandboxLimits { live_instances: 1_000_000, ..SandboxLimits::default() };
    let host = Host::builder(folder.path()).sandbox(no_pool).open().unwrap();
    assert!(host.note().is_some(), "this machine has room for a pool of a million");
    let refused = host.load(component).map(drop).unwrap_err().to_string();
    assert!(refused.contains("limit core-instances is 64"), "{refused}");
}

const EVENT: &str = r#"(field "payload" string) (field "timestamp-ms" u64) (field "instance-id" string) (field "workflow-name" string)"#;
const FAILURE: &str = r#"(field "name" string) (field "message" string)"#;
const RESULT: &str = "(result string (error $failure))";
const CORE: &str = "i32 i32 i64 i32 i32 i32 i32 i32";

/// A component whose `run` has these types.
fn exporting(event: &str, failure: &str, result: &str, core: &str) -> Vec<u8> {
    let types = |own: &str| {
        format!(
            r#"(type $failure{own} (record {failure})) (import "failure" (type $failure (eq $failure{own})))
               (type $event{own} (record {event})) (import "event" (type $event (eq $event{own})))"#
        )
    };
    let text = format!(
        r#"(component
          (import "permission-protocol:tenant/workflow@0.2.0" (instance $workflow (export "step" (type (sub resource)))))
          (alias export $workflow "step" (type $step))
          (core module $m (memory (export "memory") 1)
            (func (export "run") (param {core}) (result i32) (i32.const 0))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
          (core instance $i (instantiate $m))
          (type $failure (record {failure})) (type $event (record {event}))
          (func $run (param "event" $event) (param "step" (borrow $step)) (result {result})
            (canon lift (core func $i "run") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
          (component $entrypoint
            (import "step" (type $step (sub resource)))
            {}
            (import "run" (func $run (param "event" $event) (param "step" (borrow $step)) (result {result})))
            (export $shown-failure "failure" (type $failure)) (export $shown-event "event" (type $event))
            (export "run" (func $run) (func (param "event" $shown-event) (param "step" (borrow $step)) (result {shown}))))
          (instance $entry (instantiate $entrypoint
            (with "step" (type $step)) (with "failure" (type $failure)) (with "event" (type $event)) (with "run" (func $run))))
          (export "permission-protocol:tenant/entrypoint@0.2.0" (instance $entry)))"#,
        types("'"),
        shown = result.replace("$failure", "$shown-failure")
    );
    wat::parse_str(text).unwrap()
}

#[test]
fn a_run_of_another_type_is_refused_when_it_is_loaded() {
    let sandbox = Sandbox::new(SandboxLimits::default()).unwrap();
    load(&sandbox, &exporting(EVENT, FAILURE, RESULT, CORE));
    let (short, long) =
        (EVENT.replace(r#"(field "workflow-name" string)"#, ""), format!("{FAILURE} (field \"code\" u32)"));
    let others = [
        exporting(&short, FAILURE, RESULT, "i32 i32 i64 i32 i32 i32"),
        exporting(&EVENT.replace("u64", "u32"), FAILURE, RESULT, &CORE.replace("i64", "i32")),
        exporting(&EVENT.replace("payload", "pay-load"), FAILURE, RESULT, CORE),
        exporting(EVENT, &long, RESULT, CORE),
        exporting(EVENT, FAILURE, "(result string)", CORE),
        exporting(EVENT, FAILURE, "(result (list u8) (error $failure))", CORE),
    ];
    for (number, component) in others.iter().enumerate() {
        let refused = sandbox.load(component).map(|_| number).unwrap_err();
        assert!(
            matches!(&refused, LoadError::OtherTypes(why) if why.contains("its run is not")),
            "{number}: {refused}"
        );
    }
}
