//! `pp-host.toml`.

use crate::limits::{
    InvalidValue, Limit, NotifySettings, Origin, Reach, Settings, Unit, WebhookSettings, table,
};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::ownership;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use workflow::{Clipped, InvalidId, Quoted, TenantId};

/// The fault of a settings file, and its place.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {problem}", file.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct SettingsError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; `None` if the file cannot be read at all.
    pub line: Option<usize>,
    /// The fault.
    pub problem: SettingsErrorKind,
}

/// The fault.
#[derive(Debug, thiserror::Error)]
pub enum SettingsErrorKind {
    /// The file.
    #[error("cannot read the settings: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The file is not TOML.
    #[error("not TOML: {0}")]
    Syntax(String),
    /// A key that means nothing there.
    #[error("unknown key {} in {place}; did you mean {nearest}?", Quoted(key))]
    UnknownKey {
        /// The key.
        key: String,
        /// The table that has it.
        place: &'static str,
        /// The known key that is most like it.
        nearest: String,
    },
    /// Another value in the place of a table.
    #[error("{} is {found}, and a table is expected: [{shape}] on a line of its own", Quoted(key))]
    NotATable {
        /// The key.
        key: String,
        /// The value found.
        found: &'static str,
        /// The heading that belongs there.
        shape: &'static str,
    },
    /// A tenant that cannot be.
    #[error(transparent)]
    Tenant(#[from] InvalidId),
    /// A limit that applies to the whole host, set for a tenant.
    #[error("limit {limit} applies to the whole host and cannot be set for a tenant: set it under [limits]")]
    OfTheHost {
        /// The limit.
        limit: &'static str,
    },
    /// A setting that is not a limit, with a value that it cannot have.
    #[error("{setting} is {}: {expected}", Clipped(found))]
    Setting {
        /// The setting.
        setting: &'static str,
        /// The value, as it is written.
        found: String,
        /// The expected value.
        expected: String,
    },
    /// A setting that the table is nothing without.
    #[error("{place} does not have {missing}")]
    Missing {
        /// The table.
        place: &'static str,
        /// The settings that it needs.
        missing: &'static str,
    },
    /// A value that the limit cannot have.
    #[error("limit {limit} cannot be {}: {invalid}", Clipped(value))]
    Value {
        /// The limit.
        limit: &'static str,
        /// The value, as it is written.
        value: String,
        /// The expected value.
        invalid: InvalidValue,
    },
}

impl Settings {
    /// Reads a settings file.
    ///
    /// # Errors
    /// The file cannot be read, or has an unknown or invalid part.
    pub fn read(file: &Path) -> Result<Self, SettingsError> {
        let text = ownership::read_to_string(file).map_err(|error| SettingsError {
            file: file.to_owned(),
            line: None,
            problem: error.into(),
        })?;
        Self::parse(file, &text)
    }

    /// Parses a settings file's text. The file's name is for errors and origins.
    ///
    /// # Errors
    /// When the text has an unknown or invalid part.
    pub fn parse(file: &Path, text: &str) -> Result<Self, SettingsError> {
        let mut reader = Reader { file, text, settings: Settings::default() };
        reader.root()?;
        Ok(reader.settings)
    }
}

type Entry<'a, 'i> = (&'a Spanned<std::borrow::Cow<'i, str>>, &'a Spanned<DeValue<'i>>);

struct Reader<'a> {
    file: &'a Path,
    text: &'a str,
    settings: Settings,
}

impl Reader<'_> {
    fn root(&mut self) -> Result<(), SettingsError> {
        let root = DeTable::parse(self.text).map_err(|error| {
            let problem = SettingsErrorKind::Syntax(error.message().to_owned());
            self.error(&error.span().unwrap_or_default(), problem)
        })?;
        for (key, value) in root.get_ref() {
            match key.get_ref().as_ref() {
                "limits" => self.limits(None, self.table((key, value), "limits")?)?,
                "tenants" => self.tenants(self.table((key, value), "tenants.NAME.limits")?)?,
                "notify" => self.notify((key, value))?,
                "environment" => self.environment(value)?,
                _ => {
                    let known = ["environment", "limits", "notify", "tenants"];
                    return Err(self.unknown(key, "the file", known.into_iter()));
                }
            }
        }
        Ok(())
    }

    fn environment(&mut self, value: &Spanned<DeValue<'_>>) -> Result<(), SettingsError> {
        let named = value.get_ref().as_str().and_then(|text| text.parse().ok());
        let expected = "\"development\", \"staging\" or \"production\" is expected";
        let environment = named.ok_or_else(|| self.unsuitable("environment", value, expected))?;
        self.settings.set_environment(environment);
        Ok(())
    }

    fn tenants(&mut self, tenants: &DeTable<'_>) -> Result<(), SettingsError> {
        for (name, value) in tenants {
            let tenant: TenantId =
                name.get_ref().parse().map_err(|error: InvalidId| self.error(&name.span(), error.into()))?;
            for (key, value) in self.table((name, value), "tenants.NAME.limits")? {
                match key.get_ref().as_ref() {
                    "limits" => {
                        self.limits(Some(&tenant), self.table((key, value), "tenants.NAME.limits")?)?
                    }
                    _ => return Err(self.unknown(key, "a tenant's settings", ["limits"].into_iter())),
                }
            }
        }
        Ok(())
    }

    fn limits(&mut self, tenant: Option<&TenantId>, limits: &DeTable<'_>) -> Result<(), SettingsError> {
        for (key, value) in limits {
            let known = table::ALL.iter().map(|limit| limit.name);
            let limit =
                table::find(key.get_ref()).map_err(|_| self.unknown(key, "a table of limits", known))?;
            if tenant.is_some() && limit.reach() == Reach::Host {
                return Err(self.error(&key.span(), SettingsErrorKind::OfTheHost { limit: limit.name }));
            }
            let number = number(limit, value.get_ref()).map_err(|invalid| {
                let value = self.text.get(value.span()).unwrap_or_default().to_owned();
                self.error(&key.span(), SettingsErrorKind::Value { limit: limit.name, value, invalid })
            })?;
            let earlier = key.get_ref().as_ref() != limit.name;
            if earlier && limits.keys().any(|other| other.get_ref().as_ref() == limit.name) {
                continue;
            }
            let origin = Origin::File { file: self.file.to_owned(), line: self.line(&key.span()) };
            self.settings.insert(tenant, limit, number, origin);
        }
        Ok(())
    }

    /// `notify = ["PROGRAM", …]` is the command alone.
    fn notify(&mut self, (key, value): Entry<'_, '_>) -> Result<(), SettingsError> {
        let mut notify = NotifySettings::default();
        if value.get_ref().as_array().is_some() {
            notify.command = Some(self.words("notify", value)?);
        } else {
            for (key, value) in self.table((key, value), "notify")? {
                match key.get_ref().as_ref() {
                    "command" => notify.command = Some(self.words("notify.command", value)?),
                    "webhook" => notify.webhook = Some(self.webhook((key, value))?),
                    "remind-before" => notify.remind_before = self.age("notify.remind-before", value)?,
                    "url" => notify.url = Some(self.text("notify.url", value)?),
                    _ => {
                        let known = ["command", "webhook", "remind-before", "url"];
                        return Err(self.unknown(key, "[notify]", known.into_iter()));
                    }
                }
            }
        }
        if notify.command.is_none() && notify.webhook.is_none() {
            let missing = "a channel: command = [\"PROGRAM\"], or the table [notify.webhook]";
            return Err(self.error(&key.span(), SettingsErrorKind::Missing { place: "[notify]", missing }));
        }
        self.settings.set_notify(notify);
        Ok(())
    }

    fn webhook(&self, (key, value): Entry<'_, '_>) -> Result<WebhookSettings, SettingsError> {
        let (mut url, mut secret_file, mut ca_file) = (None, None, None);
        for (key, value) in self.table((key, value), "notify.webhook")? {
            match key.get_ref().as_ref() {
                "url" => url = Some(self.text("notify.webhook.url", value)?),
                "secret-file" => {
                    secret_file = Some(self.text("notify.webhook.secret-file", value)?.into());
                }
                "ca-file" => ca_file = Some(self.text("notify.webhook.ca-file", value)?.into()),
                _ => {
                    let known = ["url", "secret-file", "ca-file"];
                    return Err(self.unknown(key, "[notify.webhook]", known.into_iter()));
                }
            }
        }
        let missing = |missing| {
            self.error(&key.span(), SettingsErrorKind::Missing { place: "[notify.webhook]", missing })
        };
        Ok(WebhookSettings {
            url: url.ok_or_else(|| missing("url = \"https://…\""))?,
            secret_file: secret_file.ok_or_else(|| missing("secret-file = \"FILE\", a file with whsec_…"))?,
            ca_file,
        })
    }

    fn text(&self, setting: &'static str, value: &Spanned<DeValue<'_>>) -> Result<String, SettingsError> {
        let text = value.get_ref().as_str().filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| self.unsuitable(setting, value, "a text is expected"))
    }

    fn words(
        &self,
        setting: &'static str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Vec<String>, SettingsError> {
        let expected = "a list of a program and its arguments is expected, such as [\"/usr/local/bin/notify\", \"--quiet\"]";
        let unsuitable = || self.unsuitable(setting, value, expected);
        let words = value.get_ref().as_array().ok_or_else(unsuitable)?.iter();
        let words: Option<Vec<_>> = words.map(|word| Some(word.get_ref().as_str()?.to_owned())).collect();
        words.filter(|words| words.first().is_some_and(|program| !program.is_empty())).ok_or_else(unsuitable)
    }

    fn age(&self, setting: &'static str, value: &Spanned<DeValue<'_>>) -> Result<Duration, SettingsError> {
        let number = match (value.get_ref().as_str(), value.get_ref().as_integer()) {
            (Some(text), _) => Unit::Age.parse(text),
            (_, Some(integer)) => Unit::Age.parse(integer.as_str()),
            (None, None) => Err(InvalidValue::NotAnAge),
        };
        let expected = "a time is expected, such as \"1h\", or 0";
        number.map(Duration::from_secs).map_err(|_| self.unsuitable(setting, value, expected))
    }

    fn unsuitable(
        &self,
        setting: &'static str,
        value: &Spanned<DeValue<'_>>,
        expected: &str,
    ) -> SettingsError {
        let found = self.text.get(value.span()).unwrap_or_default().to_owned();
        self.error(
            &value.span(),
            SettingsErrorKind::Setting { setting, found, expected: expected.to_owned() },
        )
    }

    fn table<'b, 'i>(
        &self,
        (key, value): Entry<'b, 'i>,
        shape: &'static str,
    ) -> Result<&'b DeTable<'i>, SettingsError> {
        value.get_ref().as_table().ok_or_else(|| {
            let (key_text, found) = (clip(key.get_ref()), value.get_ref().type_str());
            self.error(&key.span(), SettingsErrorKind::NotATable { key: key_text, found, shape })
        })
    }

    fn unknown<'k>(
        &self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        place: &'static str,
        known: impl Iterator<Item = &'k str>,
    ) -> SettingsError {
        let nearest = table::nearest(key.get_ref(), known).unwrap_or_default().to_owned();
        self.error(&key.span(), SettingsErrorKind::UnknownKey { key: clip(key.get_ref()), place, nearest })
    }

    fn error(&self, span: &Range<usize>, problem: SettingsErrorKind) -> SettingsError {
        SettingsError { file: self.file.to_owned(), line: Some(self.line(span)), problem }
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or(self.text.as_bytes());
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

fn number(limit: &Limit, value: &DeValue<'_>) -> Result<u64, InvalidValue> {
    // A value that is neither a number nor a text is shown unchanged, with an error that says so.
    let expected = || limit.unit.parse("").map(drop).err().unwrap_or(InvalidValue::NotANumber);
    if let Some(text) = value.as_str() {
        return limit.parse(text);
    }
    let integer = value.as_integer().ok_or_else(expected)?;
    match i128::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(number) if number < 0 => Err(expected()),
        Ok(number) => {
            u64::try_from(number).ok().map_or(Err(InvalidValue::TooLarge(u64::MAX)), |n| limit.check(n))
        }
        Err(_) => Err(InvalidValue::TooLarge(u64::MAX)),
    }
}

/// A key as it is shown: the beginning of a longer one.
fn clip(key: &str) -> String {
    key.chars().take(64).collect()
}
