//! Every bound by its name: what it bounds, why it has its value, who has which, and where that was said.
//!
//! ```text
//!   ALL: name ─► what, reason, default, how to read and set it      the one table; help, files, errors and listings use it
//!   Settings: defaults < [limits] of pp-host.toml < [tenants.NAME.limits] < --limit ─► Limits of a tenant
//! ```

mod file;
mod http;
mod settings;
mod table;
mod value;

pub use file::{Problem, SettingsError};
pub use http::{HttpLimits, http_names};
pub use settings::{Origin, Resolved, Settings};
pub(crate) use table::SHORTEST_RETENTION;
pub use table::{ALL, Limit, Reach, UnknownLimit, find, nearest};
pub use value::{InvalidValue, Unit};

use sandbox::SandboxLimits;
use store::Quotas;

/// All bounds of one tenant: what its workflows may ask for, what a drive may use, what may be kept. HTTP has one set for all tenants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// What one instance asks for and records.
    pub workflow: workflow::Limits,
    /// What one drive uses.
    pub sandbox: SandboxLimits,
    /// What all instances together keep.
    pub quotas: Quotas,
    /// What HTTP callers use.
    pub http: HttpLimits,
}
