//! The shards that a host drives: rows that it claims for a time that the server's clock measures.
//!
//! ```text
//!   claims   shard   host   place   claim (unique, new with each process and each failover)   epoch   until   settled
//! ```
//!
//! A driver's append takes a share lock on its shard's row and compares the claim, in the transaction that writes. A host that takes the shard
//! over changes the row: of the two transactions, one waits for the other. Claims are compared for equality and not by their epochs, because a
//! failover that loses commits can give an epoch out twice.
//!
//! Until `settled`, an earlier holder may be in the middle of an action. A holder that gives a shard up, and a take-over of an expired claim, set it, and
//! neither makes it earlier: a holder that starts again or releases the shard says nothing about the holder before it.
//!
//! `place` says where the host of a claim runs. A process takes the valid claims of its host over only if they are of the same place, where the process
//! before it has ended. Those of another place are of a process that works with a copy of the host's folder: this one is refused until they are over.

use crate::error::{DatabaseError, PostgresError, damaged};
use crate::session::connection::{Call, Connection, values};
use crate::session::shared::HostPlace;
use receipt::Timestamp;
use std::time::Duration;
use store::{
    Claims, HeldShard, HostId, HostInfo, HostRecord, Hosts, LONGEST_ACTION, PreviousHolder, Replication,
    SHARDS, Shard, StoreError,
};
use tokio_postgres::Row;

const REGISTER: &str = "INSERT INTO hosts (id, info, seen) VALUES ($1, $2, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET info = excluded.info, seen = excluded.seen";
// The claims that this host may change, locked in one order: its own, those of its earlier processes, and those
// that have expired.
const LOCK: &str = "SELECT shard FROM claims WHERE claim = $1 OR host = $2 OR until IS NULL OR until <= clock_timestamp() ORDER BY shard FOR UPDATE";
const ALIVE: &str = "UPDATE hosts SET seen = clock_timestamp(), until = clock_timestamp() + make_interval(secs => $2) WHERE id = $1 RETURNING 1";
const LIVE: &str = "SELECT count(*) FROM hosts WHERE until > clock_timestamp()";
const RENEW: &str = "UPDATE claims SET until = clock_timestamp() + make_interval(secs => $2) WHERE claim = $1 AND until > clock_timestamp()";
const OWN_AGAIN: &str =
    "UPDATE claims SET claim = $1, epoch = epoch + 1, until = clock_timestamp() + make_interval(secs => $3)
    WHERE host = $2 AND place = $4 AND (claim IS DISTINCT FROM $1 OR until IS NULL OR until <= clock_timestamp())";
// After the locks: another process of this host has committed what it claims, or does so after this transaction.
const ELSEWHERE: &str =
    "SELECT count(*) FROM claims WHERE host = $1 AND place IS DISTINCT FROM $2 AND until > clock_timestamp()";
const COUNT: &str = "SELECT count(*) FROM claims WHERE claim = $1";
const TAKE: &str = "UPDATE claims c SET host = $2, place = $6, claim = $1, epoch = c.epoch + 1, until = clock_timestamp() + make_interval(secs => $3),
        settled = CASE WHEN c.until IS NULL THEN c.settled ELSE greatest(c.settled, clock_timestamp() + make_interval(secs => $5)) END
    FROM (SELECT shard FROM claims WHERE until IS NULL OR until <= clock_timestamp() ORDER BY shard LIMIT $4) free
    WHERE c.shard = free.shard AND (c.until IS NULL OR c.until <= clock_timestamp())";
// Until the holder knows of it, it may begin an action, for as long as its claim would have been valid: the next host waits for the time of an action from
// then on.
const GIVE_BACK: &str = "UPDATE claims c SET until = clock_timestamp(), host = NULL, place = NULL, claim = NULL,
        settled = greatest(c.settled, c.until + make_interval(secs => $3))
    FROM (SELECT shard FROM claims WHERE claim = $1 ORDER BY shard DESC LIMIT $2) surplus WHERE c.shard = surplus.shard";
const HELD: &str =
    "SELECT shard, epoch, CASE WHEN settled > clock_timestamp() THEN extract(epoch FROM settled - clock_timestamp())::float8 ELSE 0 END
    FROM claims WHERE claim = $1 ORDER BY shard";
const NEXT_LAPSE: &str = "SELECT extract(epoch FROM min(until) - clock_timestamp())::float8 FROM claims
    WHERE claim IS DISTINCT FROM $1 AND until > clock_timestamp()";
const RELEASE: &str =
    "UPDATE claims SET until = NULL, host = NULL, place = NULL, claim = NULL WHERE claim = $1";
const HOSTS: &str = "SELECT h.id, h.info, (SELECT count(*) FROM claims c WHERE c.host = h.id AND c.until > clock_timestamp()),
        (extract(epoch FROM h.seen) * 1000)::bigint, coalesce(h.until > clock_timestamp(), false)
    FROM hosts h ORDER BY h.id";
const REPLICATION: &str = "SELECT current_setting('synchronous_standby_names') <> ''
        AND current_setting('synchronous_commit') IN ('on', 'remote_apply'), (SELECT count(*) FROM pg_stat_replication)";

/// Registers a host.
pub(crate) async fn register(db: &Connection, host: &HostInfo) -> Result<(), DatabaseError> {
    let info = serde_json::to_string(host).map_err(damaged)?;
    db.query(REGISTER, values![host.id.to_string(), info]).await.map(drop)
}

/// Renews claims, makes new ones, and releases those above this host's share.
pub(crate) async fn renew(
    db: &Connection,
    HostPlace { host, place }: &HostPlace,
    claim: &str,
    ttl: Duration,
) -> Result<Claims, DatabaseError> {
    let (host, place, claim) = (host.to_string(), place.clone(), claim.to_owned());
    let seconds = ttl.as_secs_f64();
    let calls = [
        Call::new(ALIVE, values![host.clone(), seconds]),
        Call::new(LOCK, values![claim.clone(), host.clone()]),
        Call::new(ELSEWHERE, values![host.clone(), place.clone()]),
        Call::new(RENEW, values![claim.clone(), seconds]),
        Call::new(OWN_AGAIN, values![claim.clone(), host.clone(), seconds, place.clone()]),
        Call::new(LIVE, Vec::new()),
        Call::new(COUNT, values![claim.clone()]),
    ];
    let answers = db.begin("BEGIN", &calls).await?;
    let count =
        |call: usize| answers.get(call).and_then(|rows| rows.first()).map_or(0, |row| row.get::<_, i64>(0));
    let is_registered = answers.first().is_some_and(|rows| !rows.is_empty());
    if !is_registered || count(2) > 0 {
        db.roll_back().await?;
        let error = if is_registered {
            PostgresError::SameHost { host }
        } else {
            PostgresError::UnknownHost { host }
        };
        return Err(error.into());
    }
    let (live, held) = (count(5).max(1), count(6));
    let share = (i64::from(SHARDS) + live - 1) / live;
    let action = LONGEST_ACTION.as_secs_f64();
    let change = match share - held {
        0 => None,
        lacking @ 1.. => Some(Call::new(TAKE, values![claim.clone(), host, seconds, lacking, action, place])),
        surplus => Some(Call::new(GIVE_BACK, values![claim.clone(), -surplus, action])),
    };
    let mut calls: Vec<Call> = change.into_iter().collect();
    calls.push(Call::new(NEXT_LAPSE, values![claim.clone()]));
    calls.push(Call::new(HELD, values![claim]));
    let mut answers = db.commit(&calls).await?;
    let (rows, lapse) = (answers.pop().unwrap_or_default(), answers.pop().unwrap_or_default());
    let lapse = lapse.first().and_then(|row| row.get::<_, Option<f64>>(0));
    Ok(Claims {
        shards: rows.iter().map(held_shard).collect::<Result<_, _>>()?,
        valid_for: Some(ttl),
        // A claim that has expired by now.
        next_lapse: lapse.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()),
        notice: None,
    })
}

fn held_shard(row: &Row) -> Result<HeldShard, StoreError> {
    let number = u8::try_from(row.get::<_, i16>(0)).map_err(damaged)?;
    let settled_in = Duration::try_from_secs_f64(row.get::<_, f64>(2)).unwrap_or_default();
    let previous = if settled_in.is_zero() { PreviousHolder::Finished } else { PreviousHolder::Expired };
    let epoch = row.get::<_, i64>(1).unsigned_abs();
    Ok(HeldShard { shard: Shard::new(number), epoch, previous, settled_in })
}

/// Releases every claim.
pub(crate) async fn release(db: &Connection, host: &HostId, claim: &str) -> Result<(), DatabaseError> {
    const GONE: &str = "UPDATE hosts SET until = NULL WHERE id = $1";
    const MINE: &str = "SELECT shard FROM claims WHERE claim = $1 ORDER BY shard FOR UPDATE";
    db.begin("BEGIN", &[Call::new(MINE, values![claim.to_owned()])]).await?;
    let gone = Call::new(GONE, values![host.to_string()]);
    db.commit(&[Call::new(RELEASE, values![claim.to_owned()]), gone]).await.map(drop)
}

/// The hosts on record, and how commits are replicated.
pub(crate) async fn hosts(db: &Connection) -> Result<Hosts, DatabaseError> {
    let answers = db.agreeing(&[Call::new(HOSTS, Vec::new()), Call::new(REPLICATION, Vec::new())]).await?;
    let [hosts, replication] = &answers[..] else { return Err(StoreError::Stopped.into()) };
    let hosts = hosts.iter().map(record).collect::<Result<_, _>>()?;
    let replication = replication.first().map(|row| (row.get::<_, bool>(0), row.get::<_, i64>(1)));
    let replication = match replication {
        Some((true, _)) => Replication::Synchronous,
        Some((false, 1..)) => Replication::Asynchronous,
        _ => Replication::None,
    };
    Ok(Hosts { hosts, replication })
}

fn record(row: &Row) -> Result<HostRecord, StoreError> {
    let shards = u16::try_from(row.get::<_, i64>(2)).map_err(damaged)?;
    let host = serde_json::from_str(row.get(1)).map_err(damaged)?;
    Ok(HostRecord { host, shards, last_seen: Timestamp::from_millis(row.get(3)), is_alive: row.get(4) })
}
