//! The records of an authority in its own process: one JSON text a line, found by key.

use crate::issuer::wire::SignedDecision;
use receipt::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use store::ownership;
use workflow::{ReceiptId, RequestId};

/// A file of records, with an index from each name to its records.
pub(super) struct IssuedLog<T> {
    file: File,
    end: u64,
    places: HashMap<Name, Vec<(u64, usize)>>,
    latest: Option<Timestamp>,
    kind: std::marker::PhantomData<T>,
}

/// The name that a record is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Name {
    Request(RequestId),
    Receipt(ReceiptId),
}

/// A record that is kept permanently.
pub(super) trait Record: Serialize + DeserializeOwned {
    /// The matter.
    fn names(&self) -> Vec<Name>;

    /// When the record was made, by the clock of the authority.
    fn at(&self) -> Option<Timestamp>;
}

/// A signed statement that the authority has admitted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AdmittedStatement {
    pub(super) request: RequestId,
    pub(super) envelope: String,
    pub(super) at: Timestamp,
}

impl Record for AdmittedStatement {
    fn names(&self) -> Vec<Name> {
        vec![Name::Request(self.request.clone())]
    }

    fn at(&self) -> Option<Timestamp> {
        Some(self.at)
    }
}

impl Record for SignedDecision {
    fn names(&self) -> Vec<Name> {
        vec![Name::Request(self.receipt.request.clone()), Name::Receipt(self.receipt.id.clone())]
    }

    fn at(&self) -> Option<Timestamp> {
        self.receipt.artifact.issued_at.as_deref().and_then(|at| at.parse().ok())
    }
}

impl<T: Record> IssuedLog<T> {
    /// Reads the file through. A line at the end that was never finished was never answered either, and is written over.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file =
            File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        ownership::close_to_others(&file)?;
        // Two authorities on one folder would overwrite each other's records.
        file.try_lock().map_err(io::Error::from)?;
        let mut log =
            Self { file, end: 0, places: HashMap::new(), latest: None, kind: std::marker::PhantomData };
        let mut reader = BufReader::new(log.file.try_clone()?);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            log.note(&serde_json::from_slice(&line)?, line.len());
            line.clear();
        }
        log.file.set_len(log.end)?;
        Ok(log)
    }

    /// The records about a matter, in order.
    pub(super) fn find(&mut self, name: &Name) -> io::Result<Vec<T>> {
        let places = self.places.get(name).cloned().unwrap_or_default();
        places.into_iter().map(|place| self.read(place)).collect()
    }

    /// Keeps a record: it is on disk before a caller gets it.
    pub(super) fn keep(&mut self, record: &T) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        // A line that failed half way is gone before the next.
        self.file.set_len(self.end)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&line)?;
        self.file.sync_all()?;
        self.note(record, line.len());
        Ok(())
    }

    /// The latest time in the records.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        self.latest
    }

    fn read(&mut self, (start, length): (u64, usize)) -> io::Result<T> {
        let mut line = vec![0; length];
        self.file.seek(SeekFrom::Start(start))?;
        self.file.read_exact(&mut line)?;
        Ok(serde_json::from_slice(&line)?)
    }

    fn note(&mut self, record: &T, length: usize) {
        for name in record.names() {
            self.places.entry(name).or_default().push((self.end, length));
        }
        self.end += length as u64;
        self.latest = self.latest.max(record.at());
    }
}
