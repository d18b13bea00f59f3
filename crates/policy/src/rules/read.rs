//! From a policy's text to its rules.

use super::matcher::{Field, Matcher};
use super::verdict::{Draft, Placed, Verdict};
use super::{Fallback, Rule};
use crate::error::LineIndex;
use crate::grammar::name::role;
use crate::grammar::value::{parse_duration, parse_size};
use crate::{
    AnswerKind, Ask, Environment, InvalidValue, KeyClass, MOST_MESSAGE, MOST_TEXT, Novelty, Pattern,
    PolicyError, PolicyErrorKind, RuleId, Suggestion,
};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use workflow::{ActorId, TenantId};

/// The most rules: more than a person reads. The search for rules that never decide compares each with each.
const MOST_RULES: usize = 2_000;

const ROOT: &[&str] = &["rule", "default"];
const VERDICT: &[&str] = &["then", "role", "approvals", "denials", "expires", "keys", "message"];
const RULE: &[&str] = &[
    "id",
    "tenant",
    "actor",
    "capability",
    "resource",
    "environment",
    "artifact",
    "artifact-bytes-at-most",
    "artifact-bytes-over",
    "component",
    "then",
    "role",
    "approvals",
    "denials",
    "expires",
    "keys",
    "message",
];

type Key<'i> = Spanned<Cow<'i, str>>;
type Value<'i> = Spanned<DeValue<'i>>;

/// Reads a policy: its rules in order, and what holds if none matches.
pub(super) fn read(text: &str) -> Result<(Vec<Rule>, Fallback), PolicyError> {
    if text.len() > MOST_TEXT {
        return Err(PolicyError { line: None, problem: PolicyErrorKind::TooLong(text.len()) });
    }
    let lines = LineIndex::of(text);
    let root = DeTable::parse(text).map_err(|error| {
        let line = error.span().map(|span| lines.at(span.start));
        PolicyError {
            line,
            problem: PolicyErrorKind::Syntax { language: "TOML", message: error.message().to_owned() },
        }
    })?;
    Reader { text, lines }.root(root.get_ref())
}

struct Reader<'a> {
    text: &'a str,
    lines: LineIndex,
}

impl Reader<'_> {
    fn root(&self, root: &DeTable<'_>) -> Result<(Vec<Rule>, Fallback), PolicyError> {
        let mut rules = Vec::new();
        let mut default = Fallback { line: None, verdict: Verdict::Ask(Ask::one()) };
        for (key, value) in root {
            match key.get_ref().as_ref() {
                "rule" => rules = self.rules(value)?,
                "default" => default = self.default(value)?,
                _ => return Err(self.unknown(key, "a policy", ROOT)),
            }
        }
        Ok((rules, default))
    }

    fn rules(&self, value: &Value<'_>) -> Result<Vec<Rule>, PolicyError> {
        let wanted = "a list of tables: [[rule]] on a line of its own";
        let tables = value.get_ref().as_array().ok_or_else(|| self.wrong_type("rule", value, wanted))?;
        if tables.len() > MOST_RULES {
            return Err(self.error(value, PolicyErrorKind::TooMany(tables.len(), MOST_RULES)));
        }
        let rules: Vec<_> = tables.iter().map(|table| self.rule(table)).collect::<Result<_, _>>()?;
        let mut lines = BTreeMap::new();
        for Rule { id, line, .. } in &rules {
            if let Some(first) = lines.insert(id, *line) {
                let problem = PolicyErrorKind::Duplicate { id: id.to_string(), first };
                return Err(PolicyError { line: Some(*line), problem });
            }
        }
        Ok(rules)
    }

    fn default(&self, value: &Value<'_>) -> Result<Fallback, PolicyError> {
        let table = self.table("default", value, "a table: [default] on a line of its own")?;
        let mut draft = Draft::default();
        for (key, value) in table {
            if !self.verdict_key(&mut draft, key, value)? {
                return Err(self.unknown(key, "the default", VERDICT));
            }
        }
        let line = self.line(value);
        Ok(Fallback { line: Some(line), verdict: draft.finish("the default", line)? })
    }

    fn rule(&self, value: &Value<'_>) -> Result<Rule, PolicyError> {
        let table = self.table("rule", value, "a table: [[rule]] on a line of its own")?;
        let (mut id, mut matchers, mut draft) = (None, Vec::new(), Draft::default());
        for (key, value) in table {
            if key.get_ref() == "id" {
                id = Some(self.named("id", value, str::parse::<RuleId>)?);
            } else if let Some(matcher) = self.matcher(key, value)? {
                matchers.push(matcher);
            } else if !self.verdict_key(&mut draft, key, value)? {
                return Err(self.unknown(key, "a rule", RULE));
            }
        }
        matchers.sort_by_key(Matcher::rank);
        self.agree(value, &matchers)?;
        let missing =
            PolicyErrorKind::Missing { place: "a rule", key: "id", example: "id = \"small-changes\"" };
        let id = id.ok_or_else(|| self.error(value, missing))?;
        let line = self.line(value);
        Ok(Rule { id, line, matchers, verdict: draft.finish("a rule", line)? })
    }

    /// The matcher of this key, or `None` if it is another key.
    fn matcher(&self, key: &Key<'_>, value: &Value<'_>) -> Result<Option<Matcher>, PolicyError> {
        Ok(Some(match key.get_ref().as_ref() {
            "tenant" => self.patterns(Field::Tenant, value)?,
            "actor" => self.patterns(Field::Actor, value)?,
            "capability" => self.patterns(Field::Capability, value)?,
            "resource" => self.patterns(Field::Resource, value)?,
            "environment" => Matcher::Environment(self.environments(value)?),
            "artifact" => {
                Matcher::Artifact(match self.word("artifact", value, &["known", "new", "none"])? {
                    "known" => Some(Novelty::Known),
                    "new" => Some(Novelty::New),
                    _ => None,
                })
            }
            "artifact-bytes-at-most" => Matcher::BytesAtMost(self.size("artifact-bytes-at-most", value)?),
            "artifact-bytes-over" => Matcher::BytesOver(self.size("artifact-bytes-over", value)?),
            "component" => Matcher::Component(match self.word("component", value, &["known", "new"])? {
                "known" => Novelty::Known,
                _ => Novelty::New,
            }),
            _ => return Ok(None),
        }))
    }

    /// Takes a key of a verdict. False if it is another key.
    fn verdict_key(&self, draft: &mut Draft, key: &Key<'_>, value: &Value<'_>) -> Result<bool, PolicyError> {
        let line = self.line(value);
        match key.get_ref().as_ref() {
            "then" => draft.then = Some(self.kind(value)?),
            "role" => draft.role = Some((self.named("role", value, role)?, line)),
            "approvals" => draft.approvals = Some(self.people("approvals", value)?),
            "denials" => draft.denials = Some(self.people("denials", value)?),
            "expires" => {
                let text = self.text("expires", value)?;
                let expires =
                    parse_duration(text).map_err(|invalid| self.invalid("expires", value, invalid))?;
                draft.expires = Some((expires, line));
            }
            "keys" => {
                let word = self.word("keys", value, &["any", "passkey", "device-bound"])?;
                draft.keys = Some((KeyClass::named(word).unwrap_or_default(), line));
            }
            "message" => draft.message = Some((self.message(value)?, line)),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Refuses matchers that nothing fits together.
    fn agree(&self, rule: &Value<'_>, matchers: &[Matcher]) -> Result<(), PolicyError> {
        let mut pairs = matchers.iter().flat_map(|one| matchers.iter().map(move |other| (one, other)));
        let Some((one, other)) = pairs.find(|(one, other)| one.contradicts(other)) else { return Ok(()) };
        let written = |matcher: &Matcher| format!("{} ({matcher})", matcher.key());
        Err(self.error(rule, PolicyErrorKind::Contradiction { one: written(one), other: written(other) }))
    }

    fn patterns(&self, field: Field, value: &Value<'_>) -> Result<Matcher, PolicyError> {
        let key = field.key();
        let pattern = |value| self.pattern(field, value, self.text(key, value)?);
        Ok(Matcher::Text(field, self.each(key, value, pattern)?))
    }

    fn pattern(&self, field: Field, value: &Value<'_>, text: &str) -> Result<Pattern, PolicyError> {
        let key = field.key();
        let star = |_| self.error(value, PolicyErrorKind::Star { key, pattern: clip(text) });
        let pattern = Pattern::parse(text).map_err(star)?;
        // A tenant or an actor that cannot be is a mistake, and would never match. So is the beginning of one.
        let possible = match field {
            _ if pattern.stem().is_empty() => Ok(()),
            Field::Tenant => TenantId::from_str(pattern.stem()).map(drop),
            Field::Actor => ActorId::from_str(pattern.stem()).map(drop),
            Field::Capability | Field::Resource => Ok(()),
        };
        possible.map_err(|invalid| self.error(value, invalid.into()))?;
        Ok(pattern)
    }

    fn environments(&self, value: &Value<'_>) -> Result<Vec<Environment>, PolicyError> {
        const ALL: &[&str] = &["development", "staging", "production"];
        self.each("environment", value, |value| {
            let word = self.word("environment", value, ALL)?;
            word.parse().map_err(|_| self.unknown_word("environment", value, word, ALL))
        })
    }

    /// Reads one value, or a list of at least one.
    fn each<'v, 'i, T>(
        &self,
        key: &'static str,
        value: &'v Value<'i>,
        one: impl Fn(&'v Value<'i>) -> Result<T, PolicyError>,
    ) -> Result<Vec<T>, PolicyError> {
        match value.get_ref().as_array() {
            None => Ok(vec![one(value)?]),
            Some(list) if list.is_empty() => Err(self.error(value, PolicyErrorKind::Empty { key })),
            Some(list) => list.iter().map(one).collect(),
        }
    }

    fn kind(&self, value: &Value<'_>) -> Result<AnswerKind, PolicyError> {
        const ALL: &[&str] = &["allow", "ask", "deny"];
        let word = self.word("then", value, ALL)?;
        let kind = AnswerKind::ALL.into_iter().find(|kind| kind.as_str() == word);
        kind.ok_or_else(|| self.unknown_word("then", value, word, ALL))
    }

    fn word<'v>(
        &self,
        key: &'static str,
        value: &'v Value<'_>,
        known: &'static [&'static str],
    ) -> Result<&'v str, PolicyError> {
        let word = self.text(key, value)?;
        if known.contains(&word) { Ok(word) } else { Err(self.unknown_word(key, value, word, known)) }
    }

    fn named<T>(
        &self,
        key: &'static str,
        value: &Value<'_>,
        parse: fn(&str) -> Result<T, crate::InvalidName>,
    ) -> Result<T, PolicyError> {
        parse(self.text(key, value)?).map_err(|invalid| self.error(value, invalid.into()))
    }

    fn text<'v>(&self, key: &'static str, value: &'v Value<'_>) -> Result<&'v str, PolicyError> {
        match value.get_ref().as_str() {
            Some("") => Err(self.error(value, PolicyErrorKind::Empty { key })),
            Some(text) => Ok(text),
            None => Err(self.wrong_type(key, value, "a text in quotation marks")),
        }
    }

    /// The message of a refusal. Receipts have it.
    fn message(&self, value: &Value<'_>) -> Result<String, PolicyError> {
        let message = self.text("message", value)?;
        match message.len() <= MOST_MESSAGE {
            true => Ok(message.to_owned()),
            false => Err(self.error(value, PolicyErrorKind::LongMessage(message.len()))),
        }
    }

    fn size(&self, key: &'static str, value: &Value<'_>) -> Result<u64, PolicyError> {
        let number = match value.get_ref() {
            DeValue::String(text) => parse_size(text),
            DeValue::Integer(_) => integer(value).ok_or(InvalidValue::NotASize),
            _ => Err(InvalidValue::NotASize),
        };
        number.map_err(|invalid| self.invalid(key, value, invalid))
    }

    fn people(&self, key: &'static str, value: &Value<'_>) -> Result<Placed<u32>, PolicyError> {
        let number = integer(value).and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| (1..=Ask::MOST).contains(number));
        let invalid = || self.invalid(key, value, InvalidValue::NotACount(1, Ask::MOST));
        Ok((number.ok_or_else(invalid)?, self.line(value)))
    }

    fn table<'v, 'i>(
        &self,
        key: &'static str,
        value: &'v Value<'i>,
        wanted: &'static str,
    ) -> Result<&'v DeTable<'i>, PolicyError> {
        value.get_ref().as_table().ok_or_else(|| self.wrong_type(key, value, wanted))
    }

    fn unknown(&self, key: &Key<'_>, place: &'static str, known: &'static [&'static str]) -> PolicyError {
        let known = Suggestion::of(key.get_ref(), known);
        let problem = PolicyErrorKind::UnknownKey { key: clip(key.get_ref()), place, known };
        PolicyError { line: Some(self.lines.at(key.span().start)), problem }
    }

    fn unknown_word(
        &self,
        key: &'static str,
        value: &Value<'_>,
        word: &str,
        known: &'static [&'static str],
    ) -> PolicyError {
        let known = Suggestion::of(word, known);
        self.error(value, PolicyErrorKind::UnknownWord { key, word: clip(word), known })
    }

    fn wrong_type(&self, key: &'static str, value: &Value<'_>, wanted: &'static str) -> PolicyError {
        self.error(value, PolicyErrorKind::WrongType { key, found: value.get_ref().type_str(), wanted })
    }

    fn invalid(&self, key: &'static str, value: &Value<'_>, invalid: InvalidValue) -> PolicyError {
        let written = self.text.get(value.span()).unwrap_or_default();
        self.error(value, PolicyErrorKind::Value { key, value: clip(written), invalid })
    }

    fn error(&self, value: &Value<'_>, problem: PolicyErrorKind) -> PolicyError {
        PolicyError { line: Some(self.line(value)), problem }
    }

    fn line(&self, value: &Value<'_>) -> usize {
        self.lines.at(value.span().start)
    }
}

fn integer(value: &Value<'_>) -> Option<u64> {
    let integer = value.get_ref().as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A text as it is shown: the beginning of a longer one is enough to find it.
fn clip(text: &str) -> String {
    text.chars().take(64).collect()
}
