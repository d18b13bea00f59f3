//! A data folder opened for reading, while another process may own it: the waiting requests, and the state of decisions
//! about them.

use crate::api::view::Reader;
use crate::issuer::{Keyring, KeyringError, Request};
use crate::limits::Settings;
use crate::runtime::requests;
use crate::trust::{Judge, Recall, Trust};
use crate::{Clock as _, Error, StoreLocation, SystemClock, Waiting};
use policy::Policy;
use receipt::{KeySet, Scope, Timestamp};
use std::io::ErrorKind;
use std::path::Path;
use store::{InstanceKey, Store};
use workflow::RequestId;

/// A data folder, opened to read.
pub struct ReadOnlyHost {
    store: Box<dyn Store>,
    settings: Settings,
    trust: Trust,
    keys: KeySet,
    governed: bool,
    policy: Box<dyn Policy>,
}

impl ReadOnlyHost {
    /// Opens a folder under its policy; `None` if there is no policy file.
    ///
    /// # Errors
    /// The folder does not exist, or cannot be read.
    pub fn open(data: &Path, policy: Option<Box<dyn Policy>>) -> Result<Self, Error> {
        Self::open_at(data, &StoreLocation::Folder, policy)
    }

    /// Opens the state at `location`.
    ///
    /// # Errors
    /// The folder does not exist, or cannot be read.
    pub fn open_at(
        data: &Path,
        location: &StoreLocation,
        policy: Option<Box<dyn Policy>>,
    ) -> Result<Self, Error> {
        let folder = location.read_folder(data)?;
        let store = location.open(&folder)?;
        let keys = match Keyring::public(&folder.keys()) {
            // Without keys there are no receipts that could make code or bytes known.
            Err(KeyringError::File { error, .. }) if error.kind() == ErrorKind::NotFound => {
                KeySet::new("none")
            }
            keys => keys?,
        };
        let mut trust = Trust::default();
        trust.extend(&store.acts(0).wait()?)?;
        let settings = Settings::default();
        Ok(Self {
            store,
            settings,
            trust,
            keys,
            governed: policy.is_some(),
            policy: policy.unwrap_or_else(|| Box::new(policy::ask_one())),
        })
    }

    /// Every tenant's limits, as a settings file or a command line states them. Default: the defaults.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The deciders, according to the operators' acts when this was opened.
    #[must_use]
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The keys that verify receipts.
    #[must_use]
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// The durable state.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The scope of decisions here: demo, as long as there is neither a policy nor a decider.
    #[must_use]
    pub fn scope(&self) -> Scope {
        if self.governed || self.trust.is_earnest() { Scope::Production } else { Scope::Demo }
    }

    /// The policy that governs.
    #[must_use]
    pub fn policy(&self) -> &dyn Policy {
        &*self.policy
    }

    /// A request, as an approver sees it.
    ///
    /// # Errors
    /// There is no request with this id.
    pub fn request(&self, id: &RequestId) -> Result<Request, Error> {
        self.asked(id).map(|(_, request)| request)
    }

    /// The requests that wait for a decision, oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn waiting(&self) -> Result<Vec<Waiting>, Error> {
        requests::waiting(&*self.store, self.judge()?, |_| true)
    }

    /// The state of a waiting request.
    ///
    /// # Errors
    /// There is no request with this id.
    pub fn waiting_request(&self, id: &RequestId) -> Result<Waiting, Error> {
        let (key, request) = self.asked(id)?;
        requests::waiting_request(&*self.store, self.judge()?, key, request)
    }

    fn asked(&self, id: &RequestId) -> Result<(InstanceKey, Request), Error> {
        let (key, mut request) = requests::request(&*self.store, id)?;
        requests::recall(&mut Recall::new(&*self.store, self.judge()?), &mut request)?;
        Ok((key, request))
    }

    pub(super) fn reader(&self) -> Result<Reader<'_>, Error> {
        Ok(Reader::new(&*self.store, &self.settings, self.judge()?))
    }

    fn judge(&self) -> Result<Judge<'_>, Error> {
        Ok(Judge { keys: &self.keys, trust: &self.trust, policy: &*self.policy, at: self.now()? })
    }

    /// The present time, but not before the last act: judged by an earlier time, a removed decider would still count.
    fn now(&self) -> Result<Timestamp, Error> {
        let now = self.store.now(SystemClock.now()).wait()?;
        Ok(self.trust.latest().map_or(now, |latest| latest.max(now)))
    }
}
