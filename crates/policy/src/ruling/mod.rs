//! A policy's answer.

pub(crate) mod demand;
pub(crate) mod explanation;

use crate::grammar::value;
use crate::grammar::value::show_duration;
use crate::people::Tally;
use crate::{Approver, Role, RuleId};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;
use workflow::Quoted;

/// An answer, and the rules that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The answer.
    pub answer: Answer,
    /// The rules that determine it, in the order of the text. `default` if no rule matches.
    pub rules: Vec<RuleId>,
    /// The reason of a denial, in the policy's words. `None` for other answers.
    pub message: Option<String>,
}

impl fmt::Display for Ruling {
    /// `ask 2 of release by production`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.answer)?;
        for (index, rule) in self.rules.iter().enumerate() {
            write!(f, "{}{rule}", if index == 0 { " by " } else { ", " })?;
        }
        self.message.iter().try_for_each(|message| write!(f, ": {}", Quoted(message)))
    }
}

/// Whether an action may go ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The action may take place.
    Allow,
    /// The action may take place when enough people have approved it, which is not the case yet.
    Ask(Ask),
    /// The action may not take place, and no approval changes that.
    Deny,
}

impl Answer {
    /// The answer without its particulars.
    #[must_use]
    pub fn kind(&self) -> AnswerKind {
        match self {
            Self::Allow => AnswerKind::Allow,
            Self::Ask(_) => AnswerKind::Ask,
            Self::Deny => AnswerKind::Deny,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(ask) => write!(f, "ask {ask}"),
            other => write!(f, "{}", other.kind()),
        }
    }
}

/// One of the three answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnswerKind {
    /// The action may take place.
    Allow,
    /// People are asked.
    Ask,
    /// The action may not take place.
    Deny,
}

impl AnswerKind {
    /// Every answer.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Ask, Self::Deny];

    /// The word in a policy.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for AnswerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The approvals that are asked for: all that are needed, not only the missing ones, so that they stay the same while
/// approvals arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The sufficient quorums: any one of them. Never empty.
    pub quorums: Vec<Quorum>,
    /// The number of people whose refusals end the request.
    pub denials: u32,
    /// The time for which the request waits.
    pub expires: Duration,
    /// The class of keys that count. The host leaves out approvals by other keys before it asks a policy.
    pub keys: KeyClass,
}

/// The class of keys whose approvals count. Each class is a subset of the one before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyClass {
    /// Any key of a decider.
    #[default]
    Any,
    /// A passkey: its authenticator checks who uses it.
    Passkey,
    /// A passkey that is in one device, and is not copied to others.
    DeviceBound,
}

impl KeyClass {
    /// Every class, with its word in a policy.
    pub const NAMES: [(&'static str, Self); 3] =
        [("any", Self::Any), ("passkey", Self::Passkey), ("device-bound", Self::DeviceBound)];

    /// The class that a policy spells so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(spelled, _)| *spelled == name).map(|(_, class)| class)
    }
}

impl Ask {
    /// The default number of refusals that end a request.
    pub const DENIALS: u32 = 1;
    /// The default time for which a request waits.
    pub const EXPIRES: Duration = Duration::from_secs(24 * 60 * 60);
    /// The longest that a request waits: a year, as long as Cloudflare's longest sleep.
    pub const LONGEST: Duration = value::LONGEST;
    /// The most people that can be asked for: the number of decisions that a receipt commits to.
    pub const MOST: u32 = receipt::MAX_APPROVALS as u32;

    /// An ask for one approval by any decider.
    #[must_use]
    pub fn one() -> Self {
        let need = Need { role: None, approvals: 1 };
        Self {
            quorums: vec![Quorum { needs: vec![need] }],
            denials: Self::DENIALS,
            expires: Self::EXPIRES,
            keys: KeyClass::Any,
        }
    }

    /// Whether a receipt can commit to the decisions of all people who are asked, whether they approve or refuse.
    ///
    /// # Errors
    /// The ask needs more people than [`Ask::MOST`], in one quorum or to refuse.
    pub fn check(&self) -> Result<(), TooManyPeople> {
        let quorums = self.quorums.iter().map(|quorum| (quorum.people(), quorum.to_string()));
        let denials = (self.denials, format!("{} denials", self.denials));
        let mut asked = quorums.chain([denials]);
        match asked.find(|(people, _)| *people > Self::MOST) {
            Some((people, asked)) => Err(TooManyPeople { people, asked }),
            None => Ok(()),
        }
    }

    /// Whether these approvals are sufficient.
    #[must_use]
    pub fn met_by(&self, approvals: &[Approver]) -> bool {
        let tally = Tally::of(approvals);
        let met = |need: &Need| tally.count(need.role.as_ref()) >= need.approvals;
        self.quorums.iter().any(|quorum| quorum.needs.iter().all(met))
    }

    /// Every role that is named.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.quorums.iter().flat_map(|quorum| &quorum.needs).filter_map(|need| need.role.as_ref())
    }

    /// Whether the approval of a person with these roles can help.
    #[must_use]
    pub fn counts(&self, roles: &BTreeSet<Role>) -> bool {
        let mut needs = self.quorums.iter().flat_map(|quorum| &quorum.needs);
        needs.any(|need| need.role.as_ref().is_none_or(|role| roles.contains(role)))
    }
}

impl fmt::Display for Ask {
    /// `2 of release or 1 of owner`; then what differs from the usual: `, 2 denials end it, lapses after 15m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, quorum) in self.quorums.iter().enumerate() {
            write!(f, "{}{quorum}", if index == 0 { "" } else { " or " })?;
        }
        match self.keys {
            KeyClass::Any => {}
            KeyClass::Passkey => f.write_str(", by passkey")?,
            KeyClass::DeviceBound => f.write_str(", by device-bound passkey")?,
        }
        if self.denials != Self::DENIALS {
            write!(f, ", {} denials end it", self.denials)?;
        }
        if self.expires != Self::EXPIRES {
            write!(f, ", lapses after {}", show_duration(self.expires))?;
        }
        Ok(())
    }
}

/// Approvals that are sufficient together: all of the needs. Never empty.
///
/// The needs are counted separately, so a person with two roles counts for both. If different people are required, a
/// need without a role has the total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// The approvals that are needed.
    pub needs: Vec<Need>,
}

impl Quorum {
    /// The greatest number of different people that it can take: perhaps no person has two of the roles.
    #[must_use]
    pub fn people(&self) -> u32 {
        let count = |anyone: bool| {
            let needs = self.needs.iter().filter(|need| need.role.is_none() == anyone);
            needs.fold(0, |people: u32, need| people.saturating_add(need.approvals))
        };
        count(false).max(count(true))
    }
}

/// The policy asks for more people than a receipt can commit to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the policy asks for {people} people ({asked}), and a receipt commits to the decisions of {most} at most: it has to ask for fewer",
    most = Ask::MOST
)]
pub struct TooManyPeople {
    people: u32,
    asked: String,
}

impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.needs
            .iter()
            .enumerate()
            .try_for_each(|(index, need)| write!(f, "{}{need}", if index == 0 { "" } else { " and " }))
    }
}

/// A number of different people with a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The role. `None`: any decider of this tenant's requests.
    pub role: Option<Role>,
    /// The number of people. At least 1.
    pub approvals: u32,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.approvals, self.role.as_ref().map_or("anyone", Role::as_str))
    }
}
