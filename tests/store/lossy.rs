//! A proxy between a client and the server that loses connections at commits.

use crate::support::postgres::Server;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// The proxy. It loses one commit before the server has it, another after the server has answered,
/// and another whose commit arrives late, when the client has looked it up and written again.
pub(super) struct Lossy {
    folder: TempDir,
    pub(super) losses: Arc<Losses>,
}

/// The commits that are lost.
#[derive(Default)]
pub(super) struct Losses {
    pub(super) is_on: AtomicBool,
    /// Commits that were seen since it is on.
    pub(super) commits: AtomicUsize,
    /// Those of them that are steps in one exchange.
    steps: AtomicUsize,
    /// A connection with a commit on its way to the server.
    late: Mutex<Option<(UnixStream, Vec<u8>)>>,
    pub(super) were_late: AtomicUsize,
}

/// The treatment of a client's message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Arrives,
    IsLost,
    /// It arrives, and its answer is lost.
    IsUnanswered,
    /// It arrives before the next commit does.
    IsLate,
}

/// The end of the server's answer to what ends a transaction.
const READY: &[u8] = b"Z\0\0\0\x05I";

impl Losses {
    /// A commit is a statement of its own, or a step in one exchange.
    fn fate(&self, message: &[u8]) -> Fate {
        let has = |part: &[u8]| message.windows(part.len()).any(|found| found == part);
        let ends_a_transaction = has(b"COMMIT\0");
        if !self.is_on.load(Ordering::Acquire) || !(ends_a_transaction || has(b"step-started")) {
            return Fate::Arrives;
        }
        self.deliver_late();
        // No statement that ends a transaction is late: the transaction has the lock that a look-up waits for.
        if !ends_a_transaction && self.steps.fetch_add(1, Ordering::AcqRel) % 9 == 5 {
            return Fate::IsLate;
        }
        match self.commits.fetch_add(1, Ordering::AcqRel) % 8 {
            3 => Fate::IsLost,
            7 => Fate::IsUnanswered,
            _ => Fate::Arrives,
        }
    }

    fn deliver_late(&self) {
        let Some((mut server, message)) = self.late.lock().unwrap().take() else { return };
        server.write_all(&message).unwrap();
        let (mut answer, mut bytes) = (Vec::new(), [0; 1 << 16]);
        while !answer.ends_with(READY) {
            let count = server.read(&mut bytes).unwrap();
            answer.extend_from_slice(&bytes[..count]);
        }
        self.were_late.fetch_add(1, Ordering::AcqRel);
    }
}

impl Lossy {
    pub(super) fn before(server: &Server) -> Self {
        let folder = TempDir::new().unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let lossy = Self { folder, losses: Arc::default() };
        let (socket, losses) = (server.socket(), Arc::clone(&lossy.losses));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), UnixStream::connect(&socket).unwrap());
                let losses = Arc::clone(&losses);
                std::thread::spawn(move || carry(&client, &server, &losses));
            }
        });
        lossy
    }

    pub(super) fn url(&self) -> String {
        format!(
            "postgres://postgres@{}/postgres",
            self.folder.path().display().to_string().replace('/', "%2F")
        )
    }
}

/// Carries bytes both ways until one end is closed or lost.
fn carry(client: &UnixStream, server: &UnixStream, losses: &Losses) {
    let (swallows, is_late) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let answers = scope.spawn(|| {
            let mut bytes = [0; 1 << 16];
            server.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
            loop {
                let count = match (&*server).read(&mut bytes) {
                    Ok(count @ 1..) => count,
                    Err(error)
                        if error.kind() == ErrorKind::WouldBlock && !is_late.load(Ordering::Acquire) =>
                    {
                        continue;
                    }
                    _ => break,
                };
                if swallows.load(Ordering::Acquire) && bytes[..count].ends_with(READY) {
                    break;
                }
                if !swallows.load(Ordering::Acquire) && (&*client).write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            let _ = client.shutdown(Shutdown::Both);
            if !is_late.load(Ordering::Acquire) {
                let _ = server.shutdown(Shutdown::Both);
            }
        });
        let mut bytes = [0; 1 << 16];
        while let Ok(count @ 1..) = (&*client).read(&mut bytes) {
            let fate = losses.fate(&bytes[..count]);
            if fate == Fate::IsLate {
                is_late.store(true, Ordering::Release);
                answers.join().unwrap();
                let rest = server.try_clone().unwrap();
                rest.set_read_timeout(None).unwrap();
                *losses.late.lock().unwrap() = Some((rest, bytes[..count].to_vec()));
                return;
            }
            if fate == Fate::IsLost {
                break;
            }
            swallows.store(fate == Fate::IsUnanswered, Ordering::Release);
            if (&*server).write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let swallows = swallows.load(Ordering::Acquire);
        let _ = (client.shutdown(Shutdown::Both), (!swallows).then(|| server.shutdown(Shutdown::Both)));
    });
}
