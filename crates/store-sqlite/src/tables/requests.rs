//! Requests as rows, without the content that the journal has already.

use crate::journal;
use crate::journal::codec::{Encoded, REST, expand};
use crate::journal::heads;
use crate::journal::heads::Hint;
use crate::sql::{cell, damaged, key_at, one};
use rusqlite::{Connection, Row, params};
use serde_json::{Map, Value};
use std::borrow::Cow;
use store::{Fact, InstanceKey, NewRequest, RecordedRequest, SentNotices, StoreError};
use workflow::{Entry, RequestId};

/// The members that very many requests share: the code that asks, and the policy.
const COMMON: [&str; 3] = ["component", "imports", "governed"];

/// Members of a request that the journal has too, with their place in the entry.
const STARTED: [(&str, &str); 5] = [
    ("tenant", "/tenant"),
    ("actor", "/actor"),
    ("operator", "/operator"),
    ("submitter", "/submitter"),
    ("workflow", "/workflow"),
];
const REQUESTED: [(&str, &str); 6] = [
    ("id", "/request"),
    ("call", "/call"),
    ("capability", "/asked/capability"),
    ("resource", "/asked/resource"),
    ("artifact", "/artifact"),
    ("expires_at", "/expires_at"),
];
const INSTANCE: &str = "instance";

/// A request's text, made on the caller's thread.
#[derive(Debug)]
pub(crate) struct RequestText {
    /// The request's id.
    pub(crate) id: RequestId,
    /// The capability and the resource.
    pub(crate) subject: String,
    /// The length of the complete text, which counts against a quota.
    pub(crate) length: usize,
    /// The part that many requests share, if it is stored separately.
    pub(crate) common: Option<String>,
    short: Encoded,
}

impl RequestText {
    /// Leaves out the journal's content, if the text is a complete request and `entries` contain its creation.
    pub(crate) fn of(request: &NewRequest, entries: &[Entry]) -> Result<Self, StoreError> {
        let NewRequest { id, capability, resource, body } = request;
        let mut members: Map<String, Value> = serde_json::from_str(body).map_err(damaged)?;
        let requested = entries.iter().find(|entry| is_about(entry, id)).map(serde_json::to_value);
        let requested = requested.transpose().map_err(damaged)?.unwrap_or_default();
        let (mut mark, mut common) = (String::new(), None);
        if is_whole(&members) && agrees(&members, &requested) {
            members.retain(|name, _| !of_the_journal().any(|member| member == name));
            let apart: Map<_, _> = COMMON.iter().filter_map(|name| members.remove_entry(*name)).collect();
            common = Some(Value::Object(apart).to_string());
            mark.push(REST);
        }
        let text = Value::Object(members).to_string();
        let short = Encoded::of(&text).ok_or_else(|| damaged("a request with control characters"))?;
        let short = Encoded { text: mark + &short.text, ..short };
        let subject = format!("{capability} {resource}");
        Ok(Self { id: id.clone(), subject, length: body.len(), common, short })
    }

    /// Writes it. `seq` is the fact that it was made.
    pub(crate) fn insert(
        &self,
        db: &Connection,
        seq: i64,
        instance: i64,
        common: Option<i64>,
    ) -> rusqlite::Result<()> {
        const INSERT: &str =
            "INSERT INTO requests (seq, id, instance, common, bytes, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let Encoded { text, bytes } = &self.short;
        let bytes = (!bytes.is_empty()).then_some(bytes);
        let values = params![seq, self.id.as_str(), instance, common, bytes, text];
        db.prepare_cached(INSERT)?.execute(values).map(drop)
    }
}

/// Whether an entry records the creation of this request.
pub(crate) fn is_about(entry: &Entry, id: &RequestId) -> bool {
    matches!(entry, Entry::Requested { request, .. } if request == id)
}

fn of_the_journal() -> impl Iterator<Item = &'static str> {
    let named = STARTED.iter().chain(&REQUESTED).map(|(member, _)| *member);
    named.chain([INSTANCE])
}

fn is_whole(members: &Map<String, Value>) -> bool {
    COMMON.into_iter().chain(of_the_journal()).all(|member| members.contains_key(member))
}

/// Whether a request agrees with the fact of its creation.
fn agrees(members: &Map<String, Value>, requested: &Value) -> bool {
    REQUESTED.iter().all(|(member, place)| members.get(*member) == requested.pointer(place))
}

/// The columns that [`read`] expects.
macro_rules! requests {
    ($rest:literal) => {
        concat!(
            "SELECT i.tenant, i.instance, r.instance, r.seq, r.body, r.bytes, c.body, r.outcome, r.notified
                FROM requests r JOIN instances i ON i.id = r.instance LEFT JOIN texts c ON c.id = r.common ",
            $rest
        )
    };
}
pub(crate) use requests;

/// A request as JSON text, and the instance that made it.
pub(crate) fn request(db: &Connection, id: &RequestId) -> Result<Option<RecordedRequest>, StoreError> {
    const SELECT: &str = requests!("WHERE r.id = ?1");
    one(db, SELECT, [id.as_str()], |row| read(db, row))
}

/// A request that has yet to be completed from its instance's journal.
pub(crate) fn kept(db: &Connection, id: &RequestId) -> Result<Option<StoredRequest>, StoreError> {
    const SELECT: &str = requests!("WHERE r.id = ?1");
    one(db, SELECT, [id.as_str()], StoredRequest::of)
}

/// Reads a row of [`requests`] and completes it.
pub(crate) fn read(db: &Connection, row: &Row<'_>) -> Result<RecordedRequest, StoreError> {
    let kept = StoredRequest::of(row)?;
    let document = kept.document(|kept| {
        let first = journal::first(db, &kept.key, kept.instance)?;
        Ok((Cow::Owned(first), Cow::Owned(journal::around(db, &kept.key, kept.seq)?)))
    })?;
    Ok(RecordedRequest { key: kept.key, body: document.to_string(), outcome: kept.outcome, sent: kept.sent })
}

/// A request for a list. A damaged request has an empty body, so that the others are listed.
pub(crate) fn read_for_list(db: &Connection, row: &Row<'_>) -> Result<RecordedRequest, StoreError> {
    match read(db, row) {
        Err(StoreError::Damaged(_)) => {
            let StoredRequest { key, outcome, sent, .. } = StoredRequest::of(row)?;
            Ok(RecordedRequest { key, body: String::new(), outcome, sent })
        }
        found => found,
    }
}

/// A request as it is kept.
pub(crate) struct StoredRequest {
    /// The instance that made it.
    pub(crate) key: InstanceKey,
    instance: i64,
    /// The fact that it was made.
    seq: i64,
    body: String,
    bytes: Option<Vec<u8>>,
    common: Option<String>,
    outcome: Option<String>,
    sent: SentNotices,
}

impl StoredRequest {
    fn of(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            key: key_at(row, 0)?,
            instance: cell(row, 2)?,
            seq: cell(row, 3)?,
            body: cell(row, 4)?,
            bytes: cell(row, 5)?,
            common: cell(row, 6)?,
            outcome: cell(row, 7)?,
            sent: SentNotices::from_bits(cell(row, 8)?),
        })
    }

    /// The journal of its instance.
    pub(crate) fn journal(&self, db: &Connection, hint: Option<Hint>) -> Result<Vec<Fact>, StoreError> {
        journal::journal_of(db, &self.key, (self.instance, heads::last(db, self.instance, hint)?))
    }

    /// The complete request, from the whole journal.
    pub(crate) fn of_journal(&self, facts: &[Fact]) -> Result<Value, StoreError> {
        self.document(|_| Ok((Cow::Borrowed(facts), Cow::Borrowed(facts))))
    }

    /// The complete request. `facts` are its instance's first facts, and those around its creation.
    fn document<'a>(
        &self,
        facts: impl FnOnce(&Self) -> Result<(Cow<'a, [Fact]>, Cow<'a, [Fact]>), StoreError>,
    ) -> Result<Value, StoreError> {
        let Self { key, seq, .. } = self;
        let failed =
            || StoreError::Damaged(format!("a request of instance {key} cannot be read (fact {seq})"));
        let rest = self.body.strip_prefix(REST);
        let bytes = self.bytes.as_deref().unwrap_or_default();
        let text = expand(rest.unwrap_or(&self.body), bytes, None).ok_or_else(failed)?;
        let mut members: Map<String, Value> = serde_json::from_str(&text).map_err(|_| failed())?;
        if rest.is_none() {
            return Ok(Value::Object(members));
        }
        let common = self.common.as_ref().and_then(|text| serde_json::from_str::<Map<_, _>>(text).ok());
        members.extend(common.ok_or_else(failed)?);
        let (first, around) = facts(self)?;
        complete(&mut members, key, &first, &around, *seq).ok_or_else(failed)?;
        Ok(Value::Object(members))
    }
}

/// Adds the journal's content.
fn complete(
    members: &mut Map<String, Value>,
    key: &InstanceKey,
    first: &[Fact],
    around: &[Fact],
    seq: i64,
) -> Option<()> {
    let requested = around.iter().find(|fact| fact.seq == seq.unsigned_abs() && fact.key == *key)?;
    let started = first.iter().find(|fact| matches!(fact.entry, Entry::Started { .. }))?;
    members.insert(INSTANCE.to_owned(), key.instance.as_str().into());
    let said = [(&started.entry, &STARTED[..]), (&requested.entry, &REQUESTED[..])];
    for (entry, places) in said {
        let entry = serde_json::to_value(entry).ok()?;
        for (member, place) in places {
            members.insert((*member).to_owned(), entry.pointer(place).cloned().unwrap_or_default());
        }
    }
    Some(())
}
