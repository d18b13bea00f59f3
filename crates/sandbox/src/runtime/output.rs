//! A guest's standard output and error: kept up to a bound, the rest counted.

use crate::limits::names::OUTPUT_BYTES;
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// A sink that never blocks and never fails: the excess output of a guest is dropped.
#[derive(Debug, Clone)]
pub struct Output(Arc<Mutex<OutputBuffer>>);

#[derive(Debug)]
struct OutputBuffer {
    text: Vec<u8>,
    bound: usize,
    dropped: u64,
}

impl Output {
    /// Keeps the first `bound` bytes.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self(Arc::new(Mutex::new(OutputBuffer { text: Vec::new(), bound, dropped: 0 })))
    }

    /// The kept output, with a last line that counts the dropped bytes.
    #[must_use]
    pub fn text(&self) -> String {
        let kept = self.lock();
        let text = String::from_utf8_lossy(&kept.text).into_owned();
        match kept.dropped {
            0 => text,
            dropped => {
                format!("{text}\n[{dropped} more bytes not kept: limit {OUTPUT_BYTES} is {}]\n", kept.bound)
            }
        }
    }

    fn push(&self, bytes: &[u8]) {
        let mut kept = self.lock();
        let room = kept.bound.saturating_sub(kept.text.len()).min(bytes.len());
        kept.text.extend_from_slice(&bytes[..room]);
        kept.dropped = kept.dropped.saturating_add((bytes.len() - room) as u64);
    }

    fn lock(&self) -> MutexGuard<'_, OutputBuffer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.3 uses this form, and 0.3 is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted() {
        let output = Output::new(4);
        output.push(b"abc");
        output.push(b"def");
        assert_eq!(output.text(), "abcd\n[2 more bytes not kept: limit output-bytes is 4]\n");
    }
}
