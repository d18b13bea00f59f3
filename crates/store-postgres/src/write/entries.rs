//! Entries as rows: entries that are appended together are one row of JSON texts, with a checksum.

use crate::error::damaged;
use receipt::{Digest, Timestamp};
use store::{Fact, InstanceKey, StoreError};
use tokio_postgres::Row;
use workflow::Entry;

/// Between the entries of one row. JSON text has no line ends.
pub(crate) const NEXT: char = '\n';

/// The text of entries that are appended together.
#[derive(Debug)]
pub(crate) struct EncodedEntries {
    /// The number of entries.
    pub(crate) count: usize,
    /// The length of the entries as JSON text, which counts against a quota.
    pub(crate) bytes: usize,
    /// The entries' texts.
    pub(crate) text: String,
}

/// The position of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowPosition {
    /// The place of its first entry among all facts.
    pub(crate) seq: i64,
    /// The place of its first entry in its instance's journal.
    pub(crate) index: i64,
    /// When the entries were recorded.
    pub(crate) at: i64,
    /// The number of its entries.
    pub(crate) count: i32,
}

impl EncodedEntries {
    /// Encodes entries.
    pub(crate) fn of(entries: &[Entry]) -> Result<Self, StoreError> {
        let texts: Vec<String> =
            entries.iter().map(serde_json::to_string).collect::<Result<_, _>>().map_err(damaged)?;
        let (count, bytes) = (texts.len(), texts.iter().map(String::len).sum());
        Ok(Self { count, bytes, text: texts.join(&NEXT.to_string()) })
    }
}

/// A checksum of a row's content and position. It detects damage, not forgery. The statements in
/// [`steps`](crate::write::steps) add the place and the time in the same way.
pub(crate) fn sum(text: &str, key: &InstanceKey, RowPosition { seq, index, at, count }: RowPosition) -> i64 {
    sum_of_text(text, key, index, count) ^ seq ^ (at << 20)
}

/// The part of [`sum`] that is known before the server has given the row its place and time.
pub(crate) fn sum_of_text(text: &str, key: &InstanceKey, index: i64, count: i32) -> i64 {
    first_bytes(&format!("{key} {index} {count}{NEXT}{text}"))
}

/// The checksum of rows that were written before the schema's version 4.
fn sum_before(text: &str, key: &InstanceKey, RowPosition { seq, index, at, count }: RowPosition) -> i64 {
    first_bytes(&format!("{key} {seq} {index} {at} {count}{NEXT}{text}"))
}

fn first_bytes(text: &str) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *Digest::of(text.as_bytes()).as_bytes();
    i64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// The facts of a row that has `seq, idx, at, count, sum, body` from that column on.
pub(crate) fn read(row: &Row, first: usize, key: &InstanceKey) -> Result<Vec<Fact>, StoreError> {
    let position = RowPosition {
        seq: row.get(first),
        index: row.get(first + 1),
        at: row.get(first + 2),
        count: row.get(first + 3),
    };
    let text: &str = row.get(first + 5);
    let failed = |why: String| {
        StoreError::Damaged(format!("fact {} of instance {key} cannot be read: {why}", position.seq))
    };
    let recorded: i64 = row.get(first + 4);
    if recorded != sum(text, key, position) && recorded != sum_before(text, key, position) {
        return Err(failed("it is not what was written".to_owned()));
    }
    let entries: Vec<Entry> = text
        .split(NEXT)
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .map_err(|error| failed(error.to_string()))?;
    if entries.len() as i64 != i64::from(position.count) {
        return Err(failed(format!("it has {} entries of {}", entries.len(), position.count)));
    }
    let places = (position.seq.unsigned_abs()..).zip(position.index.unsigned_abs()..);
    let at = Timestamp::from_millis(position.at);
    let fact = |(entry, (seq, index))| Fact { seq, at, key: key.clone(), index, entry };
    Ok(entries.into_iter().zip(places).map(fact).collect())
}
