//! The limits of each tenant, and the setting that each comes from.

use crate::limits::{ALL, Limit, Limits, NotifySettings};
use policy::Environment;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use workflow::TenantId;

/// The origin of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The program: the default, unless an embedding program has set another.
    Default,
    /// A settings file.
    File {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The command line.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line } => write!(f, "{}:{line}", file.display()),
            Self::CommandLine => f.write_str("--limit"),
        }
    }
}

/// One limit of a tenant.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The limit.
    pub limit: &'static Limit,
    /// The limit's value.
    pub value: u64,
    /// The origin of its value.
    pub origin: Origin,
}

/// Values by the names of their limits. All of them are in range: they were checked when they were read.
type Layer = BTreeMap<&'static str, (u64, Origin)>;

/// The limits of every tenant. A tenant's own settings take precedence over those for all tenants, and the command line
/// over both.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    base: Limits,
    general: Layer,
    tenants: BTreeMap<TenantId, Layer>,
    overrides: Layer,
    notify: Option<NotifySettings>,
    environment: Option<Environment>,
}

impl Settings {
    /// The environment in which actions take effect, for policies, requests and receipts. Default: development.
    #[must_use]
    pub fn environment(&self) -> Environment {
        self.environment.unwrap_or(Environment::Development)
    }

    /// Says in which environment actions take effect.
    pub fn set_environment(&mut self, environment: Environment) {
        self.environment = Some(environment);
    }

    /// How people are notified of requests; `None` if the settings do not say it.
    #[must_use]
    pub fn notify(&self) -> Option<&NotifySettings> {
        self.notify.as_ref()
    }

    /// Says how people are notified.
    pub fn set_notify(&mut self, notify: NotifySettings) {
        self.notify = Some(notify);
    }

    /// The limits that settings change. Default: the defaults.
    pub fn base(&mut self) -> &mut Limits {
        &mut self.base
    }

    /// Sets a limit with precedence over all files.
    ///
    /// # Errors
    /// When the value is too large to be stored.
    pub fn override_limit(&mut self, limit: &'static Limit, value: u64) -> Result<(), super::InvalidValue> {
        self.overrides.insert(limit.name, (limit.check(value)?, Origin::CommandLine));
        Ok(())
    }

    /// Sets a limit of one tenant, or of all; the value has been checked.
    pub(super) fn insert(
        &mut self,
        tenant: Option<&TenantId>,
        limit: &'static Limit,
        value: u64,
        origin: Origin,
    ) {
        let layer = match tenant {
            Some(tenant) => self.tenants.entry(tenant.clone()).or_default(),
            None => &mut self.general,
        };
        layer.insert(limit.name, (value, origin));
    }

    /// Every limit of a tenant, or of a tenant without its own settings.
    #[must_use]
    pub fn resolve(&self, tenant: Option<&TenantId>) -> Vec<Resolved> {
        let own = tenant.and_then(|tenant| self.tenants.get(tenant));
        let layers = [Some(&self.overrides), own, Some(&self.general)];
        let resolved = |limit: &'static Limit| {
            let set = layers.iter().flatten().find_map(|layer| layer.get(limit.name));
            let (value, origin) = set.cloned().unwrap_or_else(|| (limit.get(&self.base), Origin::Default));
            Resolved { limit, value, origin }
        };
        ALL.iter().map(resolved).collect()
    }

    /// Whether a file sets a limit of this tenant's own.
    #[must_use]
    pub fn names(&self, tenant: &TenantId) -> bool {
        self.tenants.contains_key(tenant)
    }

    /// A tenant's limits.
    #[must_use]
    pub fn of(&self, tenant: &TenantId) -> Limits {
        self.limits(Some(tenant))
    }

    /// The largest value of each limit over all tenants: the host has to be able to carry it.
    #[must_use]
    pub fn largest(&self) -> Limits {
        let mut largest = self.limits(None);
        for tenant in self.tenants.keys() {
            let own = self.limits(Some(tenant));
            for limit in ALL {
                let value = limit.get(&own);
                if value > limit.get(&largest) {
                    set(limit, &mut largest, value);
                }
            }
        }
        largest
    }

    fn limits(&self, tenant: Option<&TenantId>) -> Limits {
        let mut limits = self.base.clone();
        for Resolved { limit, value, origin } in self.resolve(tenant) {
            // The base may have a value that the limit's unit cannot express, such as half a second.
            if origin != Origin::Default {
                set(limit, &mut limits, value);
            }
        }
        limits
    }
}

/// Every value in a layer was checked when it came in, so there is nothing left to refuse.
fn set(limit: &Limit, limits: &mut Limits, value: u64) {
    let _ = limit.set(limits, value);
}
