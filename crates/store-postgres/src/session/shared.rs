//! The shared state of one store's sessions: the server, this host, its claim, the server's clock.

use crate::error::{DatabaseError, PostgresError};
use crate::session::clock::{ServerClock, boot_time};
use crate::session::connection::Connection;
use crate::session::location::Location;
use crate::session::server::{Server, ServerCheck};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{HostId, StoreError};

/// The required replication of commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommitDemand {
    /// No requirement beyond the server's settings.
    #[default]
    Any,
    /// On the disk of a second machine before a commit is acknowledged.
    Synchronous,
}

/// A host, and where it runs.
#[derive(Debug, Clone)]
pub(crate) struct HostPlace {
    pub(crate) host: HostId,
    pub(crate) place: String,
}

/// The state that every session uses.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) place: Location,
    pub(crate) clock: ServerClock,
    /// The place up to which readers of all facts miss none.
    pub(crate) horizon: AtomicI64,
    demand: CommitDemand,
    server: Mutex<Server>,
    /// Why the database is no longer used.
    given_up: Mutex<Option<PostgresError>>,
    notice: Mutex<Option<String>>,
    promotions: AtomicU64,
    /// The store is being closed: a server that is away is not waited for.
    is_closing: AtomicBool,
    host: Mutex<Option<HostPlace>>,
    claim: Mutex<String>,
}

impl Shared {
    /// Queries the server for the first time.
    pub(crate) async fn start(
        place: Location,
        demand: CommitDemand,
        db: &Connection,
    ) -> Result<Self, DatabaseError> {
        let (asked, server, answered) = (boot_time(), Server::of(db).await?, boot_time());
        let claim = new_claim(db).await?;
        let shared = Self {
            place,
            clock: ServerClock::default(),
            horizon: AtomicI64::new(0),
            demand,
            server: Mutex::new(server.clone()),
            given_up: Mutex::default(),
            notice: Mutex::default(),
            promotions: AtomicU64::new(0),
            is_closing: AtomicBool::new(false),
            host: Mutex::default(),
            claim: Mutex::new(claim),
        };
        shared.clock.set(server.now, asked, answered);
        shared.check_demand(&server)?;
        Ok(shared)
    }

    /// Opens a session, and retries for that long. If a standby was promoted in between, this host's claims are
    /// void and are made again.
    pub(crate) async fn connect(&self, timeout: Duration) -> Result<Connection, DatabaseError> {
        self.check()?;
        let timeout = if self.is_closing() { Duration::ZERO } else { timeout };
        let db = self.place.connect_within(timeout).await?;
        let claim = new_claim(&db).await?;
        if self.look(&db).await? == ServerCheck::Promoted {
            *locked(&self.claim) = claim;
            self.promotions.fetch_add(1, Ordering::AcqRel);
            let words = "a standby of the database was promoted; its commits were synchronous, and nothing is lost: all claims are made anew";
            *locked(&self.notice) = Some(words.to_owned());
        }
        Ok(db)
    }

    /// Queries the server: its identity, its clock, and whether its commits are synchronous.
    pub(crate) async fn look(&self, db: &Connection) -> Result<ServerCheck, DatabaseError> {
        let (asked, now, answered) = (boot_time(), Server::of(db).await?, boot_time());
        let seen = locked(&self.server).compare(&now);
        let seen = seen.map_err(|error| self.give_up(error))?;
        self.clock.set(now.now, asked, answered);
        self.check_demand(&now)?;
        Ok(seen)
    }

    fn check_demand(&self, server: &Server) -> Result<(), PostgresError> {
        self.check_commit(server.is_synchronous)
    }

    /// Whether commits are required to be synchronous.
    pub(crate) fn demands_synchronous(&self) -> bool {
        self.demand == CommitDemand::Synchronous
    }

    /// Refuses a commit that is not as required.
    pub(crate) fn check_commit(&self, is_synchronous: bool) -> Result<(), PostgresError> {
        match self.demand {
            CommitDemand::Synchronous if !is_synchronous => {
                Err(PostgresError::NotSynchronous { place: self.place.to_string() })
            }
            CommitDemand::Synchronous | CommitDemand::Any => Ok(()),
        }
    }

    /// Fails if the database is no longer used.
    pub(crate) fn check(&self) -> Result<(), PostgresError> {
        locked(&self.given_up).clone().map_or(Ok(()), Err)
    }

    /// Acknowledged commits are missing: stops using the database.
    pub(crate) fn has_lost(&self, commits: i64) -> PostgresError {
        let error = locked(&self.server).has_lost(commits);
        self.give_up(error)
    }

    fn give_up(&self, error: PostgresError) -> PostgresError {
        locked(&self.given_up).get_or_insert(error).clone()
    }

    /// The number of observed promotions of a standby.
    pub(crate) fn promotions(&self) -> u64 {
        self.promotions.load(Ordering::Acquire)
    }

    /// From now on, nothing waits for a server that is away.
    pub(crate) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    /// The next notice for the operator, once.
    pub(crate) fn take_notice(&self) -> Option<String> {
        locked(&self.notice).take()
    }

    /// The value with which this process claims shards.
    pub(crate) fn claim(&self) -> String {
        locked(&self.claim).clone()
    }

    pub(crate) fn set_host(&self, host: HostPlace) {
        *locked(&self.host) = Some(host);
    }

    /// This host, once it is registered.
    pub(crate) fn host(&self) -> Result<HostPlace, StoreError> {
        let words = "a host is to be registered before it claims instances";
        locked(&self.host).clone().ok_or_else(|| PostgresError::Server(words.to_owned()).into())
    }
}

async fn new_claim(db: &Connection) -> Result<String, DatabaseError> {
    let row = db.one("SELECT gen_random_uuid()::text", Vec::new()).await?;
    Ok(row.ok_or(StoreError::Stopped)?.get(0))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
