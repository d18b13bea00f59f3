//! Everything that an authority of its own process has signed, one JSON text a line, found again by its request.

use crate::issuer::wire::SignedDecision;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use workflow::RequestId;

/// The file, and where in it each request's decision stands.
pub(super) struct IssuedLog {
    file: File,
    end: u64,
    places: HashMap<RequestId, (u64, usize)>,
}

impl IssuedLog {
    /// Reads the file through. A line at the end that was never finished was never answered either, and is written over.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file =
            File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        // Two authorities on one folder would each overwrite what the other signed.
        file.try_lock().map_err(io::Error::from)?;
        let (mut places, mut end, mut line) = (HashMap::new(), 0, Vec::new());
        let mut reader = BufReader::new(&file);
        while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            let decision: SignedDecision = serde_json::from_slice(&line)?;
            places.insert(decision.receipt.request, (end, line.len()));
            end += line.len() as u64;
            line.clear();
        }
        file.set_len(end)?;
        Ok(Self { file, end, places })
    }

    /// What was signed about a request.
    pub(super) fn find(&mut self, request: &RequestId) -> io::Result<Option<SignedDecision>> {
        let Some((start, length)) = self.places.get(request).copied() else { return Ok(None) };
        let mut line = vec![0; length];
        self.file.seek(SeekFrom::Start(start))?;
        self.file.read_exact(&mut line)?;
        Ok(Some(serde_json::from_slice(&line)?))
    }

    /// Keeps a decision: on disk before anybody hears of it.
    pub(super) fn keep(&mut self, decision: &SignedDecision) -> io::Result<()> {
        let mut line = serde_json::to_vec(decision)?;
        line.push(b'\n');
        // A line that failed half way is gone before the next.
        self.file.set_len(self.end)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&line)?;
        self.file.sync_all()?;
        self.places.insert(decision.receipt.request.clone(), (self.end, line.len()));
        self.end += line.len() as u64;
        Ok(())
    }
}
