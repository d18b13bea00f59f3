//! Limits a tenant: where they come from, and what happens when a quota is reached.

use crate::support::recount::recount;
use crate::support::{self, cli, count, finish, formats};
use engine::limits::Settings;
use engine::{Error, Host, Status, limits};
use receipt::{Decision, Timestamp};
use sandbox::SandboxLimits;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use store::{InstanceState, Quotas, StoreError, Usage};
use tempfile::TempDir;
use workflow::{Entry, TenantId};

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn with_quotas(folder: &Path, quotas: Quotas) -> Host {
    Host::builder(folder).quotas(quotas).open().unwrap()
}

fn over_quota<T: std::fmt::Debug>(result: Result<T, Error>) -> (&'static str, u64) {
    match result {
        Err(Error::Store(StoreError::Quota(over))) => (over.name, over.limit),
        other => panic!("not over a quota: {other:?}"),
    }
}

// Quotas.

#[test]
fn what_is_counted_is_what_is_there() {
    let (folder, host) = support::new_host();
    for (guest, params, decision) in [
        ("tenant-workflow", "{}", Decision::Approved),
        ("tenant-workflow", "{}", Decision::Denied),
        ("tenant-workflow-std", "{}", Decision::Approved),
        ("hostile", r#"{"attack":"two-approvals"}"#, Decision::Approved),
        ("hostile", r#"{"attack":"print"}"#, Decision::Approved),
        ("hostile", r#"{"attack":"panic"}"#, Decision::Approved),
    ] {
        finish(&host, &support::start(&host, guest, params), decision);
    }
    support::start(&host, "tenant-workflow", "{}");
    let waiting = support::start(&host, "tenant-workflow", "{}");
    support::block_on(host.drive(&waiting)).unwrap();
    let usage = host.store().usage(&tenant("acme")).wait().unwrap();
    assert_eq!((usage.instances, usage.pending_approvals), (2, 1));
    assert_eq!(usage, recount(folder.path(), "acme"));
    assert_eq!(host.store().usage(&tenant("globex")).wait().unwrap(), Usage::default());
}

#[test]
fn a_tenant_that_has_its_instances_starts_no_more_and_others_do() {
    let folder = TempDir::new().unwrap();
    let host = with_quotas(folder.path(), Quotas { instances: 2, ..Quotas::default() });
    let workflow = host.load(support::guest("tenant-workflow")).unwrap();
    let start = |tenant: &str| {
        let (tenant, actor) = (tenant.parse().unwrap(), "agent:a".parse().unwrap());
        host.start(&workflow, engine::Start::new(tenant, actor, "w", "{}"))
    };
    let first = start("acme").unwrap();
    start("acme").unwrap();
    let facts = host.audit(None).unwrap().len();
    assert_eq!(over_quota(start("acme")), ("instances", 2));
    assert_eq!(host.audit(None).unwrap().len(), facts, "a refused start leaves no trace");
    start("globex").unwrap();
    finish(&host, &first, Decision::Approved);
    start("acme").unwrap();
    assert_eq!(host.store().usage(&tenant("acme")).wait().unwrap(), recount(folder.path(), "acme"));
}

#[test]
fn starts_at_once_do_not_exceed_the_quota() {
    let folder = TempDir::new().unwrap();
    let host = with_quotas(folder.path(), Quotas { instances: 5, ..Quotas::default() });
    let starting: Vec<_> = (0..4)
        .map(|_| {
            let host = host.clone();
            std::thread::spawn(move || {
                let workflow = host.load(support::guest("tenant-workflow")).unwrap();
                let start = || engine::Start::new(tenant("acme"), "agent:a".parse().unwrap(), "w", "{}");
                (0..5).filter(|_| host.start(&workflow, start()).is_ok()).count()
            })
        })
        .collect();
    let started: usize = starting.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(started, 5);
}

#[test]
fn a_request_too_many_is_a_refusal_that_the_guest_hears_and_the_journal_has_once() {
    let folder = TempDir::new().unwrap();
    let host = with_quotas(folder.path(), Quotas { pending_approvals: 1, ..Quotas::default() });
    let waiting = support::start(&host, "tenant-workflow", "{}");
    assert!(matches!(support::block_on(host.drive(&waiting)).unwrap(), Status::Waiting(_)));
    let second = support::start(&host, "tenant-workflow", "{}");
    let (_, message) = support::failure(&support::block_on(host.drive(&second)).unwrap());
    assert!(message.contains("limit pending-approvals reached: tenant acme may have 1"), "{message}");
    let entries = support::entries(&host, &second);
    assert_eq!((count(&entries, "rejected"), count(&entries, "requested")), (1, 0));
    // Another tenant's requests do not count.
    let other = support::start_for(&host, "globex", "tenant-workflow", "{}");
    assert!(matches!(support::block_on(host.drive(&other)).unwrap(), Status::Waiting(_)));
    // Once the first is decided there is room.
    finish(&host, &waiting, Decision::Denied);
    let third = support::start(&host, "tenant-workflow", "{}");
    assert!(matches!(support::block_on(host.drive(&third)).unwrap(), Status::Waiting(_)));
    assert_eq!(host.store().usage(&tenant("acme")).wait().unwrap(), recount(folder.path(), "acme"));
}

#[test]
fn a_tenant_without_room_is_stopped_and_goes_on_when_there_is_room() {
    let folder = TempDir::new().unwrap();
    let host = Host::builder(folder.path()).open().unwrap();
    let key = support::start(&host, "tenant-workflow", "{}");
    let used = host.store().usage(&tenant("acme")).wait().unwrap().stored_bytes;
    let full = |host: Host, room: u64| {
        drop(host);
        with_quotas(folder.path(), Quotas { stored_bytes: used + room, ..Quotas::default() })
    };
    let host = full(host, 20);
    assert_eq!(over_quota(support::block_on(host.drive(&key))), ("stored-bytes", used + 20));
    assert_eq!(support::entries(&host, &key).len(), 2, "nothing was written");
    // Room for the first step and for a refusal, and not for a request of some 2 KiB.
    let host = full(host, 1_500);
    let (_, message) = support::failure(&support::block_on(host.drive(&key)).unwrap());
    assert!(message.contains("limit stored-bytes reached"), "{message}");
    let entries = support::entries(&host, &key);
    assert_eq!((count(&entries, "rejected"), count(&entries, "requested")), (1, 0));
    // A start needs room as well: its component counts, once.
    let host = full(host, 1_500);
    let workflow = host.load(support::guest("tenant-workflow-std")).unwrap();
    let start = engine::Start::new(tenant("acme"), "agent:a".parse().unwrap(), "w", "{}");
    assert_eq!(over_quota(host.start(&workflow, start)).0, "stored-bytes");
    drop(host);
    let host = Host::builder(folder.path()).open().unwrap();
    let again = support::start(&host, "tenant-workflow", "{}");
    assert!(matches!(finish(&host, &again, Decision::Approved), Status::Completed(_)));
    assert_eq!(host.store().usage(&tenant("acme")).wait().unwrap(), recount(folder.path(), "acme"));
}

#[test]
fn what_was_permitted_is_recorded_however_full_it_is() {
    let folder = TempDir::new().unwrap();
    let host = Host::builder(folder.path()).open().unwrap();
    let key = support::start(&host, "hostile", r#"{"attack":"plain"}"#);
    support::block_on(host.drive(&key)).unwrap();
    drop(host);
    let full = |stored_bytes: u64| {
        let none = Quotas { instances: 0, pending_approvals: 0, ..Quotas::default() };
        with_quotas(folder.path(), Quotas { stored_bytes, ..none })
    };
    let host = full(0);
    let Status::Waiting(wait) = host.status(&key).unwrap() else { panic!() };
    let request = wait.request().unwrap().clone();
    host.decide(&request, &support::judgement(Decision::Approved)).unwrap();
    // The artifact has no room, so nothing of the action begins.
    assert_eq!(over_quota(support::block_on(host.drive(&key))).0, "stored-bytes");
    assert_eq!(count(&support::entries(&host, &key), "redeemed"), 0);
    let used = host.store().usage(&tenant("acme")).wait().unwrap().stored_bytes;
    drop(host);
    let host = full(used + "good".len() as u64);
    assert_eq!(over_quota(support::block_on(host.drive(&key))).0, "stored-bytes");
    let entries = support::entries(&host, &key);
    for kind in ["decided", "issued", "redeemed", "performed", "attested"] {
        assert_eq!(count(&entries, kind), 1, "{kind}");
    }
    drop(host);
    let host = Host::builder(folder.path()).open().unwrap();
    assert!(matches!(finish(&host, &key, Decision::Approved), Status::Completed(_)));
    assert_eq!(count(&support::entries(&host, &key), "performed"), 1, "and was done once");
}

#[test]
fn an_instance_that_is_ended_frees_what_it_held() {
    let folder = TempDir::new().unwrap();
    let host = Host::builder(folder.path()).open().unwrap();
    let key = support::start(&host, "tenant-workflow", "{}");
    support::block_on(host.drive(&key)).unwrap();
    drop(host);
    // Its request has lapsed, and with less fuel than before it ends before it is told: the request is still open then.
    let limits = SandboxLimits { fuel: 1_000, ..SandboxLimits::default() };
    let later = || Timestamp::from_millis(4_000_000_000_000);
    let host = Host::builder(folder.path()).sandbox(limits).clock(later).open().unwrap();
    support::block_on(host.drive(&key)).unwrap();
    let entries = support::entries(&host, &key);
    assert!(matches!(entries.last(), Some(Entry::Failed { .. })) && count(&entries, "lapsed") == 0);
    let usage = host.store().usage(&tenant("acme")).wait().unwrap();
    assert_eq!((usage.instances, usage.pending_approvals), (0, 0));
    assert_eq!(usage, recount(folder.path(), "acme"));
}

// Databases that are there already.

#[test]
fn a_database_of_format_1_is_counted_and_goes_on() {
    a_database_goes_on("format-1.sqlite");
}

/// Later versions read texts that are encoded now.
#[test]
fn a_database_of_format_6_goes_on() {
    a_database_goes_on("format-6.sqlite");
}

#[test]
fn a_database_of_format_7_goes_on() {
    a_database_goes_on("format-7.sqlite");
}

fn a_database_goes_on(fixture: &str) {
    let folder = TempDir::new().unwrap();
    let fixture = support::root().join("tests/fixtures").join(fixture);
    support::put_journal(&fixture, folder.path());
    let before = cli::run(folder.path(), &["audit"]);
    assert_eq!(before.code, Some(0), "reading needs no migration: {}", before.stderr);
    // The recorded time counts where the clock is behind it, so that the requests in there have not lapsed.
    let host = Host::builder(folder.path()).clock(|| Timestamp::from_millis(0)).open().unwrap();
    let usage = |name: &str| host.store().usage(&tenant(name)).wait().unwrap();
    for name in ["acme", "globex"] {
        assert_eq!(usage(name), recount(folder.path(), name), "{name}");
        assert_eq!((usage(name).instances, usage(name).pending_approvals), (1, 1), "{name}");
    }
    for key in host.store().instances().wait().unwrap() {
        assert_agenda_is_as_the_journal(&host, &key);
        finish(&host, &key, Decision::Approved);
    }
    for name in ["acme", "globex"] {
        assert_eq!(usage(name), recount(folder.path(), name), "{name}");
        assert_eq!((usage(name).instances, usage(name).pending_approvals), (0, 0), "{name}");
    }
    assert_eq!(formats::of(folder.path()), formats::NEWEST);
    drop(host);
    Host::builder(folder.path()).open().unwrap();
    let after = cli::run(folder.path(), &["audit"]);
    assert!(after.stdout.starts_with(&before.stdout), "what was recorded stands");
}

fn assert_agenda_is_as_the_journal(host: &Host, key: &store::InstanceKey) {
    let entered = host.store().entered(key).wait().unwrap().unwrap();
    let expected = match host.status(key).unwrap() {
        Status::Waiting(wait) => (InstanceState::Waiting, wait.due()),
        Status::Completed(_) => (InstanceState::Complete, None),
        Status::Failed(_) => (InstanceState::Errored, None),
        other => panic!("nothing else was possible then: {other:?}"),
    };
    assert_eq!((entered.schedule.state, entered.schedule.due), expected, "{key}");
    assert_eq!(entered.since, host.audit(Some(key)).unwrap().pop().unwrap().at, "{key}");
}

// Limits a tenant.

#[test]
fn each_tenant_has_its_own_limits_and_the_command_line_the_last_word() {
    let text = "[limits]\nfuel = 1_000_000\nmemory-bytes = \"8 MiB\"\n\n[tenants.acme.limits]\nfuel = 0x10\n";
    let mut settings = Settings::parse(Path::new("pp-host.toml"), text).unwrap();
    let fuel = |settings: &Settings, name: &str| settings.of(&tenant(name)).sandbox.fuel;
    assert_eq!((fuel(&settings, "acme"), fuel(&settings, "globex")), (16, 1_000_000));
    assert_eq!(settings.of(&tenant("acme")).sandbox.memory_bytes, 8 << 20);
    assert_eq!(settings.of(&tenant("acme")).workflow, workflow::Limits::default());
    let origins: Vec<_> = settings.resolve(Some(&tenant("acme"))).into_iter().collect();
    let origin =
        |name: &str| origins.iter().find(|resolved| resolved.limit.name == name).unwrap().origin.to_string();
    assert_eq!(
        (origin("fuel"), origin("memory-bytes"), origin("calls")),
        ("pp-host.toml:6".to_owned(), "pp-host.toml:3".to_owned(), "default".to_owned())
    );
    assert_eq!(settings.largest().sandbox.fuel, 1_000_000);
    settings.override_limit(limits::find("fuel").unwrap(), 7).unwrap();
    assert_eq!((fuel(&settings, "acme"), fuel(&settings, "globex")), (7, 7));
}

#[test]
fn a_drive_has_the_limits_of_its_tenant() {
    let folder = TempDir::new().unwrap();
    let text = "[tenants.acme.limits]\nfuel = 1000\n[tenants.globex.limits]\nresult-bytes = 10\ncomponent-bytes = \"1 KiB\"";
    let settings = Settings::parse(Path::new("pp-host.toml"), text).unwrap();
    let host = Host::builder(folder.path()).settings(settings).open().unwrap();
    let end = |name: &str| {
        finish(&host, &support::start_for(&host, name, "tenant-workflow", "{}"), Decision::Approved)
    };
    let (_, message) = support::failure(&end("acme"));
    assert!(message.starts_with("limit fuel reached: at most 1000 "), "{message}");
    assert!(matches!(end("initech"), Status::Completed(_)));
    let workflow = host.load(support::guest("tenant-workflow")).unwrap();
    let start = |params: &str| {
        let (tenant, actor) = (tenant("globex"), "agent:a".parse().unwrap());
        host.start(&workflow, engine::Start::new(tenant, actor, "w", params))
    };
    let params = start(r#"{"longer":"than ten bytes"}"#).unwrap_err().to_string();
    assert!(params.contains("limit result-bytes reached: at most 10 "), "{params}");
    for refused in [start("{}").map(drop), host.load_for(&tenant("globex"), vec![0; 2_000]).map(drop)] {
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("limit component-bytes is 1024 "), "{refused}");
    }
}

// The file and the command line.

#[test]
fn a_limit_s_earlier_name_sets_it_and_the_present_name_has_precedence() {
    let started_calls = |lines: &str| {
        let text = format!("[tenants.acme.limits]\n{lines}");
        Settings::parse(Path::new("pp-host.toml"), &text).unwrap().of(&tenant("acme")).workflow.started_calls
    };
    assert_eq!((started_calls("started-calls = 7"), started_calls("beside = 8")), (7, 8));
    assert_eq!(started_calls("started-calls = 7\nbeside = 8"), 7);
    // The order of the names does not matter.
    let core_instances = |lines: &str| {
        let text = format!("[limits]\n{lines}");
        Settings::parse(Path::new("pp-host.toml"), &text).unwrap().largest().sandbox.core_instances
    };
    assert_eq!(core_instances("parts = 8"), 8);
    assert_eq!(core_instances("parts = 8\ncore-instances = 7"), 7);
}

#[test]
fn every_earlier_name_of_a_limit_finds_it() {
    for (earlier, present) in [
        ("beside", "started-calls"),
        ("bytes-in-hand", "artifact-buffer-bytes"),
        ("log-bytes", "output-bytes"),
        ("parts", "core-instances"),
        ("programs", "cached-programs"),
        ("drives", "concurrent-drives"),
        ("http-head-seconds", "http-head-timeout-seconds"),
        ("http-bodies-bytes", "http-body-memory-bytes"),
        ("http-seconds", "http-timeout-seconds"),
        ("http-follow-seconds", "http-stream-seconds"),
        ("http-token-at-once", "http-token-concurrency"),
        ("notify-at-once", "notify-concurrency"),
        ("notify-seconds", "notify-timeout-seconds"),
        ("notify-pause-seconds", "notify-max-backoff-seconds"),
    ] {
        assert_eq!(limits::find(earlier).unwrap().name, present);
        assert!(limits::ALL.iter().all(|limit| limit.name != earlier), "{earlier}");
    }
}

#[test]
fn a_settings_file_that_is_not_understood_is_refused_with_file_line_and_the_nearest_name() {
    for (text, words) in [
        ("\n[limits]\nfule = 1\n", ":3: unknown key \"fule\" in a table of limits; did you mean fuel?"),
        ("[limts]\n", ":1: unknown key \"limts\" in the file; did you mean limits?"),
        (
            "[tenants.acme]\nquota = 1\n",
            ":2: unknown key \"quota\" in a tenant's settings; did you mean limits?",
        ),
        ("[tenants.\"a b\".limits]\n", ":1: \"a b\" is not a tenant id: 1 to 100 characters"),
        ("limits = 5\n", ":1: \"limits\" is integer, and a table is expected: [limits]"),
        ("[tenants]\nacme = 5\n", ":2: \"acme\" is integer, and a table is expected: [tenants.NAME.limits]"),
        ("[limits]\nfuel = -1\n", ":2: limit fuel cannot be -1: a whole number is expected"),
        ("[limits]\nfuel = 1.5\n", ":2: limit fuel cannot be 1.5: a whole number is expected"),
        ("[limits]\nfuel = \"64 MiB\"\n", "cannot be \"64 MiB\": a whole number is expected"),
        (
            "[limits]\n\nmemory-bytes = \"64 MB\"\n",
            ":3: limit memory-bytes cannot be \"64 MB\": a size is expected",
        ),
        (
            "[limits]\ncalls = 4294967296\n",
            ":2: limit calls cannot be 4294967296: the value is too large; the largest is 4294967295",
        ),
        (
            "[limits]\nfuel = 99999999999999999999\n",
            ":2: limit fuel cannot be 99999999999999999999: the value is too large",
        ),
        ("[limits]\nfuel = [1]\n", ":2: limit fuel cannot be [1]: a whole number is expected"),
        ("[limits]\nfuel = 1\nfuel = 2\n", ":3: not TOML: duplicate key"),
        (
            "[limits]\ncache-bytes = 1\n[tenants.acme.limits]\ncache-bytes = 2\n",
            ":4: limit cache-bytes applies to the whole host and cannot be set for a tenant: set it under [limits]",
        ),
        ("[limits\n", ":1: not TOML: "),
    ] {
        let error = Settings::parse(Path::new("some/pp-host.toml"), text).unwrap_err().to_string();
        assert!(error.starts_with("some/pp-host.toml:"), "{error}");
        assert!(error.contains(words), "{text:?}: {error}");
    }
}

#[test]
fn the_file_in_the_data_folder_counts_unless_another_is_named() {
    let folder = TempDir::new().unwrap();
    let shown = |arguments: &[&str]| {
        let ran = cli::run(folder.path(), &[&["limits", "--json"], arguments].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let line = cli::lines(&ran.stdout).into_iter().find(|line| line["limit"] == "fuel").unwrap();
        (line["value"].as_u64().unwrap(), line["from"].as_str().unwrap().to_owned(), line["line"].clone())
    };
    assert_eq!(shown(&[]), (300_000_000_000, "default".to_owned(), Value::Null));
    cli::write(folder.path(), "pp-host.toml", "[limits]\nfuel = 5\n[tenants.acme.limits]\nfuel = 6\n");
    assert_eq!(shown(&[]), (5, "file".to_owned(), 2.into()));
    assert_eq!(shown(&["--tenant", "acme"]), (6, "file".to_owned(), 4.into()));
    assert_eq!(
        shown(&["--tenant", "acme", "--limit", "fuel=7"]),
        (7, "command-line".to_owned(), Value::Null)
    );
    let other = cli::write(folder.path(), "other.toml", "");
    assert_eq!(shown(&["--config", &other]).0, 300_000_000_000);
    let ran = cli::run(folder.path(), &["run", cli::GUEST]);
    assert!(ran.code == Some(1) && ran.stdout.contains("limit fuel reached: at most 5 "), "{}", ran.stdout);
    let missing = cli::run(folder.path(), &["run", cli::GUEST, "--config", "nowhere.toml"]);
    assert!(
        missing.code == Some(1) && missing.stderr.contains("nowhere.toml: cannot read"),
        "{}",
        missing.stderr
    );
    let wrong = cli::run(folder.path(), &["limits", "--limit", "fule=1"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("did you mean fuel?"), "{}", wrong.stderr);
    let damaged = cli::write(folder.path(), "damaged.toml", "[limits]\n\"\\u001b[2K\" = 1\n");
    let damaged = cli::run(folder.path(), &["limits", "--config", &damaged]);
    assert!(damaged.code == Some(1) && !damaged.stderr.contains('\u{1b}'), "{:?}", damaged.stderr);
}

#[test]
fn every_limit_is_listed_with_its_reason_and_in_the_help() {
    let folder = TempDir::new().unwrap();
    let (listed, help) =
        (cli::run(folder.path(), &["limits"]).stdout, cli::run(folder.path(), &["run", "--help"]).stdout);
    for limit in limits::ALL {
        let line = format!("{:<26}  {:>12}  default\n", limit.name, limit.unit.show(limit.default()));
        assert!(listed.contains(&line) && listed.contains(limit.reason), "{line}");
        assert!(help.contains(limit.name), "{} is not in the help", limit.name);
    }
}

#[test]
fn less_than_the_least_is_refused_wherever_it_is_set() {
    let folder = TempDir::new().unwrap();
    let with_least: Vec<_> = limits::ALL.iter().filter(|limit| limit.least > 0).collect();
    assert!(with_least.len() > 5);
    for limit in with_least {
        let (name, less) = (limit.name, limit.least - 1);
        let least = format!("the smallest is {}", limit.unit.show(limit.least));
        let line = cli::run(folder.path(), &["limits", "--limit", &format!("{name}={less}")]);
        assert!(line.code == Some(2) && line.stderr.contains(&least), "{name}: {}", line.stderr);
        let file = cli::write(folder.path(), "settings.toml", &format!("[limits]\n{name} = {less}\n"));
        let file = cli::run(folder.path(), &["limits", "--config", &file]);
        assert!(file.code == Some(1) && file.stderr.contains(&least), "{name}: {}", file.stderr);
        assert!(file.stderr.contains("settings.toml:2"), "{}", file.stderr);
    }
    let tenant = "[tenants.acme.limits]\nretention = \"59m\"\n";
    let tenant = cli::write(folder.path(), "settings.toml", tenant);
    let refused = cli::run(folder.path(), &["run", cli::GUEST, "--config", &tenant]);
    assert!(refused.code == Some(1) && refused.stderr.contains("the smallest is 1 h"), "{}", refused.stderr);
}

/// A limit that is hit is named as the table names it.
#[test]
fn the_names_in_errors_are_those_of_the_table() {
    for attack in ["memory", "handles", "flood", "step-names"] {
        let support::Attacked { status, entries, .. } = support::attack(attack);
        let told = format!("{status:?} {entries:?}");
        let (_, rest) = told.split_once("limit ").unwrap();
        let name = rest.split_once(' ').unwrap().0;
        assert!(limits::find(name).is_ok(), "{attack}: {name}");
    }
}

/// A limit of the host is what `largest` makes of all, and no settings of a tenant reach it.
#[test]
fn a_tenant_has_no_limit_of_the_host_s() {
    let of_the_host = limits::ALL.iter().filter(|limit| limit.reach() == limits::Reach::Host);
    let names: Vec<_> = of_the_host.map(|limit| limit.name).collect();
    assert_eq!(names.len(), 26, "{names:?}");
    for name in &names {
        let text = format!("[tenants.acme.limits]\n{name} = 1\n");
        let refused = Settings::parse(Path::new("pp-host.toml"), &text).unwrap_err().to_string();
        assert!(refused.contains("whole host"), "{refused}");
    }
    let page = fs::read_to_string(support::root().join("docs/operations.md")).unwrap();
    let (_, listed) = page.split_once("bound what all tenants share").unwrap();
    let listed: BTreeSet<_> = listed.split("\n\n").next().unwrap().split('`').skip(1).step_by(2).collect();
    let all: BTreeSet<_> = names.into_iter().collect();
    assert_eq!(listed, all, "in docs/operations.md");
}

// The documentation.

#[test]
fn the_examples_in_the_documentation_are_understood() {
    let page = fs::read_to_string(support::root().join("docs/operations.md")).unwrap();
    let examples = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let parsed: Vec<_> =
        examples.map(|example| Settings::parse(Path::new("pp-host.toml"), example).unwrap()).collect();
    let [notify, settings] = &parsed[..] else { panic!("{}", parsed.len()) };
    let notify = notify.notify().unwrap();
    assert!(notify.command.is_some() && notify.webhook.is_some() && notify.url.is_some());
    assert_ne!(settings.of(&tenant("acme")), settings.of(&tenant("anybody")));
    assert_ne!(settings.of(&tenant("anybody")), limits::Limits::default());
}

#[test]
fn the_table_in_the_documentation_is_the_table() {
    let page = fs::read_to_string(support::root().join("docs/operations.md")).unwrap();
    let rows = limits::ALL.iter().map(|limit| {
        format!(
            "| `{}` | {} | {} | {} |\n",
            limit.name,
            limit.unit.show(limit.default()),
            limit.what,
            limit.reason
        )
    });
    let table: String = rows.collect();
    assert!(page.contains(&table), "docs/operations.md has another table than this:\n{table}");
}
