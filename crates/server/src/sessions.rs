//! Sessions of people in a browser.

use crate::problem::Problem;
use crate::routes::Asked;
use engine::api::DeciderSession;

impl Asked {
    /// The person who is signed in.
    pub(crate) fn session(&self) -> Result<Option<DeciderSession>, Problem> {
        Ok(None)
    }
}
