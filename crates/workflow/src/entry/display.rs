//! Entries as text for people: one line each, whatever text of a guest they have.

use crate::{Check, Clipped, Effect, Entry, Escaped, Failure, Finding, Quoted};
use std::fmt;

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loaded { .. } | Self::Started { .. } => self.write_origin(f),
            Self::StepStarted { .. }
            | Self::AttemptFailed { .. }
            | Self::AttemptStarted { .. }
            | Self::StepCompleted { .. }
            | Self::StepFailed { .. }
            | Self::Rejected { .. } => self.write_step(f),
            Self::SleepStarted { .. }
            | Self::SleepEnded { .. }
            | Self::WaitStarted { .. }
            | Self::WaitMatched { .. }
            | Self::WaitTimedOut { .. }
            | Self::EventReceived { .. }
            | Self::Awaiting { .. }
            | Self::Delivered { .. } => self.write_wait(f),
            Self::Requested { .. }
            | Self::Signed { .. }
            | Self::Decided { .. }
            | Self::Issued { .. }
            | Self::Lapsed { .. }
            | Self::Withdrawn { .. } => self.write_request(f),
            Self::Redeemed { .. }
            | Self::Refused { .. }
            | Self::Performed { .. }
            | Self::Attested { .. }
            | Self::Resolved { .. } => self.write_action(f),
            Self::Paused { .. }
            | Self::Resumed { .. }
            | Self::Diverged { .. }
            | Self::Restarted { .. }
            | Self::Terminated { .. }
            | Self::Completed { .. }
            | Self::Failed { .. } => self.write_course(f),
        }
    }
}

/// Each function writes its own kinds of entries, and nothing for the others.
impl Entry {
    fn write_origin(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loaded { component, bytes, imports } => {
                let imports = imports.len();
                write!(f, "loaded      component sha256 {component}, {bytes} bytes, {imports} imports")
            }
            Self::Started { tenant, actor, workflow, .. } => {
                write!(f, "started     workflow {} for tenant {tenant}, actor {actor}", Quoted(workflow))
            }
            _ => Ok(()),
        }
    }

    fn write_step(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StepStarted { call, name, .. } => write!(f, "step        #{call} {} started", Quoted(name)),
            Self::AttemptFailed { call, attempt, failure, retry_at } => {
                write!(
                    f,
                    "step        #{call} attempt {attempt} failed: {failure}; tried again at {retry_at}"
                )
            }
            Self::AttemptStarted { call, attempt } => {
                write!(f, "step        #{call} attempt {attempt} started")
            }
            Self::StepCompleted { call, output } => {
                write!(f, "step        #{call} completed, {} bytes of result", output.len())
            }
            Self::StepFailed { call, failure } => write!(f, "step        #{call} failed: {failure}"),
            Self::Rejected { call, asked, message } => {
                write!(f, "rejected    #{call} {asked}: {}", Clipped(message))
            }
            _ => Ok(()),
        }
    }

    fn write_wait(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SleepStarted { call, name, until, .. } => {
                write!(f, "sleep       #{call} {} until {until}", Quoted(name))
            }
            Self::SleepEnded { call } => write!(f, "sleep       #{call} over"),
            Self::WaitStarted { call, name, event_type, until, .. } => {
                write!(f, "wait        #{call} {} for an event {event_type} until {until}", Quoted(name))
            }
            Self::WaitMatched { call, event } => write!(f, "wait        #{call} told of event {event}"),
            Self::WaitTimedOut { call } => write!(f, "wait        #{call} over, no event came in time"),
            Self::EventReceived { event_type, payload, at } => {
                write!(f, "event       {event_type} at {at}, {} bytes", payload.len())
            }
            Self::Awaiting { calls } => {
                // As many as fit on a line.
                let (shown, more) = (calls.iter().take(16), calls.len().saturating_sub(16));
                f.write_str("waiting     for the first of")?;
                shown.into_iter().try_for_each(|call| write!(f, " #{call}"))?;
                if more > 0 { write!(f, " and {more} more") } else { Ok(()) }
            }
            Self::Delivered { call } => write!(f, "told        of the end of #{call}"),
            _ => Ok(()),
        }
    }

    fn write_request(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested { call, request, asked, expires_at, .. } => {
                write!(f, "requested   #{call} {request}: {asked}, lapses {expires_at}")
            }
            Self::Signed { request, decision, decider, key_id, .. } => {
                write!(f, "signed      {request}: {decision} by {}, key {}", Quoted(decider), Escaped(key_id))
            }
            Self::Decided { request, decision, decider, reason } => {
                write!(f, "decided     {request}: {decision} by {}", Quoted(decider))?;
                write_reason(f, reason.as_deref())
            }
            Self::Issued { receipt, decision, key_id, expires_at, .. } => {
                let key = Escaped(key_id);
                write!(
                    f,
                    "receipt     {receipt}: {decision}, signed with {key}, redeemable until {expires_at}"
                )
            }
            Self::Lapsed { request } => write!(f, "lapsed      {request}: no decision in time"),
            Self::Withdrawn { request, by, reason } => {
                write!(f, "withdrawn   {request} by {}", Quoted(by))?;
                write_reason(f, reason.as_deref())
            }
            _ => Ok(()),
        }
    }

    fn write_action(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redeemed { call, receipt, asked, .. } => {
                write!(f, "redeemed    #{call} {receipt} verified and spent for {asked}")
            }
            Self::Refused { call, check, message, .. } => {
                write!(f, "refused     #{call} by the {check} check: {}", Clipped(message))
            }
            Self::Performed { call, receipt, effect } => {
                write!(f, "performed   #{call} on {receipt}: {effect}")
            }
            Self::Attested { receipt, key_id, .. } => {
                write!(f, "attested    {receipt}: outcome signed with {}", Escaped(key_id))
            }
            Self::Resolved { call, finding, by, reason } => {
                write!(f, "resolved    #{call}: {finding}, says {}", Quoted(by))?;
                write_reason(f, reason.as_deref())
            }
            _ => Ok(()),
        }
    }

    fn write_course(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused { by } => write!(f, "paused      by {}", Quoted(by)),
            Self::Resumed { by } => write!(f, "resumed     by {}", Quoted(by)),
            Self::Diverged { call, message } => write!(f, "diverged    at #{call}: {}", Clipped(message)),
            Self::Restarted { from, by } => write!(f, "restarted   from #{from} by {}", Quoted(by)),
            Self::Terminated { by, reason } => {
                write!(f, "terminated  by {}", Quoted(by))?;
                write_reason(f, reason.as_deref())
            }
            Self::Completed { output } => write!(f, "completed   {}", Clipped(output)),
            Self::Failed { failure } => write!(f, "failed      {failure}"),
            _ => Ok(()),
        }
    }
}

fn write_reason(f: &mut fmt::Formatter<'_>, reason: Option<&str>) -> fmt::Result {
    reason.map_or(Ok(()), |reason| write!(f, ", {}", Quoted(reason)))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Quoted(&self.name), Quoted(&self.message))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded => "it took place",
            Self::Failed => "it did not take place",
        })
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded { output, .. } => write!(f, "succeeded, {}", Clipped(output)),
            Self::Failed { message, .. } => write!(f, "failed, {}", Quoted(message)),
            Self::Unknown { message } => write!(f, "unknown, {}", Quoted(message)),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verification => "verification",
            Self::Decision => "decision",
            Self::Scope => "scope",
            Self::Tenant => "tenant",
            Self::Instance => "instance",
            Self::Code => "code",
            Self::Capability => "capability",
            Self::Resource => "resource",
            Self::Artifact => "artifact",
            Self::Expiry => "expiry",
            Self::Redemption => "redemption",
            Self::Revocation => "revocation",
            Self::Approvals => "approvals",
            Self::Policy => "policy",
            Self::Freeze => "freeze",
        })
    }
}
