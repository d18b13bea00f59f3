//! Moving a data folder to a database: completely or not at all, from every format that a folder can have.

use crate::support;
use crate::support::cli::{self, GUEST, Ran, command, lines, run};
use crate::support::postgres::{self, Server};
use crate::support::worker::{Worker, decider, fails, shown, submit, succeeds, until};
use receipt::Timestamp;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use store::{DataFolder, RequestFilter, Store};
use store_postgres::Postgres;
use store_sqlite::Sqlite;
use tempfile::TempDir;

/// Commands that show the content of a folder or a database.
const SHOW: [&[&str]; 7] = [
    &["audit"],
    &["audit", "--json"],
    &["instances", "list", "--json"],
    &["approvals", "list", "--json"],
    &["receipts", "list", "--json"],
    &["deployments", "--json"],
    &["deciders", "list", "--json"],
];

fn over(url: &str, data: &Path, arguments: &[&str]) -> Ran {
    command(data, arguments).env("PP_HOST_STORE", url).output().unwrap().into()
}

fn migrate(url: &str, data: &Path) -> Ran {
    over(url, data, &["migrate", "--from", &data.display().to_string()])
}

/// The output of each command.
fn show(run: impl Fn(&[&str]) -> Ran) -> Vec<String> {
    SHOW.iter()
        .map(|arguments| {
            let ran = run(arguments);
            // The journals of earlier formats have no keys beside them, by which their receipts could be verified.
            let lacks_keys = arguments[0] == "receipts" && ran.stderr.contains("is not in the key set");
            assert!(ran.code == Some(0) || lacks_keys, "{arguments:?}: {}", ran.stderr);
            ran.stdout
        })
        .collect()
}

fn journal(data: &Path) -> Vec<u8> {
    fs::read(data.join("journal.sqlite")).unwrap()
}

/// The content of a store, by every method that reads.
fn contents(store: &dyn Store) -> Vec<String> {
    let mut all = Vec::new();
    let mut say = |what: &dyn std::fmt::Debug| all.push(format!("{what:?}"));
    let instances = store.instances().wait().unwrap();
    let by = Timestamp::from_millis(4_000_000_000_000);
    for key in &instances {
        say(&store.facts(Some(key)).wait().unwrap());
        say(&store.output(key).wait().unwrap());
        say(&store.entered(key).wait().unwrap());
        say(&store.usage(&key.tenant).wait().unwrap());
        say(&store.asked_since(&key.tenant, Timestamp::from_millis(0)).wait().unwrap());
        say(&store.ended(&key.tenant, by, 0, 1_000).wait().unwrap());
        for fact in store.facts(Some(key)).wait().unwrap() {
            let entry = serde_json::to_value(&fact.entry).unwrap();
            for named in [&entry["component"], &entry["artifact"]["sha256"]] {
                let Some(digest) = named.as_str().and_then(|digest| digest.parse().ok()) else { continue };
                say(&store.precedents(&key.tenant, &[digest]).wait().unwrap());
                say(&store.keeps_artifact(&digest).wait().unwrap());
                say(&store.component(&digest).wait().map(|bytes| bytes.len()).ok());
            }
        }
    }
    for request in store.requests(RequestFilter::All).wait().unwrap() {
        let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        let word = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        say(&store.asked(&request.key.tenant, &word("capability"), &word("resource")).wait().unwrap());
        say(&(request.key, body, request.outcome, request.sent));
    }
    for id in store.receipts(store::ReceiptPage::ALL).wait().unwrap() {
        say(&store.receipt(&id).wait().unwrap());
    }
    say(&store.requests(RequestFilter::Waiting).wait().unwrap().len());
    say(&store.deletions(None, Timestamp::from_millis(0), u32::MAX).wait().unwrap());
    say(&store.acts(0).wait().unwrap());
    say(&store.first_ended().wait().unwrap());
    all
}

/// Moves a folder, and compares everything before and after.
fn moves_whole(server: &Server, data: &Path) {
    let url = server.empty_schema();
    let (before, kept) = (show(|arguments| run(data, arguments)), journal(data));
    let folder = || contents(&Sqlite::open(&DataFolder::read(data).unwrap()).unwrap());
    let there = folder();
    let moved = migrate(&url, data);
    assert_eq!(moved.code, Some(0), "{}", moved.stderr);
    assert_eq!(show(|arguments| over(&url, data, arguments)), before);
    assert_eq!(contents(&Postgres::open(&url).unwrap()), there);
    // The folder is unchanged, and refuses writes.
    assert_eq!(show(|arguments| run(data, arguments)), before);
    assert_eq!(journal(data), kept);
    let refused = fails(data, &["submit", GUEST], 1);
    assert!(refused.contains("was moved to postgres://") && refused.contains("--store"), "{refused}");
    let again = migrate(&url, data);
    assert!(
        again.code == Some(0) && again.stdout.contains("moved to") && again.stdout.contains("before"),
        "{}",
        again.stderr
    );
    assert_eq!(show(|arguments| over(&url, data, arguments)), before);
    // New records get places after all moved records.
    let submitted = over(&url, data, &["submit", GUEST]);
    assert_eq!(submitted.code, Some(0), "{}", submitted.stderr);
    let after = over(&url, data, &["audit", "--json"]).stdout;
    assert!(after.starts_with(&before[1]) && after.len() > before[1].len());
}

#[test]
fn a_folder_of_every_format_moves_whole() {
    let Some(server) = postgres::shared() else { return };
    let fixtures = fs::read_dir(support::root().join("tests/fixtures")).unwrap();
    let fixtures = fixtures.map(|entry| entry.unwrap().path());
    let journals: Vec<PathBuf> =
        fixtures.filter(|path| path.extension().is_some_and(|kind| kind == "sqlite")).collect();
    assert!(journals.len() >= 3);
    for fixture in journals {
        let data = TempDir::new().unwrap();
        support::put_journal(&fixture, data.path());
        moves_whole(server, data.path());
    }
}

/// A folder with every kind of record: people, denials, revoked and spent receipts, deletions, deployments, and waiting requests.
fn full_folder() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let data = folder.path();
    let key = decider(data, "alice");
    let waiting = || {
        let listed = lines(&succeeds(data, &["approvals", "list", "--json"]));
        listed.last().map(|request| request["request"].as_str().unwrap().to_owned())
    };
    let worker = Worker::begin(data);
    for word in ["approve", "approve", "deny"] {
        let instance = submit(data, "tenant-workflow", &[]);
        until(data, &instance, "requested");
        let request = waiting().unwrap();
        succeeds(data, &[word, &request, "--as", "alice", "--key", &key]);
        // The process ends by itself.
        let _ = cli::run(data, &["watch", &instance]);
    }
    let ended = lines(&succeeds(data, &["instances", "list", "--json"]));
    let ended = ended.iter().find(|instance| instance["status"] == "complete").unwrap();
    succeeds(data, &["instances", "delete", ended["instance"].as_str().unwrap()]);
    let instance = submit(data, "tenant-workflow", &[]);
    until(data, &instance, "requested");
    worker.stop();
    let journal = rusqlite::Connection::open(data.join("journal.sqlite")).unwrap();
    journal.execute("UPDATE requests SET notified = 3 WHERE open = 1", []).unwrap();
    drop(journal);
    succeeds(data, &["freeze", "--reason", "an incident"]);
    succeeds(data, &["thaw", "--reason", "it is over"]);
    (folder, instance)
}

#[test]
fn a_folder_with_everything_moves_whole() {
    let Some(server) = postgres::shared() else { return };
    let (folder, _) = full_folder();
    moves_whole(server, folder.path());
}

#[test]
fn what_waits_is_decided_after_the_move_and_deployed() {
    let Some(server) = postgres::shared() else { return };
    let (folder, instance) = full_folder();
    let data = folder.path();
    let url = server.empty_schema();
    let worker = Worker::begin(data);
    let refused = migrate(&url, data);
    assert!(refused.code == Some(1) && refused.stderr.contains("in use"), "{}", refused.stderr);
    worker.stop();
    assert_eq!(migrate(&url, data).code, Some(0));
    let listed = lines(&over(&url, data, &["approvals", "list", "--json"]).stdout);
    let request = listed[0]["request"].as_str().unwrap();
    let key = data.join("alice.pem").display().to_string();
    let approved = over(&url, data, &["approve", request, "--as", "alice", "--key", &key]);
    assert_eq!(approved.code, Some(0), "{}", approved.stderr);
    let before = lines(&over(&url, data, &["deployments", "--json"]).stdout).len();
    let mut work = command(data, &["work"]);
    let mut host =
        work.env("PP_HOST_STORE", &url).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let watched = over(&url, data, &["watch", &instance]);
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(watched.stdout.contains("completed"), "{}{}", watched.stdout, watched.stderr);
    assert_eq!(lines(&over(&url, data, &["deployments", "--json"]).stdout).len(), before + 1);
    assert_eq!(shown(data, &instance)["status"], "waiting", "in the folder it is as it was");
}

#[test]
fn a_database_that_is_in_use_takes_no_folder() {
    let Some(server) = postgres::shared() else { return };
    let data = cli::folder();
    let (url, other) = (server.empty_schema(), TempDir::new().unwrap());
    assert_eq!(over(&url, other.path(), &["migrate"]).code, Some(0));
    assert_eq!(over(&url, other.path(), &["submit", GUEST]).code, Some(0));
    let there = over(&url, other.path(), &["audit", "--json"]).stdout;
    let refused = migrate(&url, data.path());
    assert!(refused.code == Some(1) && refused.stderr.contains("not empty"), "{}", refused.stderr);
    assert!(refused.stderr.contains("name another database"), "{}", refused.stderr);
    assert_eq!(over(&url, other.path(), &["audit", "--json"]).stdout, there);
    succeeds(data.path(), &["submit", GUEST]);
}

/// Words of the error, and the damage that causes it.
type Damage = (&'static str, fn(&Path));

#[test]
fn a_damaged_folder_is_not_moved() {
    let Some(server) = postgres::shared() else { return };
    let damages: [Damage; 4] = [
        ("it is not what was written", |data| {
            let journal = rusqlite::Connection::open(data.join("journal.sqlite")).unwrap();
            journal.execute("UPDATE entries SET at = at + 1 WHERE seq = 5", []).unwrap();
        }),
        ("is missing", |data| {
            let journal = rusqlite::Connection::open(data.join("journal.sqlite")).unwrap();
            journal.execute("DELETE FROM entries WHERE seq = (SELECT max(seq) FROM entries)", []).unwrap();
        }),
        ("is missing or has other bytes", |data| {
            let artifacts = support::files(&data.join("deployments/artifacts"));
            File::options().write(true).open(&artifacts[0]).unwrap().write_at(b"#", 0).unwrap();
        }),
        ("is incomplete", |data| fs::remove_file(data.join("keys/keys.json")).unwrap()),
    ];
    for (words, damage) in damages {
        let data = cli::folder();
        damage(data.path());
        let url = server.empty_schema();
        let refused = migrate(&url, data.path());
        assert!(refused.code == Some(1) && refused.stderr.contains(words), "{words}: {}", refused.stderr);
        assert!(!data.path().join("moved").exists());
        assert_eq!(over(&url, data.path(), &["migrate"]).code, Some(0));
        assert_eq!(over(&url, data.path(), &["audit"]).stdout, "", "nothing was moved");
    }
}

/// Blocks a move in the database at the place of `trigger`, until the session ends.
fn standing_still(server: &Server, url: &str, data: &Path, trigger: &str) {
    let schema = url.rsplit("%3D").next().unwrap();
    assert_eq!(over(url, data, &["migrate"]).code, Some(0));
    server.sql(&format!(
        "CREATE FUNCTION {schema}.stand_still() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('{schema}')); RETURN NEW; END $$;
        CREATE {trigger} ON {schema}.moves {} FOR EACH ROW EXECUTE FUNCTION {schema}.stand_still()",
        if trigger.starts_with("CONSTRAINT") { "DEFERRABLE INITIALLY DEFERRED" } else { "" }
    ));
    let mut session = server.session();
    session.run(&format!("SELECT pg_advisory_lock(hashtext('{schema}')) IS NULL;"));
    let from = data.display().to_string();
    let mut moving = command(data, &["migrate", "--from", &from]);
    let mut moving =
        moving.env("PP_HOST_STORE", url).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    crate::support::until("the move stands still", || server.sql(waits) != "0");
    moving.kill().unwrap();
    moving.wait().unwrap();
    drop(session);
    crate::support::until("the server has ended it", || {
        server.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' OR state LIKE 'idle in%'",
        ) == "0"
    });
}

#[test]
fn a_move_that_is_killed_leaves_nothing_and_is_made_again() {
    let Some(server) = Server::start_with(&[]) else { return };
    let (data, url) = (cli::folder(), server.empty_schema());
    let data = data.path();
    let before = show(|arguments| run(data, arguments));
    standing_still(&server, &url, data, "TRIGGER waits BEFORE INSERT");
    assert_eq!(over(&url, data, &["audit"]).stdout, "", "nothing is there");
    succeeds(data, &["keys", "list"]);
    assert_eq!(show(|arguments| run(data, arguments)), before);
    assert!(!data.join("moved").exists());
    let moved = migrate(&url, data);
    assert!(moved.code == Some(0) && !moved.stdout.contains("before"), "{}", moved.stderr);
    assert_eq!(show(|arguments| over(&url, data, arguments)), before);
}

#[test]
fn a_move_that_is_killed_in_its_commit_is_found_out() {
    let Some(server) = Server::start_with(&[]) else { return };
    let (data, url) = (cli::folder(), server.empty_schema());
    let data = data.path();
    let before = show(|arguments| run(data, arguments));
    standing_still(&server, &url, data, "CONSTRAINT TRIGGER waits AFTER INSERT");
    // Whether or not the server has committed the move, the folder refuses writes.
    let refused = fails(data, &["submit", GUEST], 1);
    assert!(refused.contains("if the move was interrupted"), "{refused}");
    let elsewhere = migrate(&server.empty_schema(), data);
    assert!(elsewhere.code == Some(1) && elsewhere.stderr.contains("was moved to"), "{}", elsewhere.stderr);
    let again = migrate(&url, data);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(show(|arguments| over(&url, data, arguments)), before);
}
