//! PostgreSQL's own cases: hosts that race, servers that die, lost answers, TLS and passwords.

use super::lossy::Lossy;
use crate::support::postgres::{self, Server};
use crate::support::stored::{AT, key, started};
use receipt::{Digest, Timestamp};
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};
use store::{
    Batch, ClaimStore as _, Commit, Create, HostInfo, HostSigner, InstanceState, JournalPosition,
    JournalStore as _, Precondition, PreviousHolder, Quotas, ReceiptState, Replication, ScheduleRow, Shard,
    StoreError, Write, WriteStore as _, Writer,
};
use store_postgres::Postgres;
use tempfile::TempDir;
use workflow::{ArtifactFacts, Asked, Entry, Manner, ReceiptId};

const TTL: Duration = Duration::from_secs(60);

/// The time limit of waits that normally take a moment.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host's store, registered.
fn host(url: &str, id: &str) -> Postgres {
    let store = Postgres::open(url).unwrap();
    let signer = HostSigner::Authority(Digest::of(b"keys"));
    let (name, version) = (format!("{id}.example:1"), "0.0.0".to_owned());
    store.register(&HostInfo { id: id.parse().unwrap(), name, version, signer }).wait().unwrap();
    store
}

/// The store of a host that holds every claim.
fn holder(url: &str) -> Postgres {
    let store = host(url, "a");
    store.renew(TTL).wait().unwrap();
    store
}

fn create(store: &Postgres, name: &str) {
    let bytes: Arc<[u8]> = Arc::from(&b"component"[..]);
    let component = (Digest::of(&bytes), bytes);
    let made =
        Create { key: key(name), component, at: AT, entries: vec![started(0)], quotas: Quotas::default() };
    store.create(&made).wait().unwrap();
}

fn step(call: u32) -> Entry {
    Entry::StepStarted { call, name: "s".to_owned(), config: None, manner: Manner::AtOnce }
}

fn append(store: &Postgres, name: &str, after: usize, batch: &Batch, writer: Writer) -> Commit {
    let place = JournalPosition { key: key(name), after, at: AT };
    store.write(Write::Append { place, batch, writer })
}

fn steps(calls: impl IntoIterator<Item = u32>) -> Batch {
    Batch { entries: calls.into_iter().map(step).collect(), ..Batch::default() }
}

fn receipt(round: u64, number: usize) -> ReceiptId {
    format!("rcpt_{round}_{number}").parse().unwrap()
}

/// Spends a receipt that its writer has seen unspent, after so many acts.
fn redemption(receipt: &ReceiptId, acts: u64) -> Batch {
    let facts = ArtifactFacts { name: "app.js".to_owned(), sha256: Digest::of(b"artifact"), bytes: 8 };
    let (capability, resource) = ("a.b".to_owned(), "r".to_owned());
    let asked = Asked::Perform { capability, resource, artifact: facts, receipt: receipt.clone() };
    let idempotency_key = Digest::of(b"key");
    let redeemed = Entry::Redeemed { call: 2, asked, receipt: receipt.clone(), idempotency_key };
    let seen = Precondition { receipt: receipt.clone(), fate: ReceiptState::default(), acts };
    Batch { entries: vec![redeemed], seen: Some(Box::new(seen)), ..Batch::default() }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("i{number}")).collect()
}

fn length(store: &Postgres, name: &str) -> usize {
    store.facts(Some(&key(name))).wait().unwrap().len()
}

/// Two thousand receipts are each spent by one host and taken back by another at the same moment, many in one transaction.
#[test]
fn a_receipt_is_spent_by_one_host_or_taken_back_by_another() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (a, b, names) = (holder(&url), host(&url, "b"), names(50));
    names.iter().for_each(|name| create(&a, name));
    let mut lengths = vec![1; names.len()];
    let (mut spent, mut taken_back) = (0, 0);
    // Of every other receipt there is a row already, as after a redemption that was refused.
    let schema = url.rsplit_once("%3D").unwrap().1.to_owned();
    server.sql(&format!(
        "INSERT INTO {schema}.fates (receipt) SELECT 'rcpt_' || round || '_' || number * 2
            FROM generate_series(0, 39) AS round, generate_series(0, 24) AS number"
    ));
    for round in 0..40 {
        let (redeemed, revoked) = std::thread::scope(|scope| {
            let redeeming = scope.spawn(|| {
                let spend = |(number, name): (usize, &String)| {
                    append(&a, name, lengths[number], &redemption(&receipt(round, number), 0), Writer::Driver)
                };
                let commits: Vec<Commit> = names.iter().enumerate().map(spend).collect();
                commits.into_iter().map(Commit::wait).collect::<Vec<_>>()
            });
            let revoking = scope.spawn(|| {
                let revoke = |number| {
                    let body = r#"{"id":"rev"}"#.to_owned();
                    b.write(Write::Revoke { receipt: receipt(round, number), at: AT, body })
                };
                let commits: Vec<Commit> = (0..names.len()).rev().map(revoke).collect();
                let mut answers: Vec<_> = commits.into_iter().map(Commit::wait).collect();
                answers.reverse();
                answers
            });
            (redeeming.join().unwrap(), revoking.join().unwrap())
        });
        for (number, answers) in redeemed.into_iter().zip(revoked).enumerate() {
            match answers {
                (Ok(_), Err(StoreError::Spent(_))) => {
                    (lengths[number], spent) = (lengths[number] + 1, spent + 1)
                }
                (Err(StoreError::FateMoved(_)), Ok(_)) => taken_back += 1,
                both => panic!("{both:?}"),
            }
        }
    }
    assert_eq!(spent + taken_back, 2_000);
    let total: usize = names.iter().map(|name| length(&a, name) - 1).sum();
    assert_eq!(total, spent, "what was answered is what is there");
}

/// No receipt is spent on an outdated state of the operators' acts: the order of commits decides.
#[test]
fn a_redemption_is_before_an_act_or_sees_it() {
    let Some(server) = Server::start_with(&["track_commit_timestamp=on"]) else { return };
    let url = server.url();
    Postgres::migrate(&url).unwrap();
    let (a, b, names) = (holder(&url), host(&url, "b"), names(20));
    names.iter().for_each(|name| create(&a, name));
    let mut lengths = vec![1; names.len()];
    let mut spent = 0;
    for round in 0..100 {
        std::thread::scope(|scope| {
            let acting = scope.spawn(|| b.act(round, AT, format!(r#"{{"round":{round}}}"#)));
            for (number, name) in names.iter().enumerate() {
                let written = append(
                    &a,
                    name,
                    lengths[number],
                    &redemption(&receipt(round, number), round),
                    Writer::Driver,
                )
                .wait();
                match written {
                    Ok(_) => (lengths[number], spent) = (lengths[number] + 1, spent + 1),
                    Err(StoreError::ActsMoved) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            acting.join().unwrap().unwrap();
        });
    }
    let late = "SELECT count(*) FROM fates f JOIN acts a ON a.seq = split_part(f.receipt, '_', 2)::bigint + 1
        WHERE f.redeemed_at IS NOT NULL AND pg_xact_commit_timestamp(f.xmin) > pg_xact_commit_timestamp(a.xmin)";
    assert_eq!(server.sql(late), "0");
    assert_eq!(server.sql("SELECT count(*) FROM fates WHERE redeemed_at IS NOT NULL"), spent.to_string());
    assert!(spent > 0 && spent < 2_000, "both happened: {spent}");
}

#[test]
fn one_of_two_hosts_writes_at_a_place() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (a, b) = (host(&url, "a"), host(&url, "b"));
    create(&a, "one");
    for round in 0..300 {
        let write = |store| append(store, "one", 1 + round, &steps([0]), Writer::Outside);
        let (first, second) = (write(&a), write(&b));
        match (first.wait(), second.wait()) {
            (Ok(_), Err(StoreError::Conflict(_))) | (Err(StoreError::Conflict(_)), Ok(_)) => {}
            both => panic!("{both:?}"),
        }
    }
    assert_eq!(length(&a, "one"), 301);
}

/// Some commits do not arrive, some answers are lost, and some commits arrive late. Each write takes place once, and its caller is told so.
#[test]
fn an_answer_that_is_lost_is_looked_up() {
    let Some(server) = Server::start_with(&[]) else { return };
    Postgres::migrate(&server.url()).unwrap();
    let lossy = Lossy::before(&server);
    let store = holder(&lossy.url());
    create(&store, "one");
    lossy.losses.is_on.store(true, Ordering::Release);
    let queued = ScheduleRow { standing: InstanceState::Queued, due: None };
    for after in 1..=200_usize {
        // In one exchange and in two, by turns.
        let batch = Batch { agenda: after.is_multiple_of(2).then_some(queued), ..steps([0]) };
        let stamp = append(&store, "one", after, &batch, Writer::Driver).wait().unwrap();
        let fact = store.facts(Some(&key("one"))).wait().unwrap().pop().unwrap();
        assert_eq!(stamp.map(|stamp| (stamp.seq, stamp.at)), Some((fact.seq, fact.at)), "{after}");
    }
    lossy.losses.is_on.store(false, Ordering::Release);
    assert_eq!(length(&store, "one"), 201);
    let [commits, late] =
        [&lossy.losses.commits, &lossy.losses.were_late].map(|count| count.load(Ordering::Acquire));
    assert!(commits > 200 && late > 5, "some were lost, and some late: {commits} {late}");
}

/// Waits until that many sessions of hosts wait for a standby.
fn wait_for_sessions_at_the_standby(server: &Server, count: u32) {
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pp-host' AND wait_event = 'SyncRep'";
    let end = Instant::now() + PATIENCE;
    while server.sql(waiting).parse::<u32>().unwrap() != count {
        assert!(Instant::now() < end, "{count} sessions do not wait for a standby");
    }
}

/// A commit's wait for a standby is cut short. The server answers with a warning, and the writer does not take that for an answer: it looks the
/// commit up, which waits for the standby as well.
#[test]
fn a_commit_that_comes_with_a_warning_is_looked_up() {
    let Some(server) = Server::start_with(&[]) else { return };
    let url = server.url();
    Postgres::migrate(&url).unwrap();
    let store = holder(&url);
    create(&store, "one");
    assert_eq!(store.hosts().wait().unwrap().replication, Replication::None);
    let demand = |standby: &str| {
        let mut session = server.session();
        session.run(&format!(
            "ALTER SYSTEM SET synchronous_standby_names = '{standby}'; SELECT pg_reload_conf();"
        ));
    };
    demand("none_is_there");
    let mut commit = append(&store, "one", 1, &steps([0]), Writer::Driver);
    wait_for_sessions_at_the_standby(&server, 1);
    assert_eq!(store.hosts().wait().unwrap().replication, Replication::Synchronous);
    let cut_short = || {
        server.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'pp-host' AND wait_event = 'SyncRep'")
    };
    // The session that waits in the look-up, and is not the one before.
    let look_up = |before: &str| {
        let waits = format!(
            "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE application_name = 'pp-host' AND wait_event = 'SyncRep'
            AND query LIKE '%UPDATE writers w SET last = CASE%' AND pid <> {before}"
        );
        let end = Instant::now() + PATIENCE;
        loop {
            let session = server.sql(&waits);
            if session != "0" {
                return session;
            }
            assert!(Instant::now() < end, "the commit is not looked up");
        }
    };
    cut_short();
    let session = look_up("0");
    // The look-up's own commit is cut short too.
    cut_short();
    look_up(&session);
    assert!(pin!(&mut commit).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    demand("");
    commit.wait().unwrap();
    assert_eq!(length(&store, "one"), 2);
}

/// Sessions are ended by the server at any moment.
#[test]
fn a_session_that_is_ended_is_replaced() {
    let Some(server) = Server::start_with(&[]) else { return };
    let url = server.url();
    Postgres::migrate(&url).unwrap();
    let store = holder(&url);
    create(&store, "one");
    let done = AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        let ending = scope.spawn(|| {
            let mut ended = 0;
            while !done.load(Ordering::Acquire) {
                let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'pp-host'";
                ended += server.sql(end).parse::<u32>().unwrap();
            }
            ended
        });
        let write = |after: usize| append(&store, "one", after, &steps([0]), Writer::Driver).wait();
        let lost = (1..=100).map(write).find(Result::is_err);
        done.store(true, Ordering::Release);
        assert!(lost.is_none(), "{lost:?}");
        ending.join().unwrap()
    });
    assert_eq!(length(&store, "one"), 101);
    assert!(ended > 5, "{ended} sessions were ended");
}

/// Appends two hundred times, and returns the number of entries.
fn fill(store: &Postgres, name: &str) -> usize {
    let first = length(store, name);
    for after in first..first + 200 {
        append(store, name, after, &steps([0]), Writer::Driver).wait().unwrap();
    }
    first + 200
}

/// The server is killed under many writes and started again: acknowledged writes are there, and the same store
/// continues.
#[test]
fn what_was_acknowledged_survives_the_server() {
    let Some(mut server) = Server::start_with(&[]) else { return };
    let url = server.url();
    Postgres::migrate(&url).unwrap();
    let (store, names) = (holder(&url), names(16));
    names.iter().for_each(|name| create(&store, name));
    for round in 0..3 {
        let acknowledged: Vec<usize> = std::thread::scope(|scope| {
            let writers: Vec<_> = names
                .iter()
                .map(|name| {
                    let store = &store;
                    scope.spawn(move || fill(store, name))
                })
                .collect();
            while server.sql("SELECT count(*) FROM entries").parse::<u32>().unwrap()
                < 16 + round * 3_200 + 500
            {}
            server.kill();
            server.restart();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        let there: Vec<usize> = names.iter().map(|name| length(&store, name)).collect();
        assert_eq!(there, acknowledged);
    }
}

#[test]
fn hosts_share_what_there_is_to_drive() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (a, b) = (holder(&url), host(&url, "b"));
    assert!(b.renew(TTL).wait().unwrap().shards.is_empty(), "everything is taken");
    assert_eq!(a.renew(TTL).wait().unwrap().shards.len(), 128);
    let of_b = b.renew(TTL).wait().unwrap().shards;
    assert_eq!(of_b.len(), 128);
    assert!(
        of_b.iter().all(|held| held.previous == PreviousHolder::Expired && held.epoch == 2),
        "given back, perhaps in the middle"
    );
    let held: BTreeSet<Shard> = of_b.iter().map(|held| held.shard).collect();
    for name in names(40) {
        create(&a, &name);
        let (driver, other) = if held.contains(&key(&name).shard()) { (&b, &a) } else { (&a, &b) };
        let refused = append(other, &name, 1, &steps([0]), Writer::Driver).wait();
        assert!(matches!(refused, Err(StoreError::ClaimLost(lost)) if lost == key(&name)));
        append(driver, &name, 1, &steps([0]), Writer::Driver).wait().unwrap();
        append(other, &name, 2, &steps([1]), Writer::Outside).wait().unwrap();
    }
    b.release().wait().unwrap();
    a.renew(TTL).wait().unwrap();
    let hosts = a.hosts().wait().unwrap();
    assert_eq!(hosts.hosts.iter().map(|host| host.is_alive).collect::<Vec<_>>(), [true, false]);
    assert_eq!(
        hosts.hosts.iter().map(|host| host.shards).collect::<Vec<_>>(),
        [256, 0],
        "what b has released is a's with its next renewal"
    );
}

/// A stalled host loses its claims when their time is over, and from then on writes nothing as a driver.
#[test]
fn a_claim_that_is_not_renewed_is_lost() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (a, b) = (host(&url, "a"), host(&url, "b"));
    a.renew(Duration::from_millis(300)).wait().unwrap();
    create(&a, "one");
    let end = Instant::now() + PATIENCE;
    let taken = loop {
        let claims = b.renew(TTL).wait().unwrap();
        if claims.shards.len() == 256 {
            break claims.shards;
        }
        assert!(Instant::now() < end, "{claims:?}");
    };
    assert!(taken.iter().all(|held| held.previous == PreviousHolder::Expired));
    let refused = append(&a, "one", 1, &steps([0]), Writer::Driver).wait();
    assert!(matches!(refused, Err(StoreError::ClaimLost(_))));
    append(&b, "one", 1, &steps([0]), Writer::Driver).wait().unwrap();
    // The same host in a new process takes its own over at once.
    let again = host(&url, "b");
    let own = again.renew(TTL).wait().unwrap().shards;
    assert!(own.len() == 256 && own.iter().all(|held| held.previous == PreviousHolder::Finished));
    let refused = append(&b, "one", 2, &steps([1]), Writer::Driver).wait();
    assert!(matches!(refused, Err(StoreError::ClaimLost(_))), "the process before it writes no more");
}

/// A host looks for the claims of a dead one when they end, and not some time later.
#[test]
fn a_renewal_says_when_the_next_claim_of_another_host_ends() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let schema = url.rsplit_once("%3D").unwrap().1.to_owned();
    let (a, b) = (host(&url, "a"), host(&url, "b"));
    assert_eq!(a.renew(TTL).wait().unwrap().next_lapse, None, "there is no other host");
    let lapse = || {
        let claims = b.renew(TTL).wait().unwrap();
        (claims.shards.len(), claims.next_lapse)
    };
    let (none, Some(later)) = lapse() else { panic!("a has claims") };
    assert!(none == 0 && later <= TTL && later > TTL / 2, "{later:?}");
    // One shard of them ends first.
    let ends = |after: &str, shards: &str| {
        let until = format!("clock_timestamp() + interval '{after}'");
        server.sql(&format!("UPDATE {schema}.claims SET until = {until} WHERE shard {shards}"));
    };
    ends("20 seconds", "= 7");
    let (none, Some(next)) = lapse() else { panic!("a has claims") };
    assert!(none == 0 && next <= Duration::from_secs(20) && next > Duration::ZERO, "{next:?}");
    // At that time they are b's, with the renewal that is made then.
    ends("0", "<> 7");
    let (taken, Some(_)) = lapse() else { panic!("a has a claim") };
    assert_eq!(taken, 128, "a is alive by its record, so b has its share");
    server.sql(&format!("UPDATE {schema}.hosts SET until = clock_timestamp() WHERE id = 'a'"));
    ends("0", "= 7");
    assert_eq!(lapse(), (256, None));
}

/// Two hosts write at once, and a reader continues from the last place that it has seen.
#[test]
fn a_reader_that_goes_on_misses_nothing() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (a, b, reader) = (host(&url, "a"), host(&url, "b"), Postgres::open(&url).unwrap());
    for name in names(8) {
        create(&a, &name);
    }
    let done = AtomicBool::new(false);
    let read = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let (mut seqs, mut last) = (Vec::new(), 0);
            loop {
                let was_done = done.load(Ordering::Acquire);
                let facts = reader.facts_after(last, 50).wait().unwrap();
                last = facts.last().map_or(last, |fact| fact.seq);
                seqs.extend(facts.iter().map(|fact| fact.seq));
                if was_done && facts.is_empty() && last == reader.last_seq().wait().unwrap() {
                    return seqs;
                }
            }
        });
        let writing = |store: &Postgres, of: std::ops::Range<usize>| {
            for round in 0..100 {
                let write =
                    |name: String| append(store, &name, 1 + 2 * round, &steps([0, 1]), Writer::Outside);
                let commits: Vec<_> = of.clone().map(|number| write(format!("i{number}"))).collect();
                for commit in commits {
                    commit.wait().unwrap();
                }
            }
        };
        let writers = [(&a, 0..4), (&b, 4..8)].map(|(store, of)| scope.spawn(move || writing(store, of)));
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Release);
        reading.join().unwrap()
    });
    let all: Vec<u64> = a.facts(None).wait().unwrap().iter().map(|fact| fact.seq).collect();
    assert_eq!(all.len(), 8 + 1_600);
    assert_eq!(read, all);
}

/// Another program's transaction has a smaller place and is still open.
#[test]
fn what_is_being_committed_is_answered_later() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let store = holder(&url);
    create(&store, "one");
    let before = store.last_seq().wait().unwrap();
    let schema = url.rsplit_once("%3D").unwrap().1.to_owned();
    let mut other = server.session();
    let place = other.run(&format!(
        "SET search_path = {schema}; BEGIN; UPDATE hosts SET seen = now(); SELECT nextval('facts');"
    ));
    assert_eq!(place.parse::<u64>().unwrap(), before + 1);
    create(&host(&url, "b"), "two");
    assert_eq!(store.facts_after(before, 10).wait().unwrap(), []);
    assert_eq!(store.last_seq().wait().unwrap(), before);
    assert_eq!(other.run("COMMIT; SELECT 1;"), "1");
    let end = Instant::now() + PATIENCE;
    while store.facts_after(before, 10).wait().unwrap().is_empty() {
        assert!(Instant::now() < end);
    }
    assert!(store.last_seq().wait().unwrap() > before + 1);
}

#[test]
fn a_schema_is_made_once_and_known_by_its_version() {
    let Some(server) = postgres::shared() else { return };
    let url = server.empty_schema();
    let words = |opened: Result<Postgres, StoreError>| opened.unwrap_err().to_string();
    assert!(words(Postgres::open(&url)).contains("pp-host migrate"), "what to do is said");
    std::thread::scope(|scope| {
        let migrating: Vec<_> = (0..6).map(|_| scope.spawn(|| Postgres::migrate(&url))).collect();
        migrating.into_iter().for_each(|migrated| migrated.join().unwrap().unwrap());
    });
    drop(Postgres::open(&url).unwrap());
    let schema = url.rsplit_once("%3D").unwrap().1.to_owned();
    server.sql(&format!("UPDATE {schema}.pp_host_schema SET version = 99"));
    let newer = words(Postgres::open(&url));
    assert!(newer.contains("newer pp-host") && newer.contains("99"), "{newer}");
    assert!(Postgres::migrate(&url).unwrap_err().to_string().contains("newer pp-host"));
}

#[test]
fn a_password_is_in_no_error() {
    for url in [
        "postgres://ann:s3cret@127.0.0.1:1/app",
        "postgres://ann:s3cret@127.0.0.1:1/app?sslmode=never",
        "ann:s3cret@host",
    ] {
        let error = Postgres::open(url).unwrap_err();
        let (shown, inside) = (error.to_string(), format!("{error:?}"));
        assert!(!shown.contains("s3cret") && !inside.contains("s3cret"), "{shown} {inside}");
    }
    let Some(server) = postgres::shared() else { return };
    let url = server.schema().replacen("postgres@", "postgres:s3cret@", 1);
    let store = Postgres::open(&url).unwrap();
    assert!(!format!("{store:?}").contains("s3cret"));
}

/// A guest's text may contain any character, and does not make another write fail.
#[test]
fn any_text_is_kept() {
    let Some(server) = postgres::shared() else { return };
    let store = holder(&server.schema());
    create(&store, "one");
    let text = "a\0b \u{1f}\u{10ffff}\n\\ '\"";
    store
        .write(Write::Output { key: key("one"), text: text.to_owned(), quotas: Quotas::default() })
        .wait()
        .unwrap();
    assert_eq!(store.output(&key("one")).wait().unwrap(), text);
    let said = Entry::StepStarted { call: 0, name: text.to_owned(), config: None, manner: Manner::AtOnce };
    append(&store, "one", 1, &Batch { entries: vec![said.clone()], ..Batch::default() }, Writer::Driver)
        .wait()
        .unwrap();
    assert_eq!(store.facts(Some(&key("one"))).wait().unwrap()[1].entry, said);
    store.act(0, AT, text.to_owned()).unwrap_err();
    store.act(0, AT, "{}".to_owned()).unwrap();
}

#[test]
fn damage_is_said_and_harms_one_instance() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let store = holder(&url);
    for name in ["one", "two"] {
        create(&store, name);
        append(&store, name, 1, &steps([0]), Writer::Driver).wait().unwrap();
    }
    let schema = url.rsplit_once("%3D").unwrap().1.to_owned();
    server.sql(&format!(
        "UPDATE {schema}.entries SET body = replace(body, '\"s\"', '\"t\"') WHERE instance = 1"
    ));
    let damaged = store.facts(Some(&key("one"))).wait().unwrap_err();
    assert!(damaged.to_string().contains("acme/one"), "{damaged}");
    server.sql(&format!("DELETE FROM {schema}.entries WHERE instance = 1 AND idx = 0"));
    assert!(matches!(store.facts(Some(&key("one"))).wait(), Err(StoreError::Damaged(_))));
    assert_eq!(length(&store, "two"), 2);
}

/// The time is the server's, whatever the host's clock is.
#[test]
fn the_time_is_that_of_the_server() {
    let Some(server) = postgres::shared() else { return };
    let store = Postgres::open(&server.schema()).unwrap();
    let (wrong, hour) = (Timestamp::from_millis(0), 3_600_000);
    let of_server: i64 =
        server.sql("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").parse().unwrap();
    let said = store.now(wrong).wait().unwrap().as_millis();
    assert!((said - of_server).abs() < hour, "{said} {of_server}");
    assert!(store.now(wrong).wait().unwrap().as_millis() >= said);
}

/// Encrypted connections, according to `sslmode`.
#[test]
fn tls_is_as_sslmode_says() {
    if !crate::support::installed(&["openssl"]) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let openssl = |arguments: &str| {
        let ran = std::process::Command::new("openssl")
            .current_dir(folder.path())
            .args(arguments.split(' '))
            .output()
            .unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    for name in ["ca", "other"] {
        openssl(&format!("req -x509 {key} -keyout {name}.key -out {name}.crt -days 30 -subj /CN={name}"));
    }
    openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"));
    std::fs::write(path("names"), "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n").unwrap();
    openssl(
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 30 -extfile names",
    );
    let Some(server) = Server::with_tls(&folder.path().join("server.crt"), &folder.path().join("server.key"))
    else {
        return;
    };
    Postgres::migrate(&server.tcp_url("localhost", "sslmode=disable")).unwrap();
    let (ca, other) = (path("ca.crt"), path("other.crt"));
    let opens = |host: &str, options: &str| Postgres::open(&server.tcp_url(host, options)).map(drop);
    let encrypted = |options: &str| {
        let store = Postgres::open(&server.tcp_url("localhost", options)).unwrap();
        let answer = server.sql(
            "SELECT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
            WHERE a.application_name = 'pp-host' ORDER BY a.backend_start DESC LIMIT 1",
        );
        drop(store);
        answer == "t"
    };
    assert!(!encrypted("sslmode=disable") && !encrypted("sslmode=allow"));
    assert!(encrypted("sslmode=prefer") && encrypted("") && encrypted("sslmode=require"));
    for mode in ["require", "verify-ca", "verify-full"] {
        opens("localhost", &format!("sslmode={mode}&sslrootcert={ca}")).unwrap();
        let refused = opens("localhost", &format!("sslmode={mode}&sslrootcert={other}")).unwrap_err();
        assert!(refused.to_string().contains("certificate"), "{refused}");
    }
    opens("127.0.0.1", &format!("sslmode=verify-ca&sslrootcert={ca}")).unwrap();
    opens("127.0.0.1", &format!("sslmode=verify-full&sslrootcert={ca}")).unwrap_err();
    let no_root = opens("localhost", "sslmode=verify-full").unwrap_err().to_string();
    assert!(no_root.contains("sslrootcert"), "{no_root}");
}
