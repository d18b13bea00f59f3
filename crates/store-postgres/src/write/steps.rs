//! Steps in one exchange with the server: a group of plain appends is one statement, which is a transaction of its own.
//!
//! The statement takes the locks of [`load`](crate::write::load) in their order, and judges what [`decide`](crate::write::decide) does: the claims, each
//! append's position, the headroom in the writer's stripe of the quotas. It writes everything or nothing. If it writes nothing, the group is loaded and judged write by write, so that
//! every refusal has its reason from one place.

use crate::error::DatabaseError;
use crate::session::connection::{Connection, Value, values};
use crate::write::entries::{EncodedEntries, sum_of_text};
use crate::write::load::Group;
use crate::write::record::Record;
use receipt::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use store::{InstanceKey, JournalPosition, Shard, Stamp, Writer, Written};
use tokio_postgres::Row;
use workflow::TenantId;

// `sum` is a row's checksum without its place and time, which only the server knows: it adds them (see `entries::sum`).
// The writer's row is locked first. After a lost answer, the writer looks there for the commit, and the look-up blocks a statement that arrives
// later. A place among all facts is drawn after the first lock, which gives the transaction its number: readers of all facts wait for it.
// Steps are in the order of their locks: `place` is a step's.
// Nothing is written if the places of one append are not consecutive because another host drew some in between.
const STEPS: &str = r"
WITH me AS MATERIALIZED (
    SELECT 1 FROM writers WHERE writer = $1 AND last < $2 AND (NOT $3 OR
        current_setting('synchronous_standby_names') <> '' AND current_setting('synchronous_commit') IN ('on', 'remote_apply'))
    FOR UPDATE),
held AS MATERIALIZED (
    SELECT c.shard FROM claims c WHERE EXISTS (SELECT FROM me)
        AND c.shard = ANY($4::smallint[]) AND c.claim = $5 AND c.until > clock_timestamp() ORDER BY c.shard FOR SHARE),
found AS MATERIALIZED (
    SELECT k.place, k.after, k.count, k.sum, k.body, i.id, greatest(i.at, k.at) AS at
    FROM unnest($6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::integer[], $11::bigint[], $12::text[])
        WITH ORDINALITY AS k(tenant, instance, after, at, count, sum, body, place) JOIN instances i USING (tenant, instance)
    WHERE EXISTS (SELECT FROM me) AND (SELECT count(*) FROM held) = cardinality($4) AND i.next = k.after
    ORDER BY k.place FOR UPDATE OF i),
room AS MATERIALIZED (
    SELECT u.tenant, k.more FROM unnest($13::text[], $14::bigint[], $15::bigint[]) AS k(tenant, more, most) JOIN usage_parts u USING (tenant)
    WHERE (SELECT count(*) FROM found) = cardinality($6) AND u.part = $16 AND u.room_bytes >= k.more AND (k.most IS NULL OR u.most_bytes <= k.most)
    ORDER BY u.tenant FOR UPDATE OF u),
placed AS MATERIALIZED (
    SELECT f.*, (SELECT CASE WHEN max(n.seq) - min(n.seq) + 1 = count(*) THEN min(n.seq) END
        FROM (SELECT nextval('facts') AS seq FROM generate_series(1, f.count)) n) AS seq
    FROM found f WHERE (SELECT count(*) FROM room) = cardinality($13)),
sealed AS MATERIALIZED (SELECT p.* FROM placed p WHERE (SELECT count(seq) FROM placed) = cardinality($6)),
entered AS (
    INSERT INTO entries (instance, idx, seq, at, count, sum, body)
    SELECT id, after, seq, at, count, sum # seq # (at << 20), body FROM sealed),
moved AS (UPDATE instances i SET next = s.after + s.count, at = s.at FROM sealed s WHERE i.id = s.id),
charged AS (UPDATE usage_parts u SET bytes = u.bytes + r.more, room_bytes = u.room_bytes - r.more
    FROM room r WHERE u.tenant = r.tenant AND u.part = $16 AND EXISTS (SELECT FROM sealed)),
done AS (UPDATE writers SET last = $2, seen = now() WHERE writer = $1 AND EXISTS (SELECT FROM sealed))
SELECT place, seq, at FROM sealed";
// The same for one step of a driver. Its rows are found by their keys and locked by one node of the plan, in the order of the clauses; a row that
// changed before its lock was granted is compared again. No function scan, no sort, no aggregate: starting those takes the server longer than
// the rest of the statement.
const STEP: &str = r"
WITH locked AS MATERIALIZED (
    SELECT i.id, greatest(i.at, $9::bigint) AS at FROM writers w, claims c, instances i, usage_parts u
    WHERE w.writer = $1 AND w.last < $2::bigint AND (NOT $3::boolean OR
            current_setting('synchronous_standby_names') <> '' AND current_setting('synchronous_commit') IN ('on', 'remote_apply'))
        AND c.shard = $4::smallint AND c.claim = $5 AND c.until > clock_timestamp()
        AND i.tenant = $6 AND i.instance = $7 AND i.next = $8::bigint
        AND u.tenant = $6 AND u.part = $15::smallint AND u.room_bytes >= $13::bigint AND ($14::bigint IS NULL OR u.most_bytes <= $14)
    FOR UPDATE OF w FOR SHARE OF c FOR UPDATE OF i FOR UPDATE OF u),
entered AS (
    INSERT INTO entries (instance, idx, seq, at, count, sum, body)
    SELECT p.id, $8, p.seq, p.at, $10, $11::bigint # p.seq # (p.at << 20), $12::text
    FROM (SELECT l.*, nextval('facts') AS seq, CASE WHEN $10::integer > 1 THEN nextval('facts') END AS second FROM locked l OFFSET 0) p
    WHERE $10 = 1 OR p.second = p.seq + 1
    RETURNING instance, seq, at),
moved AS (UPDATE instances i SET next = $8 + $10, at = e.at FROM entered e WHERE i.id = e.instance),
charged AS (UPDATE usage_parts u SET bytes = u.bytes + $13, room_bytes = u.room_bytes - $13 FROM entered WHERE u.tenant = $6 AND u.part = $15),
done AS (UPDATE writers SET last = $2, seen = now() FROM entered WHERE writer = $1)
SELECT 1::bigint, seq, at FROM entered";
/// The most entries of a step that has a statement of its own.
const OF_ONE: usize = 2;

const WRITTEN: &str = "SELECT k.place, e.seq, e.at FROM unnest($1::text[], $2::text[], $3::bigint[])
        WITH ORDINALITY AS k(tenant, instance, after, place)
    JOIN instances i USING (tenant, instance) JOIN entries e ON e.instance = i.id AND e.idx = k.after";

/// Plain appends of different instances, in the order of their locks.
pub(crate) struct Steps<'a> {
    steps: Vec<Step<'a>>,
    shards: BTreeSet<Shard>,
    tenants: BTreeMap<&'a TenantId, Growth>,
}

struct Step<'a> {
    /// Its index in the group.
    number: usize,
    place: &'a JournalPosition,
    encoded: &'a EncodedEntries,
}

impl Step<'_> {
    fn after(&self) -> i64 {
        self.place.after.cast_signed() as i64
    }

    /// The number of its entries.
    fn count(&self) -> i32 {
        i32::try_from(self.encoded.count).unwrap_or(i32::MAX)
    }

    /// Its checksum, without the part that the server adds.
    fn sum(&self) -> i64 {
        sum_of_text(&self.encoded.text, &self.place.key, self.after(), self.count())
    }
}

/// A tenant's growth in bytes, and the lowest limit that one of its appends has to stay below.
#[derive(Default)]
struct Growth {
    more: i64,
    most: Option<i64>,
}

impl<'a> Steps<'a> {
    /// The steps of a group; `None` if one of its writes is not a step, or two are of one instance.
    pub(crate) fn of(group: &'a [Record]) -> Option<Self> {
        let mut instances: BTreeMap<&InstanceKey, Step<'a>> = BTreeMap::new();
        let (mut shards, mut tenants) = (BTreeSet::new(), BTreeMap::<_, Growth>::new());
        for (number, record) in group.iter().enumerate() {
            let Record::Append { place, encoded, quotas, projections: None, writer } = record else {
                return None;
            };
            if encoded.count == 0 || instances.insert(&place.key, Step { number, place, encoded }).is_some() {
                return None;
            }
            if *writer == Writer::Driver {
                shards.insert(place.key.shard());
            }
            let growth = tenants.entry(&place.key.tenant).or_default();
            growth.more = growth.more.saturating_add(i64::try_from(encoded.bytes).ok()?);
            if let Some(quotas) = quotas {
                let most = i64::try_from(quotas.stored_bytes).unwrap_or(i64::MAX);
                growth.most = Some(growth.most.map_or(most, |before| before.min(most)));
            }
        }
        Some(Self { steps: instances.into_values().collect(), shards, tenants })
    }

    /// Writes all steps and returns their answers in the order of the group, or writes nothing and returns `None`.
    pub(crate) async fn write(
        &self,
        db: &Connection,
        group: Group<'_>,
        is_synchronous: bool,
    ) -> Result<Option<Vec<Written>>, DatabaseError> {
        let shards: Vec<i16> = self.shards.iter().map(|shard| i16::from(shard.number())).collect();
        let (writer, claim) = (group.writer.to_owned(), group.claim.to_owned());
        let rows = match (&*self.steps, &*shards) {
            ([step], [shard]) if step.encoded.count <= OF_ONE => {
                let mut values = values![writer, group.number, is_synchronous, *shard, claim];
                values.extend(self.of_one(step));
                values.extend(values![group.stripe]);
                db.query(STEP, values).await?
            }
            _ => {
                let mut values = values![writer, group.number, is_synchronous, shards, claim];
                values.extend(self.columns());
                values.extend(self.growth());
                values.extend(values![group.stripe]);
                db.query(STEPS, values).await?
            }
        };
        Ok((rows.len() == self.steps.len()).then(|| self.answers(&rows)))
    }

    /// The values of the only step.
    fn of_one(&self, step: &Step<'_>) -> Vec<Value> {
        let JournalPosition { key, at, .. } = step.place;
        let growth = self.tenants.get(&key.tenant);
        values![
            key.tenant.to_string(),
            key.instance.to_string(),
            step.after(),
            at.as_millis(),
            step.count(),
            step.sum(),
            step.encoded.text.clone(),
            growth.map_or(0, |growth| growth.more),
            growth.and_then(|growth| growth.most),
        ]
    }

    /// The answers of a group that was written, without the server's own.
    pub(crate) async fn written(&self, db: &Connection) -> Result<Vec<Written>, DatabaseError> {
        let [tenants, instances] = self.names();
        let rows = db.query(WRITTEN, values![tenants, instances, self.after()]).await?;
        Ok(self.answers(&rows))
    }

    fn columns(&self) -> Vec<Value> {
        let [tenants, instances] = self.names();
        values![
            tenants,
            instances,
            self.after(),
            self.steps.iter().map(|step| step.place.at.as_millis()).collect::<Vec<_>>(),
            self.steps.iter().map(Step::count).collect::<Vec<_>>(),
            self.steps.iter().map(Step::sum).collect::<Vec<_>>(),
            self.steps.iter().map(|step| step.encoded.text.clone()).collect::<Vec<_>>(),
        ]
    }

    /// The tenants and the instances.
    fn names(&self) -> [Vec<String>; 2] {
        let keys = || self.steps.iter().map(|step| &step.place.key);
        [
            keys().map(|key| key.tenant.to_string()).collect(),
            keys().map(|key| key.instance.to_string()).collect(),
        ]
    }

    /// The length of each journal before the step.
    fn after(&self) -> Vec<i64> {
        self.steps.iter().map(Step::after).collect()
    }

    fn growth(&self) -> Vec<Value> {
        let of = |value: fn(&Growth) -> Option<i64>| self.tenants.values().map(value).collect::<Vec<_>>();
        let tenants: Vec<String> = self.tenants.keys().map(ToString::to_string).collect();
        values![tenants, of(|growth| Some(growth.more)), of(|growth| growth.most)]
    }

    fn answers(&self, rows: &[Row]) -> Vec<Written> {
        let mut answers: Vec<Written> = self.steps.iter().map(|_| Ok(None)).collect();
        for row in rows {
            let (place, seq, at) = (row.get::<_, i64>(0), row.get::<_, i64>(1), row.get(2));
            let step = usize::try_from(place - 1).ok().and_then(|place| self.steps.get(place));
            if let Some(answer) = step.and_then(|step| answers.get_mut(step.number)) {
                *answer = Ok(Some(Stamp { seq: seq.unsigned_abs(), at: Timestamp::from_millis(at) }));
            }
        }
        answers
    }
}
