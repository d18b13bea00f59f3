//! The facts of one tenant, in order.
//!
//! No index leads from a tenant to its entries, because it would cost a page in each commit. Two searches take turns
//! until one of them ends, each for twice as long as before: one looks at every row after the place, and is short if
//! most rows are the tenant's; the other walks back through the journals of the tenant's instances, and is short if
//! the tenant has few rows. So a part costs about what the cheaper one does.

use crate::journal::range::link;
use crate::journal::{check_link, heads, missing, read, row_at, rows};
use crate::sql::{cell, every, key_at, one};
use rusqlite::{Connection, params};
use store::{Fact, InstanceKey, StoreError};
use workflow::TenantId;

/// The number of rows that each search reads in its first turn.
const FIRST_TURN: usize = 256;

/// The first facts of a tenant's instances after that place.
pub(crate) fn after(
    db: &Connection,
    tenant: &TenantId,
    seq: u64,
    limit: u32,
) -> Result<Vec<Fact>, StoreError> {
    const ROW: &str = "SELECT seq FROM entries WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1";
    // The row with that place may have more entries.
    let from = one(db, ROW, [seq.cast_signed()], |row| cell(row, 0))?.unwrap_or(0);
    let (settled, most) = (heads::settled(db)?, limit as usize + 1);
    let (mut scan, mut chains) = (Scan::new(tenant, from), Chains::new(tenant, from));
    let mut turn = FIRST_TURN;
    let mut rows = loop {
        if chains.walk(db, turn, settled)? {
            break chains.first(db, most)?;
        }
        scan.look(db, (turn, most - scan.rows.len()), settled)?;
        if scan.next > settled || scan.rows.len() >= most {
            break scan.rows;
        }
        turn *= 2;
    };
    if rows.len() < most {
        // The tail is short (`LONGEST`), and no instance's row leads to it.
        let mut tail = Scan::new(tenant, from.max(settled + 1));
        tail.look(db, (usize::MAX, most - rows.len()), i64::MAX)?;
        rows.append(&mut tail.rows);
    }
    Ok(rows.into_iter().flatten().filter(|fact| fact.seq > seq).take(limit as usize).collect())
}

/// The search that reads every row, in order.
struct Scan<'a> {
    tenant: &'a TenantId,
    next: i64,
    rows: Vec<Vec<Fact>>,
}

impl<'a> Scan<'a> {
    fn new(tenant: &'a TenantId, next: i64) -> Self {
        Self { tenant, next, rows: Vec::new() }
    }

    /// Reads this number of places, up to the last, until `most` more rows are found.
    fn look(&mut self, db: &Connection, (places, most): (usize, usize), last: i64) -> Result<(), StoreError> {
        const SELECT: &str = rows!("WHERE e.seq BETWEEN ?1 AND ?2 AND i.tenant = ?3 ORDER BY e.seq LIMIT ?4");
        let [places, most] = [places, most].map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        let last = self.next.saturating_add(places - 1).min(last);
        let values = params![self.next, last, self.tenant.as_str(), most];
        self.rows.extend(every(db, SELECT, values, |row| read(row, &key_at(row, 10)?))?);
        self.next = last.saturating_add(1);
        Ok(())
    }
}

/// Walks back through the journals of a tenant's instances, one after the other.
struct Chains<'a> {
    tenant: &'a TenantId,
    from: i64,
    /// The instance whose journal is walked, its row, and the next place there.
    at: Option<(InstanceKey, i64, Option<i64>)>,
    found: Vec<(i64, InstanceKey)>,
}

impl<'a> Chains<'a> {
    fn new(tenant: &'a TenantId, from: i64) -> Self {
        Self { tenant, from, at: None, found: Vec::new() }
    }

    /// Reads this number of rows. Returns true at the end of all journals.
    fn walk(&mut self, db: &Connection, rows: usize, settled: i64) -> Result<bool, StoreError> {
        const NEXT: &str = "SELECT tenant, instance, id, last FROM instances
            WHERE tenant = ?1 AND instance > ?2 ORDER BY instance LIMIT 1";
        for _ in 0..rows {
            let Some((key, instance, Some(seq))) = &mut self.at else {
                let done = self.at.as_ref().map_or("", |(key, _, _)| key.instance.as_str());
                let next = one(db, NEXT, [self.tenant.as_str(), done], |row| {
                    Ok((key_at(row, 0)?, cell(row, 2)?, cell::<Option<i64>>(row, 3)?))
                })?;
                let Some((key, instance, last)) = next else { return Ok(true) };
                self.at = Some((key, instance, last.filter(|last| *last >= self.from)));
                continue;
            };
            let place = *seq;
            let link = link(db, place)?.ok_or_else(|| missing(key, place))?;
            check_link(key, *instance, (place, link.instance, link.prev))?;
            // The scan of the tail finds the rows that are not settled.
            if place <= settled {
                self.found.push((place, key.clone()));
            }
            let (key, instance) = (key.clone(), *instance);
            self.at = Some((key, instance, link.prev.filter(|prev| *prev >= self.from)));
        }
        Ok(false)
    }

    /// The first rows that were found.
    fn first(mut self, db: &Connection, most: usize) -> Result<Vec<Vec<Fact>>, StoreError> {
        self.found.sort_unstable_by_key(|(seq, _)| *seq);
        self.found.iter().take(most).map(|(seq, key)| Ok(row_at(db, key, *seq)?.1)).collect()
    }
}
