//! The authority's own process: it alone has the issuer's private keys, and judges for itself, without relying on a
//! host's claims.

use crate::StoreLocation;
use crate::ids;
use crate::issuer::records::{Records, parse_envelope};
use crate::issuer::wire::{IssuerReply, IssuerRequest, SignedDecision};
use crate::issuer::{
    AdmittedEnvelope, DecisionBasis, IssueError, IssueOrder, Issued, Issuer as _, JudgingContext, Keyring,
    KeyringError, LocalIssuer, Request, Reviewable, tally, wire,
};
use crate::trust::{
    Act, ActError, BY_INVITATION, InvitationCode, Judge, Precedent, Precedents, RecordedTrustAct, Trust,
};
use crate::unix_connections::{Connection, Connections, Deadline};
use policy::Policy;
use receipt::{KeySet, RegistrationResponse, Salt, Scope, Timestamp};
use std::io::BufReader;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use std::{fs, io};
use store::{DataFolder, RecordedAct, Store, StoreError};
use workflow::ReceiptId;

/// The time in which a host must send its request, and again the time to read the answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The name under which the authority records its own judgements.
const AUTHORITY: &str = "authority";

/// The most hosts that are answered at the same time. Each takes a thread.
const AT_ONCE: usize = 64;

/// The pause if there is no connection to accept.
const PAUSE: Duration = Duration::from_millis(20);

/// An authority in a data folder of its own: keys, deciders, and a copy of everything that it admitted and signed. No workflow runs there.
pub struct IssuerServer {
    data: PathBuf,
    issuer: LocalIssuer,
    /// The public keys, as they were last read: operators rotate and revoke keys in the folder while this runs.
    keys: RwLock<Arc<KeySet>>,
    policy: Box<dyn Policy>,
    clock: Box<dyn crate::Clock>,
    records: Mutex<Records>,
}

/// Why an authority does not serve.
#[derive(Debug, thiserror::Error)]
pub enum IssuerServerError {
    /// The folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The system gives no random numbers.
    #[error(transparent)]
    Entropy(#[from] crate::NoEntropy),
    /// The socket, or the file of signed decisions.
    #[error("cannot use {}: {error}", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

impl IssuerServer {
    /// Opens the folder, or creates a new one.
    ///
    /// # Errors
    /// The folder cannot be used, or a part of it is missing.
    pub fn open(
        data: &Path,
        policy: Box<dyn Policy>,
        clock: Box<dyn crate::Clock>,
    ) -> Result<Self, IssuerServerError> {
        let keyring = {
            // Locked only while missing parts are made: operators record acts while this process runs.
            let folder = DataFolder::own(data)?;
            drop(StoreLocation::Folder.open(&folder)?);
            folder.check_keys()?;
            let seeds = [crate::random_bytes()?, crate::random_bytes()?];
            let keyring = Keyring::open(&folder.keys(), &seeds, clock.now())?;
            folder.finish()?;
            keyring
        };
        let records = Records::open(data).map_err(|(path, error)| IssuerServerError::File { path, error })?;
        Ok(Self {
            data: data.to_owned(),
            keys: RwLock::new(Arc::new(keyring.keys.clone())),
            issuer: LocalIssuer::with(keyring),
            policy,
            clock,
            records: Mutex::new(records),
        })
    }

    /// Listens, and answers hosts of these accounts until the process ends.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn serve(&self, socket: &Path, accounts: &[u32]) -> Result<(), IssuerServerError> {
        let failed = |error| IssuerServerError::File { path: socket.to_owned(), error };
        let listener = listen(socket, accounts).map_err(failed)?;
        self.serve_on(&listener, accounts, &AtomicBool::new(false));
        Ok(())
    }

    /// Answers hosts of these accounts until a connection comes after `closing` was set, and all of them are answered.
    pub fn serve_on(&self, listener: &UnixListener, accounts: &[u32], closing: &AtomicBool) {
        let connections = Connections::new(AT_ONCE);
        std::thread::scope(|scope| {
            for stream in listener.incoming() {
                if closing.load(Ordering::Acquire) {
                    connections.hang_up();
                    return;
                }
                let Ok(stream) = stream else {
                    // Out of file descriptors: callers that finish free some.
                    std::thread::sleep(PAUSE);
                    continue;
                };
                // Without a slot, or a thread, the connection is closed, and the host asks again.
                if is_allowed(&stream, accounts)
                    && let Some(connection) = connections.enter(stream)
                {
                    drop(std::thread::Builder::new().spawn_scoped(scope, move || self.attend(&connection)));
                }
            }
        });
    }

    /// A host that hangs up gets no answer. An unknown message gets an error.
    fn attend(&self, connection: &Connection) {
        let asked = wire::read_line(&mut BufReader::new(Deadline::new(connection.stream(), TIMEOUT)));
        if connection.begin_answer().is_err() {
            return;
        }
        let answer = match asked {
            Ok(Some(ask)) => self.answer(ask).unwrap_or_else(|error| refusal(error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => refusal(format!(
                "that is not a question ({error}): use the same version of pp-host on both sides"
            )),
            Ok(None) | Err(_) => return,
        };
        connection.begin_write();
        let _ = wire::write_line(&mut Deadline::new(connection.stream(), TIMEOUT), &answer);
    }

    fn answer(&self, ask: IssuerRequest) -> Result<IssuerReply, IssueError> {
        let keys = self.keys()?;
        match ask {
            IssuerRequest::Keys => Ok(IssuerReply::Keys { keys: keys.to_json() }),
            IssuerRequest::Acts { after } => self.acts(after),
            IssuerRequest::Admit { mut request, envelope, precedents } => {
                request.known = self.known(&request, precedents)?;
                self.admit(&request, envelope)
            }
            IssuerRequest::Issue { mut request, envelopes, precedents } => {
                request.known = self.known(&request, precedents)?;
                self.issue(&request, envelopes)
            }
            IssuerRequest::Revoke { receipt, by, reason } => self.revoke(&receipt, &by, reason.as_deref()),
            IssuerRequest::Attest { receipt, effect } => {
                let mut records = self.records();
                records.approved(&receipt)?;
                let at = self.now(&records, None);
                let (key_id, document) = self.issuer.attest(&receipt, Scope::Production, &effect, at)?;
                Ok(IssuerReply::Attested { key_id, document })
            }
            IssuerRequest::Review { mut request, envelope, precedents } => {
                request.known = self.known(&request, precedents)?;
                self.review(&Reviewable::request(&request)?, &envelope)
            }
            IssuerRequest::ReviewDeleted { request, envelope } => {
                let signed = self.records().signed_about(&request)?;
                let signed = signed.ok_or_else(|| {
                    IssueError::Refused(format!("no receipt about request {request} was signed here"))
                })?;
                self.review(&Reviewable::receipt(&request, &signed.receipt, &keys)?, &envelope)
            }
            IssuerRequest::Register { code, public_key, authenticator_data, client_data_json } => {
                let response = RegistrationResponse { public_key, authenticator_data, client_data_json };
                self.register(&code, &response)
            }
        }
    }

    /// The acts after that one, with the digest of those before, which a host compares with its copy.
    fn acts(&self, after: u64) -> Result<IssuerReply, IssueError> {
        let all = self.look(|store| store.acts(0).wait())?;
        let (known, new) = all.split_at(all.partition_point(|act| act.seq <= after));
        let mut trust = Trust::default();
        trust.extend(known).map_err(refused)?;
        let recorded = |act: &RecordedAct| wire::ActRow { seq: act.seq, at: act.at, body: act.body.clone() };
        Ok(IssuerReply::Acts { before: trust.digest(), acts: new.iter().map(recorded).collect() })
    }

    /// Keeps a statement that does not complete a quorum. The signer's key may have expired by the time the last
    /// required statement arrives.
    fn admit(&self, request: &Request, envelope: String) -> Result<IssuerReply, IssueError> {
        let mut records = self.records();
        if records.signed_about(&request.id)?.is_none() {
            let trust = self.trust()?;
            let at = self.now(&records, Some(&trust));
            let context = JudgingContext { trust: &trust, policy: &*self.policy };
            if let (_, Some(refused)) = records.admit_new(request, &[envelope], context, at)? {
                return Err(refused);
            }
        }
        Ok(IssuerReply::Done)
    }

    /// A request is decided once: a host that asks again gets the same receipt.
    fn issue(&self, request: &Request, envelopes: Option<Vec<String>>) -> Result<IssuerReply, IssueError> {
        let mut records = self.records();
        if let Some(before) = records.signed_about(&request.id)? {
            // A name is no proof: the digest covers tenant, instance and all that is asked.
            let same = request.input_hash().is_ok_and(|hash| hash == before.receipt.input_hash);
            return match same {
                true => Ok(IssuerReply::Issued(Box::new(before))),
                false => Err(IssueError::Refused(format!("another request is named {}", request.id))),
            };
        }
        let trust = self.trust()?;
        let at = self.now(&records, Some(&trust));
        let context = JudgingContext { trust: &trust, policy: &*self.policy };
        let issued = match envelopes {
            None => self.sign(request, DecisionBasis::Policy, context, at)?,
            Some(envelopes) => {
                let (admitted, refused) = records.admit_new(request, &envelopes, context, at)?;
                let counted = self.decided(request, &admitted, context, at);
                // A statement that was not admitted is the reason why the others are not enough.
                counted.map_err(|error| match (error, refused) {
                    (IssueError::Undecided(_), Some(refused)) => refused,
                    (error, _) => error,
                })?
            }
        };
        let decision = SignedDecision {
            decider: issued.decider,
            reason: issued.reason,
            key_id: issued.key_id,
            expires_at: issued.expires_at,
            receipt: issued.receipt,
        };
        records.keep(&decision)?;
        Ok(IssuerReply::Issued(Box::new(decision)))
    }

    /// Records a second person's review.
    fn review(&self, reviewed: &Reviewable, envelope: &str) -> Result<IssuerReply, IssueError> {
        let envelope = parse_envelope(envelope)?;
        let trust = self.trust()?;
        let at = self.now(&self.records(), Some(&trust));
        let context = JudgingContext { trust: &trust, policy: &*self.policy };
        self.record(AUTHORITY, super::review(reviewed, &envelope, context, at)?, at)?;
        Ok(IssuerReply::Done)
    }

    /// Records a passkey that a person registers with an invitation. The key counts when an operator of this authority has confirmed it.
    fn register(&self, code: &str, response: &RegistrationResponse) -> Result<IssuerReply, IssueError> {
        let said = |error: &dyn std::fmt::Display| IssueError::Refused(error.to_string());
        let code: InvitationCode = code.parse().map_err(|error| said(&error))?;
        let trust = self.trust()?;
        let at = self.now(&self.records(), Some(&trust));
        let open = trust.invitation(&code).filter(|invitation| invitation.is_open(at));
        let invitation = open.ok_or_else(|| said(&ActError::NoInvitation))?;
        let (_, act) = invitation.register(&code, response).map_err(|error| said(&error))?;
        self.record(BY_INVITATION, act, at)?;
        Ok(IssuerReply::Done)
    }

    /// Signs what people decided. A break-glass decision is recorded before anything is signed.
    fn decided(
        &self,
        request: &Request,
        admitted: &[AdmittedEnvelope],
        context: JudgingContext<'_>,
        at: Timestamp,
    ) -> Result<Issued, IssueError> {
        let (count, _) = tally(request, admitted, context, at)?;
        super::check_open(request, count.verdict, context.trust)?;
        if let Some(act) = super::break_glass_used(request, &count, context.trust) {
            self.record(AUTHORITY, act, at)?;
        }
        self.sign(request, DecisionBasis::People(admitted), context, at)
    }

    /// The receipt's name and salt are the authority's own: a host that chose them could have prepared for them.
    fn sign(
        &self,
        request: &Request,
        basis: DecisionBasis<'_>,
        context: JudgingContext<'_>,
        at: Timestamp,
    ) -> Result<Issued, IssueError> {
        let (id, salt) = fresh("rcpt_", at)?;
        self.issuer.issue(&IssueOrder { request, basis, id, salt, at }, context)
    }

    /// Revokes a receipt that was signed here, and no other.
    fn revoke(&self, receipt: &ReceiptId, by: &str, reason: Option<&str>) -> Result<IssuerReply, IssueError> {
        let mut records = self.records();
        let revoked = records.approved(receipt)?;
        let at = self.now(&records, None);
        let (id, salt) = fresh("rcpt_rev_", at)?;
        let revocation = self.issuer.revoke(&revoked, (by, reason), id, salt, at)?;
        Ok(IssuerReply::Revoked { receipt: Box::new(revocation) })
    }

    /// The wall clock's time, but never before the last record here. Setting a clock back revives no key.
    fn now(&self, records: &Records, trust: Option<&Trust>) -> Timestamp {
        let recorded = [records.latest(), trust.and_then(Trust::latest)];
        recorded.into_iter().flatten().fold(self.clock.now(), Timestamp::max)
    }

    /// The folder's present public keys. Changes are loaded before the next signature.
    fn keys(&self) -> Result<Arc<KeySet>, IssueError> {
        let folder = self.data.join("keys");
        let unread = |error: KeyringError| IssueError::Refused(error.to_string());
        let now = Keyring::public(&folder).map_err(unread)?;
        let known = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        if *known == now {
            return Ok(known);
        }
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let keyring = Keyring::read(&folder).map_err(unread)?;
        *keys = Arc::new(keyring.keys.clone());
        self.issuer.take_up(keyring);
        Ok(Arc::clone(&keys))
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The code and bytes of a request that are known: those for which the host sends receipts that count here. The
    /// host's claim alone makes nothing known.
    fn known(&self, request: &Request, precedents: Vec<Precedent>) -> Result<Precedents, IssueError> {
        let trust = self.trust()?;
        let at = self.now(&self.records(), Some(&trust));
        let keys = self.keys()?;
        let judge = Judge { keys: &keys, trust: &trust, policy: &*self.policy, at };
        // A host shows one for the code and one for the bytes.
        Ok(judge.known_by(&request.tenant, precedents.into_iter().take(2).collect()))
    }

    fn trust(&self) -> Result<Trust, IssueError> {
        let mut trust = Trust::default();
        trust.extend(&self.look(|store| store.acts(0).wait())?).map_err(refused)?;
        Ok(trust)
    }

    fn look<T>(&self, look: impl FnOnce(&dyn Store) -> Result<T, StoreError>) -> Result<T, IssueError> {
        let folder = DataFolder::read(&self.data).map_err(refused)?;
        look(&*StoreLocation::Folder.open(&folder).map_err(refused)?).map_err(refused)
    }

    /// An operator's command may hold the folder's lock for a moment while it records an act.
    fn record(&self, by: &str, act: Act, at: Timestamp) -> Result<(), IssueError> {
        let folder = DataFolder::own_existing(&self.data).map_err(refused)?;
        let store = StoreLocation::Folder.open(&folder).map_err(refused)?;
        let mut trust = Trust::default();
        trust.extend(&store.acts(0).wait().map_err(refused)?).map_err(refused)?;
        trust.apply(at, &act).map_err(|error| IssueError::Refused(error.to_string()))?;
        let said = RecordedTrustAct { by: by.to_owned(), act };
        let body = serde_json::to_string(&said).map_err(|error| IssueError::Refused(error.to_string()))?;
        store.act(trust.seq(), at, body).map_err(refused)
    }
}

/// The account that this process runs under.
#[must_use]
pub fn own_account() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A socket that its owner can reach, or every account if other accounts are named; the server then checks the
/// caller's account. A socket without a listener is replaced.
fn listen(socket: &Path, accounts: &[u32]) -> io::Result<UnixListener> {
    let is_socket = fs::symlink_metadata(socket).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && UnixStream::connect(socket).is_err() {
        fs::remove_file(socket)?;
    }
    let mode = if accounts == [own_account()] { 0o600 } else { 0o666 };
    let listener = UnixListener::bind(socket)?;
    fs::set_permissions(socket, fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Whether the process at the other end belongs to one of these accounts, according to the system.
fn is_allowed(stream: &UnixStream, accounts: &[u32]) -> bool {
    rustix::net::sockopt::socket_peercred(stream).is_ok_and(|peer| accounts.contains(&peer.uid.as_raw()))
}

/// A name and a salt that this process has drawn itself.
fn fresh(prefix: &str, at: Timestamp) -> Result<(ReceiptId, Salt), IssueError> {
    let failed = |error: ids::IdError| IssueError::Refused(error.to_string());
    let salt = ids::random_bytes().map_err(|error| failed(error.into()))?;
    Ok((ids::id(prefix, at).map_err(failed)?, Salt::from_bytes(salt)))
}

fn refusal(message: String) -> IssuerReply {
    IssuerReply::Refused { message }
}

fn refused(error: StoreError) -> IssueError {
    IssueError::Refused(error.to_string())
}
