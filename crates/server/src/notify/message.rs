//! The content of a notice.

use crate::net::site::SiteUrl;
use crate::notify::queue::Pending;
use receipt::Timestamp;
use serde::Serialize;
use store::NoticeKind;
use workflow::{InstanceId, RequestId, TenantId};

/// A notice as JSON. Every member is an id, a time or derived from them.
#[derive(Serialize)]
pub(crate) struct Message<'a> {
    /// The id, which is equal in every attempt, so that a receiver recognises a repetition. It changes when a restart
    /// of the instance reopens the request: otherwise a receiver would drop the new notice as a repetition.
    id: String,
    r#type: &'static str,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    request: &'a RequestId,
    tenant: &'a TenantId,
    instance: &'a InstanceId,
    requested_at: Timestamp,
    expires_at: Timestamp,
    url: String,
}

impl<'a> Message<'a> {
    pub(crate) fn new(pending: &'a Pending, site: &SiteUrl, now: Timestamp, times_reopened: u16) -> Self {
        let made = &pending.made;
        let (r#type, kind) = match pending.notice.kind {
            NoticeKind::Requested => ("approval.requested", "requested"),
            NoticeKind::Reminder => ("approval.reminder", "reminder"),
        };
        Self {
            id: match times_reopened {
                0 => format!("{}_{kind}", made.request),
                _ => format!("{}_{kind}_r{times_reopened}", made.request),
            },
            r#type,
            timestamp: now,
            data: Data {
                request: &made.request,
                tenant: &made.key.tenant,
                instance: &made.key.instance,
                requested_at: made.at,
                expires_at: made.expires_at,
                url: format!("{site}/approvals/{}", made.request),
            },
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}
