//! The side that answers.

use crate::api::{Account, Operation, Principal};
use crate::control::{NAME, Reply, VERSION, frame, is_trusted, short_path};
use crate::{Error, Host};
use rustix::net::sockopt::socket_peercred;
use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fs, io, thread};
use store::{StoreError, files};

/// Operations at once. More have to come again: each may take a thread and a component's bytes.
const AT_ONCE: usize = 256;

/// How long somebody may take to say what they want.
const PATIENCE: Duration = Duration::from_secs(10);

/// A control socket that is listened on. Nobody listens any more when it is dropped.
#[derive(Debug)]
pub struct Control {
    folder: File,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    /// Listens on the data folder's control socket, for as long as what is returned is kept.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn listen(&self) -> Result<Control, Error> {
        let data = self.0.journals.folder.path();
        let failed = |error| StoreError::Folder { path: data.join(NAME), error };
        Ok(Control::open(self, data).map_err(failed)?)
    }
}

impl Control {
    /// Whoever owns the folder may take the name: what has it is left from one who does not live any more.
    fn open(host: &Host, data: &Path) -> io::Result<Self> {
        let folder = File::open(data)?;
        files::remove(&data.join(NAME))?;
        let listener = UnixListener::bind(short_path(&folder))?;
        fs::set_permissions(short_path(&folder), fs::Permissions::from_mode(0o600))?;
        let closing = Arc::new(AtomicBool::new(false));
        let (host, closed) = (host.clone(), Arc::clone(&closing));
        let thread = thread::Builder::new()
            .name("pp-host-control".to_owned())
            .spawn(move || serve(&host, &listener, &closed))?;
        Ok(Self { folder, closing, thread: Some(thread) })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        // Somebody has to knock for the other side to look up. Where that fails it has gone.
        let knocked = UnixStream::connect(short_path(&self.folder));
        if let (Ok(_), Some(thread)) = (knocked, self.thread.take()) {
            let _ = thread.join();
        }
        let _ = fs::remove_file(short_path(&self.folder));
    }
}

/// Takes operations until it is closed, and does not end before all of them are answered.
fn serve(host: &Host, listener: &UnixListener, closing: &AtomicBool) {
    let busy = Arc::new(AtomicUsize::new(0));
    thread::scope(|scope| {
        for stream in listener.incoming() {
            if closing.load(Ordering::Acquire) {
                return;
            }
            let Ok(stream) = stream else {
                // Out of descriptors, most likely: whoever holds them needs a moment to be done.
                thread::sleep(Duration::from_millis(10));
                continue;
            };
            let turn = Turn::take(&busy);
            // Where no thread can be had the stream is dropped, and the other side hears of it.
            drop(thread::Builder::new().name("pp-host-operate".to_owned()).spawn_scoped(scope, move || {
                if turn.is_some() {
                    // The other side has gone, or does not speak as we do: there is nobody to tell.
                    let _ = answer(host, stream);
                }
            }));
        }
    });
}

/// One of [`AT_ONCE`].
struct Turn(Arc<AtomicUsize>);

impl Turn {
    fn take(busy: &Arc<AtomicUsize>) -> Option<Self> {
        let turn = Self(Arc::clone(busy));
        (busy.fetch_add(1, Ordering::AcqRel) < AT_ONCE).then_some(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn answer(host: &Host, mut stream: UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let peer = socket_peercred(&stream)?.uid;
    if !is_trusted(peer) {
        return Ok(());
    }
    frame::greet(&mut stream)?;
    if frame::greeting(&mut stream)? != VERSION {
        return Ok(());
    }
    let text = frame::read(&mut stream, frame::TEXT_BYTES_MAX)?;
    let largest =
        u32::try_from(host.0.journals.settings.largest().sandbox.component_bytes).unwrap_or(u32::MAX);
    let component = frame::read(&mut stream, largest)?;
    let principal = Principal::Operator(Account::of(peer.as_raw()));
    let reply = match serde_json::from_slice::<Operation>(&text) {
        Ok(operation) => match host.operate_as(&principal, operation.with_component(component)) {
            Ok(answer) => Reply::Answered(answer),
            Err(error) => Reply::Refused(error.to_string()),
        },
        Err(error) => Reply::Refused(format!("this is no operation: {error}")),
    };
    frame::write(&mut stream, &serde_json::to_vec(&reply)?)
}
