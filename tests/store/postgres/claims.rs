//! The shards that hosts claim: how they share them, how a claim ends, and whether its holder may still act then.

use super::*;

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
    let end = Instant::now() + TIMEOUT;
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
    assert_eq!(again.renew(TTL).wait().unwrap().shards.len(), 256);
    let refused = append(&b, "one", 2, &steps([1]), Writer::Driver).wait();
    assert!(matches!(refused, Err(StoreError::ClaimLost(_))), "the process before it writes no more");
}

/// A host that stalls in the middle of an action is not over when the host that took its shards starts again or stops, but some time after it took them.
#[test]
fn a_stalled_holder_may_act_after_the_next_one_released_the_shard() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let schema = postgres::schema_name(&url);
    let (a, b, c) = (host(&url, "a"), host(&url, "b"), host(&url, "c"));
    let all = |store: &Postgres, expected: PreviousHolder| {
        let shards = store.renew(TTL).wait().unwrap().shards;
        assert_eq!(shards.len(), 256);
        assert!(shards.iter().all(|held| held.previous == expected), "{shards:?}");
    };
    let change = |table: &str, set: &str| server.sql(&format!("UPDATE {schema}.{table} SET {set}"));
    all(&a, PreviousHolder::Finished);
    change("hosts", "until = NULL");
    change("claims", "until = clock_timestamp()");
    all(&b, PreviousHolder::Expired);
    change("claims", "settled = settled + interval '1 hour'");
    let again = host(&url, "b");
    all(&again, PreviousHolder::Expired);
    again.release().wait().unwrap();
    all(&c, PreviousHolder::Expired);
    // No action takes so long.
    change("claims", "settled = clock_timestamp()");
    all(&c, PreviousHolder::Finished);
    c.release().wait().unwrap();
    all(&again, PreviousHolder::Finished);
}

/// A host looks for the claims of a dead one when they end, and not some time later.
#[test]
fn a_renewal_says_when_the_next_claim_of_another_host_ends() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let schema = postgres::schema_name(&url);
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

/// A giver that stands still may act under its claim until the time that it was last told, and take the time of an action from then on.
#[test]
fn what_is_given_back_is_settled_after_the_givers_own_time() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let schema = postgres::schema_name(&url);
    let a = holder(&url);
    let until = server.sql(&format!("SELECT min(until) FROM {schema}.claims"));
    let b = host(&url, "b");
    b.renew(TTL).wait().unwrap();
    a.renew(TTL).wait().unwrap();
    let settled = |shards: &str| {
        let settled = format!("bool_and(settled >= timestamptz '{until}' + interval '10 seconds')");
        server.sql(&format!("SELECT count(*), {settled} FROM {schema}.claims WHERE {shards}"))
    };
    assert_eq!(settled("host IS NULL"), "128|t");
    assert_eq!(b.renew(TTL).wait().unwrap().shards.len(), 128);
    assert_eq!(settled("host = 'b'"), "128|t", "the host that takes them does not make it earlier");
}

/// A host whose drive fails after it lost the shard does not keep the next holder from driving the instance.
#[test]
fn a_host_without_the_claim_postpones_nothing() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (a, b) = (holder(&url), host(&url, "b"));
    create(&a, "one");
    let due = || a.entered(&key("one")).wait().unwrap().unwrap().schedule.due;
    let postpone = |store: &Postgres, until: i64| {
        store.write(Write::Postpone { key: key("one"), until: Timestamp::from_millis(until) }).wait()
    };
    let before = due();
    assert!(matches!(postpone(&b, i64::MAX), Err(StoreError::ClaimLost(lost)) if lost == key("one")));
    assert_eq!(due(), before);
    postpone(&a, 7).unwrap();
    assert_eq!(due(), Some(Timestamp::from_millis(7)));
}
