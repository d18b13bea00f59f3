//! Entries as rows: entries that are appended together are one row, encoded, with a checksum.

pub(crate) mod codec;
pub(crate) mod heads;
pub(crate) mod range;
pub(crate) mod sparse_index;
pub(crate) mod tenant;

use crate::journal::codec::{Encoded, NEXT, expand};
use crate::journal::heads::Hint;
use crate::sql::{cell, cell_0, classify, damaged, every, key_at, one};
use receipt::Timestamp;
use rusqlite::{Connection, Row, params};
use std::collections::HashMap;
use store::{Fact, InstanceKey, StoreError};
use workflow::Entry;

/// The encoded text of entries that are appended together. The caller's thread encodes it, not the writing thread.
#[derive(Debug)]
pub(crate) struct EncodedEntries {
    /// The number of entries.
    pub(crate) count: usize,
    /// The length of the entries as JSON text, which counts against a quota.
    pub(crate) bytes: usize,
    /// The first entry's part that many instances share.
    pub(crate) loaded: Option<String>,
    short: Encoded,
    sum: Sum,
}

/// Bytes of text in most rows, and a few more.
const TYPICAL: usize = 512;

/// The position of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowPosition {
    /// The place of its first entry among all facts.
    pub(crate) seq: i64,
    /// The row of its instance.
    pub(crate) instance: i64,
    /// The place of its first entry in its instance's journal.
    pub(crate) index: i64,
    /// When the entries were recorded.
    pub(crate) at: Timestamp,
    /// The number of its entries.
    pub(crate) count: i64,
    /// The row before it in its instance's journal.
    pub(crate) prev: Option<i64>,
}

impl EncodedEntries {
    /// Makes the text.
    pub(crate) fn of(entries: &[Entry]) -> Result<Self, StoreError> {
        let text = text(entries)?;
        Ok(Self::made(entries, &text, Encoded::of(&text).ok_or_else(unwritable)?))
    }

    /// [`Self::of`] for an instance's first entries. The very first is stored once for all instances of a component.
    pub(crate) fn of_creation(entries: &[Entry]) -> Result<Self, StoreError> {
        let [Entry::Loaded { .. }, ..] = entries else { return Self::of(entries) };
        let text = text(entries)?;
        let (loaded, others) =
            text.split_once(NEXT).map_or((&*text, None), |(loaded, others)| (loaded, Some(others)));
        let short = Encoded::after_loaded(others).ok_or_else(unwritable)?;
        Ok(Self { loaded: Some(loaded.to_owned()), ..Self::made(entries, &text, short) })
    }

    fn made(entries: &[Entry], text: &str, short: Encoded) -> Self {
        let (count, between) = (entries.len(), entries.len().saturating_sub(1));
        Self { count, bytes: text.len() - between, loaded: None, short, sum: Sum::of(text) }
    }

    /// Writes them.
    pub(crate) fn insert(
        &self,
        db: &Connection,
        position: RowPosition,
        key: &InstanceKey,
    ) -> Result<(), rusqlite::Error> {
        const INSERT: &str = "INSERT INTO entries (seq, instance, idx, at, body, count, bytes, sum, prev)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let Encoded { text, bytes } = &self.short;
        let bytes = (!bytes.is_empty()).then_some(bytes);
        let RowPosition { seq, instance, index, at, count, prev } = position;
        let sum = self.sum.at(position, key);
        let values = params![seq, instance, index, at.as_millis(), text, count, bytes, sum, prev];
        db.prepare_cached(INSERT)?.execute(values).map(drop)
    }
}

impl RowPosition {
    fn of(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            seq: cell(row, 0)?,
            instance: cell(row, 1)?,
            index: cell(row, 2)?,
            at: Timestamp::from_millis(cell(row, 3)?),
            count: cell(row, 4)?,
            prev: cell(row, 5)?,
        })
    }
}

/// Entries as JSON text, with [`NEXT`] between them.
fn text(entries: &[Entry]) -> Result<String, StoreError> {
    let mut text = Vec::with_capacity(TYPICAL);
    for (place, entry) in entries.iter().enumerate() {
        if place > 0 {
            text.push(NEXT as u8);
        }
        serde_json::to_writer(&mut text, entry).map_err(damaged)?;
    }
    String::from_utf8(text).map_err(damaged)
}

/// A text that is not JSON, which this crate never writes.
fn unwritable() -> StoreError {
    StoreError::Damaged("a text to be written has control characters, and is no JSON".to_owned())
}

/// A checksum of a row's content and position. It detects damage, not forgery.
#[derive(Debug, Clone)]
struct Sum(crc32fast::Hasher);

impl Sum {
    fn of(text: &str) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(text.as_bytes());
        Self(hasher)
    }

    fn at(&self, RowPosition { seq, instance, index, at, count, .. }: RowPosition, key: &InstanceKey) -> i32 {
        let mut hasher = self.0.clone();
        for part in [key.tenant.as_str(), "/", key.instance.as_str()] {
            hasher.update(part.as_bytes());
        }
        for number in [seq, instance, index, at.as_millis(), count] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.finalize().cast_signed()
    }
}

/// The rows of the journal in the form that [`read`] expects: the entries `e`, their instance `i`, and the shared text
/// of its first entry.
macro_rules! rows {
    ($rest:literal) => {
        concat!(
            "SELECT e.seq, e.instance, e.idx, e.at, e.count, e.prev, e.body, e.bytes, e.sum, t.body, i.tenant, i.instance
                FROM entries e JOIN instances i ON i.id = e.instance LEFT JOIN texts t ON t.id = i.loaded ",
            $rest
        )
    };
}

use rows;

/// Every row, in order.
pub(crate) const EVERY: &str = rows!("ORDER BY e.seq");

/// An instance's journal.
pub(crate) fn journal(
    db: &Connection,
    key: &InstanceKey,
    hint: Option<Hint>,
) -> Result<Vec<Fact>, StoreError> {
    journal_of(db, key, heads::end(db, key, hint)?)
}

/// The journal of the instance in that row, whose last entries are in that one.
pub(crate) fn journal_of(
    db: &Connection,
    key: &InstanceKey,
    end: (i64, Option<i64>),
) -> Result<Vec<Fact>, StoreError> {
    let mut facts = Vec::new();
    for row in walk(db, key, end)? {
        follows(facts.len() as u64, &row, key)?;
        facts.extend(row);
    }
    Ok(facts)
}

/// An instance's rows in order. Each names the row before it.
fn walk(
    db: &Connection,
    key: &InstanceKey,
    (instance, last): (i64, Option<i64>),
) -> Result<Vec<Vec<Fact>>, StoreError> {
    let (mut rows, mut next) = (Vec::new(), last);
    while let Some(seq) = next {
        let (position, facts) = row_at(db, key, seq)?;
        check_link(key, instance, (seq, position.instance, position.prev))?;
        rows.push(facts);
        next = position.prev;
    }
    rows.reverse();
    Ok(rows)
}

/// The row of that place in an instance's journal.
fn row_at(db: &Connection, key: &InstanceKey, seq: i64) -> Result<(RowPosition, Vec<Fact>), StoreError> {
    // Only the first row of an instance has its code.
    const SELECT: &str = "SELECT e.seq, e.instance, e.idx, e.at, e.count, e.prev, e.body, e.bytes, e.sum,
        CASE e.idx WHEN 0 THEN (SELECT t.body FROM instances i JOIN texts t ON t.id = i.loaded WHERE i.id = e.instance) END
        FROM entries e WHERE e.seq = ?1";
    let found = one(db, SELECT, [seq], |row| Ok((RowPosition::of(row)?, read(row, key)?)))?;
    found.ok_or_else(|| missing(key, seq))
}

/// Refuses a row to which an instance's journal leads, and which is another instance's or leads forward.
fn check_link(
    key: &InstanceKey,
    instance: i64,
    (seq, found, prev): (i64, i64, Option<i64>),
) -> Result<(), StoreError> {
    match found != instance || prev.is_some_and(|prev| prev >= seq) {
        true => Err(StoreError::Damaged(format!("fact {seq} is not one of instance {key}"))),
        false => Ok(()),
    }
}

/// A row that is spoken of and not there.
pub(crate) fn missing(key: &InstanceKey, seq: i64) -> StoreError {
    StoreError::Damaged(format!("fact {seq} of instance {key} is missing"))
}

/// Refuses a journal in which an entry is missing, or not in its place.
pub(crate) fn follows(expected: u64, row: &[Fact], key: &InstanceKey) -> Result<(), StoreError> {
    match row.first() {
        Some(first) if first.index != expected => Err(StoreError::Damaged(format!(
            "the journal of instance {key} has entry {} where entry {expected} should be",
            first.index
        ))),
        _ => Ok(()),
    }
}

/// The fact of that place, and those that were appended with it.
pub(crate) fn around(db: &Connection, key: &InstanceKey, seq: i64) -> Result<Vec<Fact>, StoreError> {
    const SELECT: &str = rows!("WHERE e.seq <= ?1 ORDER BY e.seq DESC LIMIT 1");
    let found = one(db, SELECT, [seq], |row| read(row, &key_at(row, 10)?))?.unwrap_or_default();
    Ok(found.into_iter().filter(|fact| fact.key == *key).collect())
}

/// The place of the last fact; 0 if there is none.
pub(crate) fn last(db: &Connection) -> Result<u64, StoreError> {
    let last = one(db, "SELECT seq + count - 1 FROM entries ORDER BY seq DESC LIMIT 1", [], cell_0::<i64>)?;
    Ok(last.unwrap_or(0).unsigned_abs())
}

/// An instance's first entries.
pub(crate) fn first(db: &Connection, key: &InstanceKey, instance: i64) -> Result<Vec<Fact>, StoreError> {
    const SELECT: &str = rows!("WHERE e.seq = (SELECT first FROM instances WHERE id = ?1)");
    const NEXT: &str = rows!("WHERE e.seq = ?1 AND e.instance = ?2");
    let Some(mut facts) = one(db, SELECT, [instance], |row| read(row, key))? else { return Ok(Vec::new()) };
    // A journal of an older format has them in two consecutive rows.
    if let [Fact { seq, .. }] = facts[..] {
        facts.extend(
            one(db, NEXT, [seq.cast_signed() + 1, instance], |row| read(row, key))?.unwrap_or_default(),
        );
    }
    Ok(facts)
}

/// All facts, in order.
pub(crate) fn all(db: &Connection) -> Result<Vec<Fact>, StoreError> {
    let (mut facts, mut lengths) = (Vec::new(), HashMap::new());
    for (instance, row) in
        every(db, EVERY, [], |row| Ok((cell::<i64>(row, 1)?, read(row, &key_at(row, 10)?)?)))?
    {
        let length = lengths.entry(instance).or_insert(0);
        if let Some(first) = row.first() {
            follows(*length, &row, &first.key)?;
        }
        *length += row.len() as u64;
        facts.extend(row);
    }
    Ok(facts)
}

/// The facts of one of the [`rows`].
pub(crate) fn read(row: &Row<'_>, key: &InstanceKey) -> Result<Vec<Fact>, StoreError> {
    read_whole(row, key).map(|(_, facts)| facts)
}

/// [`read`], with the texts as they were written.
pub(crate) fn texts_and_facts(
    row: &Row<'_>,
    key: &InstanceKey,
) -> Result<(Vec<String>, Vec<Fact>), StoreError> {
    let (text, facts) = read_whole(row, key)?;
    Ok((text.split(NEXT).map(str::to_owned).collect(), facts))
}

fn read_whole(row: &Row<'_>, key: &InstanceKey) -> Result<(String, Vec<Fact>), StoreError> {
    let position = RowPosition::of(row)?;
    let failed = |why: String| {
        let seq = position.seq;
        StoreError::Damaged(format!("fact {seq} of instance {key} cannot be read: {why}"))
    };
    let text = |column| {
        row.get_ref(column).map_err(classify)?.as_str_or_null().map_err(|error| failed(error.to_string()))
    };
    let bytes =
        row.get_ref(7).map_err(classify)?.as_bytes_or_null().map_err(|error| failed(error.to_string()))?;
    let body = text(6)?.unwrap_or_default();
    let expanded = expand(body, bytes.unwrap_or_default(), text(9)?);
    let expanded = expanded.ok_or_else(|| failed("its shorthand is not understood".to_owned()))?;
    // Rows of older formats have no checksum.
    let sum: Option<i32> = cell(row, 8)?;
    if sum.is_some_and(|sum| sum != Sum::of(&expanded).at(position, key)) {
        return Err(failed("it is not what was written".to_owned()));
    }
    let entries: Vec<Entry> = expanded
        .split(NEXT)
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .map_err(|error| failed(error.to_string()))?;
    if entries.len() as i64 != position.count {
        return Err(failed(format!("it has {} entries of {}", entries.len(), position.count)));
    }
    let facts = numbered(position, key, entries);
    Ok((expanded, facts))
}

/// Entries with their places.
fn numbered(position: RowPosition, key: &InstanceKey, entries: Vec<Entry>) -> Vec<Fact> {
    let places = (position.seq.unsigned_abs()..).zip(position.index.unsigned_abs()..);
    let fact = |(entry, (seq, index))| Fact { seq, at: position.at, key: key.clone(), index, entry };
    entries.into_iter().zip(places).map(fact).collect()
}
