//! A data folder that is looked into, whoever owns it: what waits for a decision, and how it stands by what was said and signed until now.

use crate::approvals::requests;
use crate::issuer::{JudgingContext, Request};
use crate::trust::Trust;
use crate::{Clock as _, Error, SystemClock, Waiting};
use policy::Policy;
use receipt::Timestamp;
use std::path::Path;
use store::Store;
use store_sqlite::{DataFolder, Sqlite};
use workflow::RequestId;

/// A data folder, to look into.
pub struct ReadOnlyHost {
    store: Sqlite,
    trust: Trust,
    policy: Box<dyn Policy>,
}

impl ReadOnlyHost {
    /// Opens a folder under the policy that governs it; none where nobody wrote one.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(data: &Path, policy: Option<Box<dyn Policy>>) -> Result<Self, Error> {
        let store = Sqlite::open(&DataFolder::read(data)?)?;
        let mut trust = Trust::default();
        trust.extend(&store.acts(0)?)?;
        Ok(Self { store, trust, policy: policy.unwrap_or_else(|| Box::new(policy::ask_one())) })
    }

    /// The durable state.
    #[must_use]
    pub fn store(&self) -> &Sqlite {
        &self.store
    }

    /// The policy that governs.
    #[must_use]
    pub fn policy(&self) -> &dyn Policy {
        &*self.policy
    }

    /// A request, as an approver sees it.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn request(&self, id: &RequestId) -> Result<Request, Error> {
        requests::request(&self.store, id).map(|(_, request)| request)
    }

    /// The requests that wait for a decision, oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn waiting(&self) -> Result<Vec<Waiting>, Error> {
        requests::waiting(&self.store, self.grounds(), self.now()?)
    }

    /// How a request stands.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn standing(&self, id: &RequestId) -> Result<Waiting, Error> {
        let (key, request) = requests::request(&self.store, id)?;
        let count = requests::count(&self.store, self.grounds(), &key, &request, self.now()?)?;
        Ok(Waiting { key, request, count })
    }

    fn grounds(&self) -> JudgingContext<'_> {
        JudgingContext { trust: &self.trust, policy: &*self.policy }
    }

    fn now(&self) -> Result<Timestamp, Error> {
        let wall = SystemClock.now();
        Ok(self.store.latest()?.map_or(wall, |latest| latest.max(wall)))
    }
}
