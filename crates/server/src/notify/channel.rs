//! The operator's channels.

use crate::notify::command::Program;
use crate::notify::error::NotifyError;
use crate::notify::message::Message;
use crate::notify::webhook::Webhook;
use engine::limits::NotifySettings;
use std::fmt;
use std::path::Path;
use store::NoticeChannel;

/// A channel through which notices are sent.
pub(crate) enum Channel {
    Command(Program),
    Webhook(Webhook),
}

impl Channel {
    pub(crate) fn all(settings: &NotifySettings) -> Result<Vec<Self>, NotifyError> {
        let mut channels = Vec::new();
        if let Some([program, arguments @ ..]) = settings.command.as_deref() {
            let path = Path::new(program);
            if program.contains('/') && !path.is_file() {
                return Err(NotifyError::NoProgram(path.to_owned()));
            }
            channels.push(Self::Command(Program::new(program, arguments)));
        }
        if let Some(webhook) = &settings.webhook {
            channels.push(Self::Webhook(Webhook::new(webhook)?));
        }
        Ok(channels)
    }

    pub(crate) fn kind(&self) -> NoticeChannel {
        match self {
            Self::Command(_) => NoticeChannel::Command,
            Self::Webhook(_) => NoticeChannel::Webhook,
        }
    }

    /// Sends a notice. An error is one line for the operator.
    pub(crate) async fn send(&self, message: &Message<'_>) -> Result<(), String> {
        match self {
            Self::Command(program) => program.send(message).await,
            Self::Webhook(webhook) => webhook.send(message).await,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(program) => write!(f, "command {program}"),
            Self::Webhook(webhook) => write!(f, "webhook {webhook}"),
        }
    }
}
