//! The authority's own process: it alone has the issuer's private keys, and judges for itself whatever a host says.

use crate::issuer::ledger::IssuedLog;
use crate::issuer::wire::{IssuerReply, IssuerRequest, SignedDecision};
use crate::issuer::{
    DecisionBasis, IssueError, IssueOrder, Issuer as _, JudgingContext, Keyring, KeyringError, LocalIssuer,
    Request, tally, wire,
};
use crate::trust::{Act, RecordedTrustAct, Trust};
use policy::Policy;
use receipt::{Envelope, Salt, Scope, Timestamp};
use std::io::BufReader;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{fs, io};
use store::{Store as _, StoreError};
use store_sqlite::{DataFolder, Sqlite};
use workflow::ReceiptId;

/// How long a host may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(30);

/// Hosts that are answered at once. Each takes a thread.
const AT_ONCE: usize = 64;

/// How long to wait where there is nothing to give.
const PAUSE: Duration = Duration::from_millis(20);

/// An authority in a data folder of its own: keys, deciders, and a copy of everything that it signed. No workflow runs there.
pub struct IssuerServer {
    data: PathBuf,
    authority: LocalIssuer,
    keys: String,
    policy: Box<dyn Policy>,
    clock: Box<dyn crate::Clock>,
    signed: Mutex<IssuedLog>,
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
    /// No random numbers.
    #[error(transparent)]
    Entropy(#[from] crate::NoEntropy),
    /// The socket, or the copy of what was signed.
    #[error("cannot use {}: {error}", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl IssuerServer {
    /// Opens the folder, and makes what is missing in it.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn open(
        data: &Path,
        policy: Box<dyn Policy>,
        clock: Box<dyn crate::Clock>,
    ) -> Result<Self, IssuerServerError> {
        let keyring = {
            // Held while things are made, and free afterwards: operators say who may decide while this runs.
            let folder = DataFolder::own(data)?;
            drop(Sqlite::open(&folder)?);
            let seeds = [crate::random_bytes()?, crate::random_bytes()?];
            Keyring::open(&folder.keys(), &seeds, clock.now())?
        };
        let path = data.join("signed.jsonl");
        let signed = IssuedLog::open(&path).map_err(|error| IssuerServerError::File { path, error })?;
        Ok(Self {
            data: data.to_owned(),
            keys: keyring.keys.to_json(),
            authority: LocalIssuer::new(Box::new(keyring.demo), Box::new(keyring.production)),
            policy,
            clock,
            signed: Mutex::new(signed),
        })
    }

    /// Listens, and answers hosts of these accounts until the process ends.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn serve(&self, socket: &Path, accounts: &[u32]) -> Result<(), IssuerServerError> {
        let failed = |error| IssuerServerError::File { path: socket.to_owned(), error };
        let listener = listen(socket, accounts).map_err(failed)?;
        let busy = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for stream in listener.incoming() {
                let (Ok(stream), true) = (stream, busy.load(Ordering::Acquire) < AT_ONCE) else {
                    // Nothing to give: neither a file nor a thread. What is not taken hangs up, and comes again.
                    std::thread::sleep(PAUSE);
                    continue;
                };
                if is_allowed(&stream, accounts) {
                    let busy = &busy;
                    busy.fetch_add(1, Ordering::AcqRel);
                    let attend = move || {
                        self.attend(&stream);
                        busy.fetch_sub(1, Ordering::AcqRel);
                    };
                    if std::thread::Builder::new().spawn_scoped(scope, attend).is_err() {
                        busy.fetch_sub(1, Ordering::AcqRel);
                    }
                }
            }
        });
        Ok(())
    }

    /// Whoever hangs up, or says what nobody understands, hears no more.
    fn attend(&self, stream: &UnixStream) {
        let timeouts = stream.set_read_timeout(Some(PATIENCE)).and(stream.set_write_timeout(Some(PATIENCE)));
        if let (Ok(()), Ok(Some(ask))) = (timeouts, wire::hear(&mut BufReader::new(stream))) {
            let answer = self.answer(ask);
            let answer = answer.unwrap_or_else(|error| IssuerReply::Refused { message: error.to_string() });
            let _ = wire::say(&mut &*stream, &answer);
        }
    }

    fn answer(&self, ask: IssuerRequest) -> Result<IssuerReply, IssueError> {
        match ask {
            IssuerRequest::Keys => Ok(IssuerReply::Keys { keys: self.keys.clone() }),
            IssuerRequest::Acts { after } => {
                let acts = self.look(|store| store.acts(after))?;
                let recorded =
                    |act: store::RecordedAct| wire::Recorded { seq: act.seq, at: act.at, body: act.body };
                Ok(IssuerReply::Acts { acts: acts.into_iter().map(recorded).collect() })
            }
            IssuerRequest::Issue { request, envelopes, id, salt } => {
                self.issue(&request, envelopes, id, &salt)
            }
            IssuerRequest::Revoke { receipt, by, reason, id, salt } => {
                let (why, salt) = ((by.as_str(), reason.as_deref()), parse_salt(&salt)?);
                let receipt = self.authority.revoke(&receipt, why, id, salt, self.clock.now())?;
                Ok(IssuerReply::Revoked { receipt: Box::new(receipt) })
            }
            IssuerRequest::Attest { receipt, effect } => {
                let at = self.clock.now();
                let (key_id, document) = self.authority.attest(&receipt, Scope::Production, &effect, at)?;
                Ok(IssuerReply::Attested { key_id, document })
            }
            IssuerRequest::Review { request, envelope } => {
                let envelope = parse_envelope(&envelope)?;
                let (trust, at) = (self.trust()?, self.clock.now());
                let act = super::review(&request, &envelope, &*self.policy, &trust, at)?;
                self.say(act)?;
                Ok(IssuerReply::Done)
            }
        }
    }

    /// A request is decided once: whoever asks again is given what was signed.
    fn issue(
        &self,
        request: &Request,
        envelopes: Option<Vec<String>>,
        id: ReceiptId,
        salt: &str,
    ) -> Result<IssuerReply, IssueError> {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        let unread = |error: io::Error| IssueError::Refused(format!("the copy of what was signed: {error}"));
        if let Some(before) = signed.find(&request.id).map_err(unread)? {
            // A name is no proof: the digest covers tenant, instance and all that is asked.
            let same = request.input_hash().is_ok_and(|hash| hash == before.receipt.input_hash);
            return match same {
                true => Ok(IssuerReply::Issued(Box::new(before))),
                false => Err(IssueError::Refused(format!("another request is named {}", request.id))),
            };
        }
        let (trust, at) = (self.trust()?, self.clock.now());
        let grounds = JudgingContext { trust: &trust, policy: &*self.policy };
        let envelopes: Option<Vec<_>> =
            envelopes.map(|texts| texts.iter().map(|text| parse_envelope(text)).collect()).transpose()?;
        if let Some(envelopes) = &envelopes {
            self.note_break_glass(request, envelopes, grounds, at)?;
        }
        let basis = envelopes.as_deref().map_or(DecisionBasis::Policy, DecisionBasis::People);
        let order = IssueOrder { request, basis, id, salt: parse_salt(salt)?, at };
        let issued = self.authority.issue(&order, grounds)?;
        let decision = SignedDecision {
            decider: issued.decider,
            reason: issued.reason,
            key_id: issued.key_id,
            expires_at: issued.expires_at,
            receipt: issued.receipt,
        };
        signed.keep(&decision).map_err(unread)?;
        Ok(IssuerReply::Issued(Box::new(decision)))
    }

    /// Somebody decides alone: said before anything is signed.
    fn note_break_glass(
        &self,
        request: &Request,
        envelopes: &[Envelope],
        grounds: JudgingContext<'_>,
        at: Timestamp,
    ) -> Result<(), IssueError> {
        let (count, decisions) = tally(request, envelopes, grounds, at)?;
        super::check_open(request, count.verdict, grounds.trust)?;
        match super::glass_broken(request, &count, &decisions, grounds.trust) {
            Some(act) => self.say(act),
            None => Ok(()),
        }
    }

    fn trust(&self) -> Result<Trust, IssueError> {
        let mut trust = Trust::default();
        trust.extend(&self.look(|store| store.acts(0))?).map_err(refused)?;
        Ok(trust)
    }

    fn look<T>(&self, look: impl FnOnce(&Sqlite) -> Result<T, StoreError>) -> Result<T, IssueError> {
        let folder = DataFolder::read(&self.data).map_err(refused)?;
        look(&Sqlite::open(&folder).map_err(refused)?).map_err(refused)
    }

    /// Operators may be saying something at the same moment; then they have the folder, for as long as that takes.
    fn say(&self, act: Act) -> Result<(), IssueError> {
        let folder = DataFolder::own(&self.data).map_err(refused)?;
        let store = Sqlite::open(&folder).map_err(refused)?;
        let mut trust = Trust::default();
        trust.extend(&store.acts(0).map_err(refused)?).map_err(refused)?;
        let at = self.clock.now();
        trust.apply(at, &act).map_err(|error| IssueError::Refused(error.to_string()))?;
        let said = RecordedTrustAct { by: "authority".to_owned(), act };
        let body = serde_json::to_string(&said).map_err(|error| IssueError::Refused(error.to_string()))?;
        store.act(trust.seq(), at, body).map_err(refused)
    }
}

/// The account that this process runs under.
#[must_use]
pub fn own_account() -> u32 {
    rustix::process::getuid().as_raw()
}

/// A socket whose reach is its owner's, or everybody's where other accounts are named: who is answered, the system says. One that nobody
/// listens on any more is replaced.
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

/// Whether the process at the other end is one of these accounts', as the system says.
fn is_allowed(stream: &UnixStream, accounts: &[u32]) -> bool {
    rustix::net::sockopt::socket_peercred(stream).is_ok_and(|peer| accounts.contains(&peer.uid.as_raw()))
}

fn parse_envelope(text: &str) -> Result<Envelope, IssueError> {
    Envelope::parse(text).map_err(|error| IssueError::Refused(error.to_string()))
}

fn parse_salt(text: &str) -> Result<Salt, IssueError> {
    Salt::from_base64(text).ok_or_else(|| IssueError::Refused("the salt is not one".to_owned()))
}

fn refused(error: StoreError) -> IssueError {
    IssueError::Refused(error.to_string())
}
