//! Every bound by its name: what it bounds, the reason for its default, each tenant's value, and the origin of the
//! value.
//!
//! ```text
//!   ALL: name ─► what, reason, default, how to read and set it      the one table; help, files, errors and listings use it
//!   Settings: defaults < [limits] of pp-host.toml < [tenants.NAME.limits] < --limit ─► Limits of a tenant
//! ```

mod file;
mod http;
mod notify;
mod settings;
mod table;
mod value;

pub use file::{SettingsError, SettingsErrorKind};
pub use http::{HttpLimits, http_names};
pub use notify::{NotifyLimits, NotifySettings, WebhookSettings, notify_names};
pub use settings::{Origin, Resolved, Settings};
pub(crate) use table::SHORTEST_RETENTION;
pub use table::{ALL, Limit, Reach, UnknownLimit, find, nearest};
pub use value::{InvalidValue, Unit};

use sandbox::SandboxLimits;
use store::Quotas;

/// All bounds of one tenant: on its workflows' calls, on a drive, and on what is kept. HTTP and notices have one
/// set for all tenants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// The bounds on one instance's calls and records.
    pub workflow: workflow::Limits,
    /// The bounds on one drive.
    pub sandbox: SandboxLimits,
    /// The bounds on all instances together.
    pub quotas: Quotas,
    /// The bounds on HTTP callers.
    pub http: HttpLimits,
    /// The bounds on sending notices.
    pub notify: NotifyLimits,
}
