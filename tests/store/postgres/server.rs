//! The server and the connections to it: lost answers, servers that die, TLS and passwords, damage.

use super::*;
use std::sync::mpsc::channel;
use std::task::Poll;

/// Some commits do not arrive, some answers are lost, and some commits arrive late. Each write takes place once, and its caller is told so.
#[test]
fn an_answer_that_is_lost_is_looked_up() {
    let Some(server) = Server::start_with(&[]) else { return };
    Postgres::migrate(&server.url()).unwrap();
    let lossy = Lossy::before(&server);
    let store = holder(&lossy.url());
    create(&store, "one");
    lossy.losses.is_on.store(true, Ordering::Release);
    let queued = ScheduleRow { state: InstanceState::Queued, due: None };
    for after in 1..=200_usize {
        // In one exchange and in two, by turns.
        let batch = Batch { schedule: after.is_multiple_of(2).then_some(queued), ..steps([0]) };
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

/// Has commits wait for a standby of that name; of none, for no standby.
fn demand(server: &Server, standby: &str) {
    server
        .session()
        .run(&format!("ALTER SYSTEM SET synchronous_standby_names = '{standby}'; SELECT pg_reload_conf();"));
}

/// A commit to the instance `one` that waits for a standby, and its place. The server takes a new setting up some time after it is made: commits
/// until then do not wait.
fn a_commit_at_the_standby(server: &Server, store: &Postgres) -> (Commit, usize) {
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pp-host' AND wait_event = 'SyncRep'";
    let end = Instant::now() + TIMEOUT;
    for place in 1.. {
        let step = u32::try_from(place - 1).unwrap();
        let mut commit = append(store, "one", place, &steps([step]), Writer::Driver);
        loop {
            if let Poll::Ready(committed) = pin!(&mut commit).poll(&mut Context::from_waker(Waker::noop())) {
                committed.unwrap();
                break;
            }
            if server.sql(waiting) == "1" {
                return (commit, place);
            }
            assert!(Instant::now() < end, "no commit waits for a standby");
        }
    }
    unreachable!("there is always a next place");
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
    demand(&server, "none_is_there");
    let (mut commit, place) = a_commit_at_the_standby(&server, &store);
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
        let end = Instant::now() + TIMEOUT;
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
    demand(&server, "");
    commit.wait().unwrap();
    assert_eq!(length(&store, "one"), place + 1);
}

/// A store that closes removes its row. It waits for no standby: a host that stops would hang.
#[test]
fn a_store_is_closed_while_no_standby_is_there() {
    let Some(server) = Server::start_with(&[]) else { return };
    let url = server.url();
    Postgres::migrate(&url).unwrap();
    let (idle, store) = (host(&url, "idle"), holder(&url));
    create(&store, "one");
    demand(&server, "none_is_there");
    let (commit, _) = a_commit_at_the_standby(&server, &store);
    let (closed, is_closed) = channel();
    let closing = std::thread::spawn(move || {
        drop(idle);
        closed.send(()).unwrap();
    });
    let is_closed = is_closed.recv_timeout(TIMEOUT);
    demand(&server, "");
    assert!(is_closed.is_ok(), "it waits for a standby");
    closing.join().unwrap();
    commit.wait().unwrap();
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
/// A write whose statement the server does not prepare fails alone: the session goes on.
#[test]
fn a_statement_that_cannot_be_prepared_leaves_no_transaction_open() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (store, schema) = (host(&url, "a"), postgres::schema_name(&url));
    create(&store, "one");
    server.sql(&format!("ALTER TABLE {schema}.subjects RENAME TO elsewhere"));
    let asking = request("one", Quotas::default());
    append(&store, "one", 1, &asking, Writer::Outside).wait().unwrap_err();
    append(&store, "one", 1, &steps([0]), Writer::Outside).wait().unwrap();
    server.sql(&format!("ALTER TABLE {schema}.elsewhere RENAME TO subjects"));
    append(&store, "one", 2, &asking, Writer::Outside).wait().unwrap();
}

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

/// The first server that the URL names accepts connections, as a frozen one does, and answers nothing.
#[test]
fn a_server_that_answers_nothing_is_passed_over() {
    let Some(server) = postgres::shared() else { return };
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let first = format!("postgres@{}", mute.local_addr().unwrap());
    let url = server.schema().replacen("postgres@", &format!("{first},"), 1).replacen(
        "/postgres?",
        ":5432/postgres?",
        1,
    );
    let (opened, is_opened) = channel();
    std::thread::spawn(move || opened.send(Postgres::open(&url).map(drop)));
    is_opened.recv_timeout(TIMEOUT).expect("the second server is not tried").unwrap();
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
    let schema = postgres::schema_name(&url);
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
    let said = Entry::StepStarted { call: 0, name: text.to_owned(), config: None, mode: CallMode::Blocking };
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
    let schema = postgres::schema_name(&url);
    let of_one = format!("instance = (SELECT id FROM {schema}.instances WHERE instance = 'one')");
    server.sql(&format!("UPDATE {schema}.entries SET body = replace(body, '\"s\"', '\"t\"') WHERE {of_one}"));
    let damaged = store.facts(Some(&key("one"))).wait().unwrap_err();
    assert!(damaged.to_string().contains("acme/one"), "{damaged}");
    server.sql(&format!("DELETE FROM {schema}.entries WHERE {of_one} AND idx = 0"));
    assert!(matches!(store.facts(Some(&key("one"))).wait(), Err(StoreError::Damaged(_))));
    assert_eq!(length(&store, "two"), 2);
}

/// Before version 4 of the schema, the place and the time were part of the hashed text.
#[test]
fn a_row_with_the_checksum_of_an_older_version_is_read() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let store = holder(&url);
    create(&store, "one");
    append(&store, "one", 1, &steps([0, 1]), Writer::Driver).wait().unwrap();
    let schema = postgres::schema_name(&url);
    let bytes: Vec<_> =
        (0..8).map(|place| format!("get_byte(k.hash, {place})::bigint << {}", place * 8)).collect();
    let set = |hashed: &str| {
        server.sql(&format!(
            "WITH k AS (SELECT e.instance, e.idx, sha256(convert_to(concat({hashed}), 'UTF8')) AS hash
                FROM {schema}.entries e JOIN {schema}.instances i ON i.id = e.instance)
            UPDATE {schema}.entries e SET sum = ({}) FROM k WHERE k.instance = e.instance AND k.idx = e.idx",
            bytes.join(") | (")
        ))
    };
    set("i.tenant, '/', i.instance, ' ', e.seq, ' ', e.idx, ' ', e.at, ' ', e.count, chr(10), e.body");
    assert_eq!(length(&store, "one"), 3);
    set("e.body");
    assert!(matches!(store.facts(Some(&key("one"))).wait(), Err(StoreError::Damaged(_))));
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
