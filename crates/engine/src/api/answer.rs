//! Answering a query: for a principal that has the right to it, from a host or from a folder that is opened only for
//! reading.

use crate::access::Principal;
use crate::api::guard::check;
use crate::api::query::Query;
use crate::api::read_only::ReadOnlyHost;
use crate::api::view::{Reader, View};
use crate::{Error, Host};

impl Host {
    /// Looks something up for a principal.
    ///
    /// # Errors
    /// The principal has no right to see the answer, the object does not exist, or the state cannot be read.
    pub fn view(&self, principal: &Principal, query: Query) -> Result<View, Error> {
        let (trust, at) = self.0.trust_now()?;
        let journals = &self.0.journals;
        let gate = self.0.gate();
        let judge = self.0.judge(&gate, &trust, at);
        answer(&Reader::new(&*journals.store, &journals.settings, judge), principal, query)
    }
}

impl ReadOnlyHost {
    /// Looks something up for a principal.
    ///
    /// # Errors
    /// The principal has no right to see the answer, the object does not exist, or the state cannot be read.
    pub fn view(&self, principal: &Principal, query: Query) -> Result<View, Error> {
        answer(&self.reader()?, principal, query)
    }
}

fn answer(reader: &Reader<'_>, principal: &Principal, query: Query) -> Result<View, Error> {
    let (right, about) = query.needs();
    check(reader.store, principal, right, about)?;
    reader.view(principal, query)
}
