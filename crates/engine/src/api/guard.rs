//! Looks up the owner of the object that an operation or a query names, and asks the table of rights.

use crate::Error;
use crate::access::{About, AccessError, Bound, Principal, Right};
use store::Store;

/// Checks that a principal has the right to an operation or a query.
///
/// # Errors
/// [`Error::Access`] when it has not. A caller without the right is refused before any look-up, and a caller with the
/// right does not learn whether another tenant has an object of that name.
pub(super) fn check(
    store: &dyn Store,
    principal: &Principal,
    right: Right,
    about: About<'_>,
) -> Result<(), Error> {
    if right.is_open_to(principal, about)? == Bound::ToNone {
        return Ok(());
    }
    let tenant = match about {
        About::Own => return Ok(()),
        About::Host => None,
        About::Tenant(tenant) => Some(tenant.clone()),
        About::Request(id) | About::Statement(id, _) => {
            match store.request(id).wait()? {
                Some(found) => Some(found.key.tenant),
                // A request that was deleted with its instance can be reviewed still.
                None => store.receipt_of(id).wait()?.and_then(|receipt| receipt.company_id.parse().ok()),
            }
        }
        About::Receipt(id) => match store.receipt(id).wait()? {
            Some(found) => found.receipt.company_id.parse().ok(),
            None => store.revocation(id).wait()?.and_then(|revocation| revocation.company_id.parse().ok()),
        },
    };
    match tenant {
        Some(tenant) if principal.covers(&tenant) => Ok(()),
        _ => Err(AccessError::NotFound.into()),
    }
}
