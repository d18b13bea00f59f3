//! The side that answers.

use crate::api::{Account, Operation, Principal};
use crate::control::{NAME, Reply, VERSION, frame, is_trusted, short_path};
use crate::unix_connections::{Connection, Connections, Deadline};
use crate::{Error, Host};
use rustix::net::sockopt::socket_peercred;
use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fs, io, thread};
use store::{FolderError, StoreError, files};

/// The most concurrent operations. A caller beyond them has to try again: each may take a thread and a component's
/// bytes.
const AT_ONCE: usize = 256;

/// The time in which a caller must send its request, and again the time to read the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A control socket that is listened on. Dropping it ends that.
#[derive(Debug)]
pub struct Control {
    folder: File,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    /// Listens on the data folder's control socket, until the returned value is dropped.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn listen(&self) -> Result<Control, Error> {
        let data = self.0.journals.folder.path();
        let failed = |error| StoreError::from(FolderError::Unusable { path: data.join(NAME), error });
        Ok(Control::open(self, data).map_err(failed)?)
    }
}

impl Control {
    /// Listens on the socket. The owner of the folder may take the name: an existing socket is left from an owner that
    /// has ended.
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
        // A connection wakes the other side. If the connection fails, the other side has ended.
        let knocked = UnixStream::connect(short_path(&self.folder));
        if let (Ok(_), Some(thread)) = (knocked, self.thread.take()) {
            let _ = thread.join();
        }
        let _ = fs::remove_file(short_path(&self.folder));
    }
}

/// Accepts operations until it is closed, and ends when all of them are answered.
fn serve(host: &Host, listener: &UnixListener, closing: &AtomicBool) {
    let connections = Connections::new(AT_ONCE);
    thread::scope(|scope| {
        for stream in listener.incoming() {
            if closing.load(Ordering::Acquire) {
                connections.hang_up();
                return;
            }
            let Ok(stream) = stream else {
                // Out of descriptors, most likely: wait until some are closed.
                thread::sleep(Duration::from_millis(10));
                continue;
            };
            // Without a slot, or a thread, the connection is closed, and the caller sees that.
            let Some(connection) = connections.enter(stream) else { continue };
            drop(thread::Builder::new().name("pp-host-operate".to_owned()).spawn_scoped(scope, move || {
                // The caller has gone, or speaks another protocol: it cannot be sent the error.
                let _ = answer(host, &connection);
            }));
        }
    });
}

fn answer(host: &Host, connection: &Connection) -> io::Result<()> {
    let peer = socket_peercred(connection.stream())?.uid;
    if !is_trusted(peer) {
        return Ok(());
    }
    let mut stream = Deadline::new(connection.stream(), TIMEOUT);
    frame::greet(&mut stream)?;
    if frame::greeting(&mut stream)? != VERSION {
        return Ok(());
    }
    let text = frame::read(&mut stream, frame::TEXT_BYTES_MAX)?;
    let largest =
        u32::try_from(host.0.journals.settings.largest().sandbox.component_bytes).unwrap_or(u32::MAX);
    let component = frame::read(&mut stream, largest)?;
    connection.begin_answer()?;
    let principal = Principal::Operator(Account::of(peer.as_raw()));
    let reply = match serde_json::from_slice::<Operation>(&text) {
        Ok(operation) => match host.operate_as(&principal, operation.with_component(component)) {
            Ok(answer) => Reply::Answered(answer),
            Err(error) => Reply::Refused(error.to_string()),
        },
        Err(error) => Reply::Refused(format!("this is no operation: {error}")),
    };
    connection.begin_write();
    frame::write(&mut Deadline::new(connection.stream(), TIMEOUT), &serde_json::to_vec(&reply)?)
}
