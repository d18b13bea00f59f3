//! Notices: which of them were sent for a request is kept with the request.

/// Why a notice is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoticeKind {
    /// A request waits for a decision.
    Requested,
    /// A request still waits, and lapses soon.
    Reminder,
}

/// How a notice is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoticeChannel {
    /// A command of the operator reads it.
    Command,
    /// A webhook of the operator receives it.
    Webhook,
}

/// One notice of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Notice {
    /// Why it is sent.
    pub kind: NoticeKind,
    /// How it is sent.
    pub channel: NoticeChannel,
}

/// The notices of one request that were delivered, and those with a failed attempt, since the request was last
/// reopened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SentNotices(u16);

/// How far left of its bit the bit of a failed attempt is.
const FAILED: u32 = 4;

/// The bits of notices. The bits above them count how often the request was reopened.
const NOTICES: u16 = 0xff;

impl SentNotices {
    /// From the bits that a database stores: a bit for each notice, and above those the number of times that the
    /// request was reopened.
    #[must_use]
    pub fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// The bits that a database stores.
    #[must_use]
    pub fn bits(self) -> u16 {
        self.0
    }

    /// The mark that this notice was delivered.
    #[must_use]
    pub fn delivered(notice: Notice) -> Self {
        Self(notice.bit())
    }

    /// An attempt to deliver that notice has failed.
    #[must_use]
    pub fn failed(notice: Notice) -> Self {
        Self(notice.bit() << FAILED)
    }

    /// Whether an attempt to deliver a notice has failed.
    #[must_use]
    pub fn has_failed(self, notice: Notice) -> bool {
        self.0 & Self::failed(notice).0 != 0
    }

    /// The marks after the request was reopened by a restart of its instance: people are notified again. The count
    /// begins again after 127 times, so that every database can store it in 15 bits.
    #[must_use]
    pub fn reopened(self) -> Self {
        Self(((self.0 | NOTICES) + 1) & 0x7fff)
    }

    /// How often the request was reopened.
    #[must_use]
    pub fn times_reopened(self) -> u16 {
        self.0 >> NOTICES.count_ones()
    }

    /// Whether a notice was delivered.
    #[must_use]
    pub fn contains(self, notice: Notice) -> bool {
        self.0 & notice.bit() != 0
    }
}

impl Notice {
    /// The notice's bit in [`SentNotices`]. Databases store it: it never changes.
    #[must_use]
    pub fn bit(self) -> u16 {
        match (self.kind, self.channel) {
            (NoticeKind::Requested, NoticeChannel::Command) => 1,
            (NoticeKind::Requested, NoticeChannel::Webhook) => 2,
            (NoticeKind::Reminder, NoticeChannel::Command) => 4,
            (NoticeKind::Reminder, NoticeChannel::Webhook) => 8,
        }
    }
}
