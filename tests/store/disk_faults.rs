//! The disk fails, fills up, or returns other bytes than were written. No acknowledged write is lost, no refused write
//! has an effect, and the other instances continue.
//!
//! Where a process has to die or needs limits of its own, the test program runs itself.

use crate::support;
use crate::support::faulty::{Faulty, When};
use crate::support::{block_on, child, count, entries, judgement};
use engine::{Host, Start, Status};
use receipt::{Decision, Digest, Timestamp};
use rusqlite::Connection;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use store::DataFolder;
use store::{
    Batch, Commit, Create, InstanceKey, InstanceState, JournalPosition, JournalStore as _, Quotas,
    ScheduleRow, Store, StoreError, WriteStore as _,
};
use store_sqlite::Sqlite;
use tempfile::TempDir;
use workflow::{CallMode, Entry};

const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn key(name: &str) -> InstanceKey {
    InstanceKey { tenant: "acme".parse().unwrap(), instance: name.parse().unwrap() }
}

fn open(folder: &Path) -> Sqlite {
    Sqlite::open(&DataFolder::own(folder).unwrap()).unwrap()
}

fn create(store: &dyn Store, name: &str) -> Commit {
    let bytes: Arc<[u8]> = Arc::from(&b"component"[..]);
    let component = Digest::of(&bytes);
    let loaded = Entry::Loaded { component, bytes: 9, imports: vec!["a:b/c".to_owned()] };
    let started = Entry::Started {
        tenant: "acme".parse().unwrap(),
        actor: "agent:a".parse().unwrap(),
        workflow: "w".to_owned(),
        params: "{}".to_owned(),
        seed: component,
        operator: None,
        submitter: None,
    };
    let (entries, quotas) = (vec![loaded, started], Quotas::default());
    store.create(&Create { key: key(name), component: (component, bytes), at: AT, entries, quotas })
}

/// The beginning and the end of a step, `bytes` long.
fn step(store: &dyn Store, name: &str, after: usize, bytes: usize) -> Commit {
    let call = u32::try_from(after).unwrap();
    let begun =
        Entry::StepStarted { call, name: format!("step {after}"), config: None, mode: CallMode::Blocking };
    let ended = Entry::StepCompleted { call, output: format!("\"{}\"", "x".repeat(bytes)) };
    let batch = Batch { entries: vec![begun, ended], ..Batch::default() };
    store.append(JournalPosition { key: key(name), after, at: AT }, &batch)
}

// Failing writes.

/// Continues until one more instance than before has ended. Returns the number of failures on the way.
fn insist(host: &Host, before: usize) -> (InstanceKey, Status, usize) {
    let workflow = host.load(support::guest("tenant-workflow")).unwrap();
    let mut failed = 0;
    loop {
        assert!(failed < 2, "one write failed, and more than one thing with it");
        let Some(key) = host.store().instances().wait().unwrap().into_iter().nth(before) else {
            let start = Start::new("acme".parse().unwrap(), "agent:a".parse().unwrap(), "w", "{}");
            failed += usize::from(host.start(&workflow, start).is_err());
            continue;
        };
        match block_on(host.drive(&key)) {
            Ok(Status::Waiting(wait)) => {
                let decided = host.decide(wait.request().unwrap(), &judgement(Decision::Approved));
                failed += usize::from(decided.is_err());
            }
            Ok(end) => return (key, end, failed),
            Err(_) => failed += 1,
        }
    }
}

#[test]
fn whichever_write_fails_the_run_ends_with_one_of_everything() {
    let folder = TempDir::new().unwrap();
    let mut runs = 0;
    for when in [When::Before, When::Late, When::After] {
        for failing in 1.. {
            let faulty = move |inner| -> Box<dyn Store> { Box::new(Faulty::new(inner, when, failing)) };
            let host = Host::builder(folder.path()).wrap_store(faulty).open().unwrap();
            let (key, status, failed) = insist(&host, runs);
            runs += 1;
            let case = format!("write {failing} failed {when:?}");
            assert_eq!(support::result(&status)["status"], "deployed", "{case}");
            let entries = entries(&host, &key);
            for kind in ["requested", "decided", "issued", "redeemed", "performed", "attested", "completed"] {
                assert_eq!(count(&entries, kind), 1, "{kind}: {case}");
            }
            assert_eq!(count(&entries, "step-completed"), 2, "{case}");
            assert_eq!(host.store().instances().wait().unwrap().len(), runs, "{case}");
            assert_eq!(host.store().receipts(store::ReceiptPage::ALL).wait().unwrap().len(), runs, "{case}");
            assert_eq!(support::deployments(folder.path()).len(), runs, "{case}");
            if failed == 0 {
                assert!(failing > 6, "{failing} writes");
                break;
            }
        }
    }
}

/// The first write of a drive records that the instance runs. Where it failed, the next one records it.
#[test]
fn the_schedule_row_is_written_with_the_next_write_where_one_failed() {
    let folder = TempDir::new().unwrap();
    // The second: after the one that creates the instance.
    let faulty = |inner| -> Box<dyn Store> { Box::new(Faulty::new(inner, When::Before, 2)) };
    let (begun, has_begun) = std::sync::mpsc::channel();
    let observer = move |fact: &store::Fact| {
        if matches!(fact.entry, Entry::StepStarted { .. }) {
            begun.send(()).unwrap();
        }
    };
    let host = Host::builder(folder.path()).wrap_store(faulty).on_fact(observer).open().unwrap();
    let spins = r#"{"program":[{"spin":{"name":"a","ms":600000,"retries":0,"inside":false}}]}"#;
    let key = support::start(&host, "durable", spins);
    let driving = std::thread::spawn({
        let (host, key) = (host.clone(), key.clone());
        move || block_on(host.drive(&key))
    });
    // Its beginning is written because it takes long: in vain the first time.
    has_begun.recv().unwrap();
    let state = host.store().entered(&key).wait().unwrap().unwrap().schedule.state;
    host.terminate(&key, "ops", None).unwrap();
    driving.join().unwrap().unwrap();
    assert_eq!(state, InstanceState::Running);
}

// A full disk.

/// Passes the child its part and its folder.
const PART: &str = "PP_HOST_TEST_FAULTS_PART";
const FOLDER: &str = "PP_HOST_TEST_FAULTS_FOLDER";

/// The child's entry point, for every part.
#[test]
fn child() {
    let (Ok(part), Ok(folder)) = (std::env::var(PART), std::env::var(FOLDER)) else { return };
    match part.as_str() {
        "fills the disk" => fill_the_disk(Path::new(&folder)),
        "writes until it is killed" => write_forever(Path::new(&folder)),
        other => panic!("{other:?}"),
    }
}

fn run_self(part: &str, folder: &Path) -> Command {
    // A file that may not grow is an error, and not a signal.
    let mut command = child::of_with_file_errors(module_path!());
    command.env(PART, part).env(FOLDER, folder).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

const MANY: usize = 40;

fn fill_the_disk(folder: &Path) {
    let store = open(folder);
    for n in 0..MANY {
        create(&store, &format!("i{n}")).wait().unwrap();
    }
    let log = fs::metadata(folder.join("journal.sqlite-wal")).unwrap().len();
    let unbounded = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: Some(log + 400_000), ..unbounded }).unwrap();
    let handed_over: Vec<_> = (0..20)
        .flat_map(|round| (0..MANY).map(move |n| (n, 2 + 2 * round)))
        .map(|(n, after)| (n, after, step(&store, &format!("i{n}"), after, 3_000)))
        .collect();
    let (mut kept, mut full) = ([2; MANY], 0);
    for (n, after, commit) in handed_over {
        match commit.wait() {
            Ok(_) => {
                assert_eq!(kept[n], after, "a later one was kept without an earlier one");
                kept[n] = after + 2;
            }
            // A write after a refused one is at the wrong place.
            Err(StoreError::Conflict(_)) if full > 0 => {}
            Err(StoreError::Full(_)) => full += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(full > 0 && kept.iter().any(|kept| *kept > 2), "some are kept and some are not");
    // More than the log may have, also when it has begun anew.
    let too_much = usize::try_from(log).unwrap() + 500_000;
    assert!(matches!(step(&store, "i0", kept[0], too_much).wait(), Err(StoreError::Full(_))));
    assert_kept(&store, &kept);
    setrlimit(Resource::Fsize, unbounded).unwrap();
    for (n, after) in kept.into_iter().enumerate() {
        step(&store, &format!("i{n}"), after, 10).wait().unwrap();
    }
    println!("kept {}", kept.map(|kept| kept.to_string()).join(" "));
}

/// Exactly the acknowledged writes are there.
fn assert_kept(store: &dyn Store, kept: &[usize]) {
    for (n, kept) in kept.iter().enumerate() {
        assert_eq!(store.facts(Some(&key(&format!("i{n}")))).wait().unwrap().len(), *kept, "i{n}");
    }
}

#[test]
fn a_disk_that_fills_up_in_the_middle_of_a_group_loses_nothing_that_was_acknowledged() {
    let folder = TempDir::new().unwrap();
    let output = run_self("fills the disk", folder.path()).output().unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{complained}");
    let kept = said.lines().find_map(|line| line.strip_prefix("kept ")).unwrap();
    let kept: Vec<_> = kept.split(' ').map(|kept| kept.parse::<usize>().unwrap() + 2).collect();
    assert_kept(&open(folder.path()), &kept);
}

// A process that is killed.

fn write_forever(folder: &Path) {
    let store = open(folder);
    for n in 0..MANY {
        create(&store, &format!("i{n}")).wait().unwrap();
    }
    let mut after = 2;
    loop {
        let round: Vec<_> = (0..MANY).map(|n| (n, step(&store, &format!("i{n}"), after, 4_000))).collect();
        for (n, commit) in round {
            commit.wait().unwrap();
            println!("ack {n} {}", after + 2);
        }
        std::io::stdout().flush().unwrap();
        after += 2;
    }
}

#[test]
fn killed_in_the_middle_of_a_group_nothing_that_was_acknowledged_is_lost() {
    // The last is after the log was moved into the database.
    for lines in [1, 333, 4_500] {
        let folder = TempDir::new().unwrap();
        let mut child = run_self("writes until it is killed", folder.path()).spawn().unwrap();
        let mut heard = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut acknowledged = [0; MANY];
        let mut hear = |line: String| {
            let Some(ack) = line.strip_prefix("ack ") else { return 0 };
            let (n, length) = ack.split_once(' ').unwrap();
            let (n, length) = (n.parse::<usize>().unwrap(), length.parse::<usize>());
            // The last line may be cut.
            acknowledged[n] = length.unwrap_or(acknowledged[n]).max(acknowledged[n]);
            1
        };
        let mut acks = 0;
        while acks < lines {
            acks += hear(heard.next().unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in heard {
            hear(line);
        }
        let store = open(folder.path());
        for (n, acknowledged) in acknowledged.into_iter().enumerate() {
            let name = format!("i{n}");
            let length = store.facts(Some(&key(&name))).wait().unwrap().len();
            assert!(length >= acknowledged, "{name} has {length} of {acknowledged} entries");
            assert_eq!(length % 2, 0, "what was appended together is there together");
            step(&store, &name, length, 10).wait().unwrap();
        }
    }
}

// Damage.

/// Two instances with some entries, closed.
fn two() -> TempDir {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    for name in ["hit", "other"] {
        create(&store, name).wait().unwrap();
        for after in [2, 4, 6] {
            step(&store, name, after, 20).wait().unwrap();
        }
    }
    folder
}

fn damage(folder: &Path, statement: &str) {
    let journal = Connection::open(folder.join("journal.sqlite")).unwrap();
    assert!(journal.execute(statement, []).unwrap() > 0, "{statement}");
}

fn damages(statement: &str) {
    let folder = two();
    damage(folder.path(), statement);
    let store = open(folder.path());
    let words = match store.facts(Some(&key("hit"))).wait() {
        Err(StoreError::Damaged(words)) => words,
        other => panic!("{statement}: {other:?}"),
    };
    assert!(words.contains("acme/hit"), "{statement}: {words}");
    assert!(matches!(store.facts(None).wait(), Err(StoreError::Damaged(_))), "{statement}");
    assert_eq!(store.facts(Some(&key("other"))).wait().unwrap().len(), 8, "{statement}");
    step(&store, "other", 8, 10).wait().unwrap();
}

const HIT: &str = "instance = (SELECT id FROM instances WHERE instance = 'hit')";

#[test]
fn damage_is_said_and_is_that_of_one_instance() {
    // A letter, in what still is JSON; a digit of a digest; a time.
    damages(&format!("UPDATE entries SET body = replace(body, 'step 4', 'step 5') WHERE {HIT} AND idx = 4"));
    damages(&format!("UPDATE entries SET bytes = zeroblob(length(bytes)) WHERE {HIT} AND idx = 0"));
    damages(&format!("UPDATE entries SET at = at + 1 WHERE {HIT} AND idx = 4"));
    damages(&format!("UPDATE entries SET body = substr(body, 2) WHERE {HIT} AND idx = 2"));
    damages(&format!("UPDATE entries SET body = '' WHERE {HIT} AND idx = 2"));
    damages(&format!("UPDATE entries SET count = 1 WHERE {HIT} AND idx = 4"));
    // A row that is missing, in the middle and at the beginning; rows in each other's place; another instance's row.
    damages(&format!("DELETE FROM entries WHERE {HIT} AND idx = 4"));
    damages(&format!("DELETE FROM entries WHERE {HIT} AND idx = 0"));
    damages(&format!("UPDATE entries SET idx = -idx WHERE {HIT} AND idx IN (2, 4)"));
    damages(&format!(
        "UPDATE entries SET body = (SELECT e.body FROM entries e WHERE e.instance = entries.instance AND e.idx = 10 - entries.idx)
            WHERE {HIT} AND idx IN (4, 6)"
    ));
    damages(&format!("UPDATE entries SET instance = 99 WHERE {HIT} AND idx = 4"));
}

/// The entries at the time of the last schedule row, at least, have to be there.
#[test]
fn the_end_of_a_journal_is_missed() {
    let folder = two();
    let store = open(folder.path());
    let schedule = Some(ScheduleRow { state: InstanceState::Complete, due: None });
    let batch =
        Batch { entries: vec![Entry::Completed { output: "{}".to_owned() }], schedule, ..Batch::default() };
    store.append(JournalPosition { key: key("hit"), after: 8, at: AT }, &batch).wait().unwrap();
    drop(store);
    damage(folder.path(), &format!("DELETE FROM entries WHERE {HIT} AND idx = 8"));
    let read = open(folder.path()).facts(Some(&key("hit"))).wait();
    assert!(matches!(&read, Err(StoreError::Damaged(words)) if words.contains("acme/hit")), "{read:?}");
}

#[test]
fn a_damaged_text_that_instances_share_is_damage_in_each_of_them() {
    let folder = two();
    damage(folder.path(), "UPDATE texts SET body = replace(body, 'a:b/c', 'a:b/d')");
    for name in ["hit", "other"] {
        let read = open(folder.path()).facts(Some(&key(name))).wait();
        assert!(matches!(&read, Err(StoreError::Damaged(words)) if words.contains(name)), "{read:?}");
    }
}

/// The host reports the instance and continues with the others.
#[test]
fn a_host_continues_with_a_damaged_instance() {
    let folder = TempDir::new().unwrap();
    let host = Host::builder(folder.path()).open().unwrap();
    let keys = ["a", "b"].map(|_| support::start(&host, "paces", r#"{"steps":2}"#));
    let hit = keys[0].instance.as_str();
    damage(
        folder.path(),
        &format!(
            "UPDATE entries SET at = at - 1 WHERE instance = (SELECT id FROM instances WHERE instance = '{hit}')"
        ),
    );
    let error = block_on(host.drive(&keys[0])).unwrap_err().to_string();
    assert!(error.contains("damaged") && error.contains(hit), "{error}");
    assert!(matches!(block_on(host.drive(&keys[1])), Ok(Status::Completed(_))));
}

// A folder that is copied.

fn copy(file: &str, from: &Path, to: &Path) {
    // There may be no log.
    let _ = fs::copy(from.join(file), to.join(file));
}

const DATABASE: &str = "journal.sqlite";
const LOG: &str = "journal.sqlite-wal";

/// Entries in an instance, in a store that was closed and opened again.
fn some_more(folder: &Path, after: usize) -> Sqlite {
    let store = open(folder);
    if after == 0 {
        create(&store, "a").wait().unwrap();
    }
    for after in (after.max(2)..after.max(2) + 20).step_by(2) {
        step(&store, "a", after, 100).wait().unwrap();
    }
    store
}

#[test]
fn a_copy_of_different_times_is_refused() {
    for [first, second] in [[DATABASE, LOG], [LOG, DATABASE]] {
        let (folder, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let store = some_more(folder.path(), 0);
        copy(first, folder.path(), to.path());
        drop(store);
        drop(some_more(folder.path(), 22));
        let store = some_more(folder.path(), 42);
        copy(second, folder.path(), to.path());
        drop(store);
        let refused = Sqlite::open(&DataFolder::own(to.path()).unwrap()).err();
        let words = refused.map(|error| error.to_string()).unwrap_or_default();
        assert!(
            words.contains("of different times") && words.contains("damaged"),
            "{first} first: {words:?}"
        );
    }
}

/// With its log, or without it, if the log is not needed: all writes are there.
#[test]
fn a_copy_of_one_time_is_as_the_folder_was() {
    let folder = TempDir::new().unwrap();
    drop(some_more(folder.path(), 0));
    let store = some_more(folder.path(), 22);
    let to = TempDir::new().unwrap();
    copy(DATABASE, folder.path(), to.path());
    copy(LOG, folder.path(), to.path());
    assert_eq!(
        open(to.path()).facts(Some(&key("a"))).wait().unwrap(),
        store.facts(Some(&key("a"))).wait().unwrap()
    );
    drop(store);
    let to = TempDir::new().unwrap();
    copy(DATABASE, folder.path(), to.path());
    assert_eq!(open(to.path()).facts(Some(&key("a"))).wait().unwrap().len(), 42);
}

/// A copy that is made during writes is of one moment, not before the copy began; or it is refused.
#[test]
fn a_copy_that_is_made_meanwhile_is_a_moment_or_refused() {
    let folder = TempDir::new().unwrap();
    let mut child = run_self("writes until it is killed", folder.path()).spawn().unwrap();
    let mut heard = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let (mut acknowledged, mut read) = (0, 0);
    for number in 0..8 {
        for _ in 0..MANY * 20 {
            acknowledged += usize::from(heard.next().unwrap().starts_with("ack "));
        }
        let to = TempDir::new().unwrap();
        let order = if number % 2 == 0 { [DATABASE, LOG] } else { [LOG, DATABASE] };
        order.iter().for_each(|file| copy(file, folder.path(), to.path()));
        match Sqlite::open(&DataFolder::own(to.path()).unwrap()).and_then(|store| store.facts(None).wait()) {
            Ok(facts) => {
                assert!(
                    facts.len() >= 2 * (MANY + acknowledged),
                    "{} of {acknowledged}: {order:?}",
                    facts.len()
                );
                assert!(facts.iter().zip(1..).all(|(fact, seq)| fact.seq == seq), "{order:?}");
                read += 1;
            }
            Err(StoreError::Damaged(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(read > 1, "some of them are in order: {read}");
}

// Clocks.

#[test]
fn a_clock_that_is_set_back_or_far_ahead_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let now = Arc::new(AtomicI64::new(1_800_000_000_000));
    let time = Arc::clone(&now);
    let clock = move || Timestamp::from_millis(time.load(Ordering::SeqCst));
    let host = Host::builder(folder.path()).clock(clock).open().unwrap();
    let parked = |host: &Host| {
        let key = support::start(host, "tenant-workflow", "{}");
        let Status::Waiting(wait) = block_on(host.drive(&key)).unwrap() else { panic!("it does not wait") };
        (key, wait.request().unwrap().clone())
    };
    let (back, _) = parked(&host);
    now.fetch_sub(60 * 60 * 1_000, Ordering::SeqCst);
    assert_eq!(support::result(&support::finish(&host, &back, Decision::Approved))["status"], "deployed");
    let times: Vec<_> = host.audit(Some(&back)).unwrap().into_iter().map(|fact| fact.at).collect();
    assert!(times.is_sorted() && times[0].as_millis() == 1_800_000_000_000);
    // A year ahead: waiting requests have lapsed; new ones are decided as usual.
    let (ahead, request) = parked(&host);
    now.fetch_add(365 * 24 * 60 * 60 * 1_000, Ordering::SeqCst);
    let late = host.decide(&request, &judgement(Decision::Approved)).unwrap_err().to_string();
    assert!(late.contains("lapsed"), "{late}");
    assert_eq!(support::result(&block_on(host.drive(&ahead)).unwrap())["status"], "blocked");
    assert_eq!(count(&entries(&host, &ahead), "lapsed"), 1);
    let (key, _) = parked(&host);
    assert_eq!(support::result(&support::finish(&host, &key, Decision::Approved))["status"], "deployed");
}
