//! Readers that continue from a place, and what other transactions of the server mean for them.

use super::*;

/// The transaction of a host in this schema that has drawn a place: its process, and the place.
fn draw(session: &mut postgres::Session, schema: &str) -> (String, u64) {
    let drawn = session.run(&format!(
        "SET search_path = {schema}; BEGIN; UPDATE writers SET seen = seen WHERE false; SELECT pg_backend_pid(), nextval('facts');"
    ));
    let (process, place) = drawn.split_once('|').unwrap();
    (process.to_owned(), place.parse().unwrap())
}

/// Reads until there are facts after that place.
fn after(store: &Postgres, place: u64) -> usize {
    let end = Instant::now() + TIMEOUT;
    loop {
        match store.facts_after(place, 10).wait().unwrap().len() {
            0 => assert!(Instant::now() < end),
            some => return some,
        }
    }
}

/// A transaction with a smaller place is still open. What follows it is not left out without a word.
#[test]
fn a_reader_that_waits_in_vain_is_told_for_what() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let store = holder(&url);
    create(&store, "one");
    let before = store.last_seq().wait().unwrap();
    let mut other = server.session();
    let (process, place) = draw(&mut other, &postgres::schema_name(&url));
    assert_eq!(place, before + 1);
    create(&host(&url, "b"), "two");
    let waits = store.facts_after(before, 10).wait().unwrap_err().to_string();
    assert!(waits.contains(&format!("process {process}")), "{waits}");
    assert_eq!(other.run("COMMIT; SELECT 1;"), "1");
    assert_eq!(after(&store, before), 1);
    assert!(store.last_seq().wait().unwrap() > before + 1);
}

/// Two transactions have places when a reader looks. The one with the larger place commits first. On a server of its own, where no other transaction ends
/// meanwhile.
#[test]
fn what_commits_before_a_smaller_place_is_answered_after_it() {
    let Some(server) = Server::start_with(&["autovacuum=off"]) else { return };
    let url = server.schema();
    let (store, b) = (host(&url, "a"), host(&url, "b"));
    create(&b, "one");
    append(&b, "one", 1, &request("first", Quotas::default()), Writer::Outside).wait().unwrap();
    let before = store.last_seq().wait().unwrap();
    let schema = postgres::schema_name(&url);
    let (mut smaller, mut lock) = (server.session(), server.session());
    lock.run(&format!("BEGIN; LOCK TABLE {schema}.requests IN SHARE MODE; SELECT 1;"));
    draw(&mut smaller, &schema);
    let larger = append(&b, "one", 2, &request("second", Quotas::default()), Writer::Outside);
    let waits = format!(
        "SELECT count(*) FROM pg_locks WHERE relation = '{schema}.requests'::regclass AND NOT granted"
    );
    server.wait_until(&waits, "1");
    lock.run("COMMIT; SELECT 1;");
    larger.wait().unwrap();
    assert!(store.facts_after(before, 10).wait().is_err(), "a smaller place may follow");
    smaller.run("COMMIT; SELECT 1;");
    assert_eq!(after(&store, before), 1);
}

/// Transactions of other programs, in this database or another one, draw no places.
#[test]
fn a_transaction_of_another_program_is_in_no_readers_way() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    create(&holder(&url), "one");
    let mut other = server.session();
    other.run("CREATE TEMP TABLE held (one integer); BEGIN; INSERT INTO held VALUES (1); SELECT 1;");
    let store = Postgres::open(&url).unwrap();
    assert_eq!(store.facts_after(0, 10).wait().unwrap().len(), 1);
    assert_eq!(store.last_seq().wait().unwrap(), store.facts_after(0, 10).wait().unwrap()[0].seq);
}

/// Which shards a host holds is looked up once for all due instances, and not for each of them.
#[test]
fn what_is_due_costs_one_look_at_the_claims() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let schema = postgres::schema_name(&url);
    let store = host(&url, "a");
    server.sql(&format!(
        "INSERT INTO {schema}.instances SELECT n, 'acme', 'i' || n, n % 256, 1, 0, 1, 0, 0, false FROM generate_series(1, 1000) AS n"
    ));
    let looks = || {
        let looks = format!(
            "SELECT coalesce(sum(idx_scan + seq_scan), 0) FROM pg_stat_user_tables WHERE schemaname = '{schema}' AND relname = 'claims'"
        );
        server.sql(&looks).parse::<u32>().unwrap()
    };
    assert!(store.due(&key("one").tenant, AT, 10).wait().unwrap().is_empty(), "the host has no claim");
    assert!(store.due_tenants(AT).wait().unwrap().is_empty());
    assert_eq!(store.next_due(Timestamp::from_millis(-1)).wait().unwrap(), None);
    // The sessions of a store report what they have read when they end.
    drop(store);
    server.wait_until("SELECT count(*) > 0 FROM pg_stat_user_tables WHERE schemaname = '{schema}' AND relname = 'instances' AND idx_scan > 2"
        .replace("{schema}", &schema).as_str(), "t");
    assert!(looks() < 20, "{} looks", looks());
}
