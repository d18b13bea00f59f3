//! Every bound by its name: what it bounds, why it has its value, who has which, and where that was said.
//!
//! ```text
//!   ALL: name ─► what, reason, default, how to read and set it      the one table; help, files, errors and listings use it
//!   Settings: defaults < [limits] of pp-host.toml < [tenants.NAME.limits] < --limit ─► Limits of a tenant
//! ```

mod file;
mod settings;
mod table;
mod value;

pub use file::Problem;
pub use file::SettingsError;
pub use settings::Origin;
pub use settings::Resolved;
pub use settings::Settings;
pub use table::ALL;
pub use table::Limit;
pub use table::Reach;
pub use table::UnknownLimit;
pub use table::find;
pub use table::nearest;
pub use value::InvalidValue;
pub use value::Unit;

use crate::sandbox::SandboxLimits;
use crate::store::Quotas;

/// All bounds of one tenant: what its workflows may ask for, what a drive may use, what may be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// What one instance asks for and records.
    pub workflow: workflow::Limits,
    /// What one drive uses.
    pub sandbox: SandboxLimits,
    /// What all instances together keep.
    pub quotas: Quotas,
}
