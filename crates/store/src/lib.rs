//! Durable state: the contract between the engine and the database that keeps it.
//!
//! There is one way to write: the caller passes a [`Write`], and its [`Commit`] is answered when the write is on disk.
//! Facts and the records that they refer to are committed together or not at all, and only at the journal position that
//! the writer expects, so that of two drivers of one instance only one can win. Many writes share one disk
//! synchronisation, and are independent of each other.

mod answer;
mod blob;
mod error;
mod folder;
mod records;
mod traits;
mod transfer;
pub mod ulimit_hints;
mod write;

pub use answer::{Answer, Promise};
pub use blob::BlobStore;
pub use blob::object::ObjectStorage;
pub use error::{FolderError, Medium, StoreError};
pub use folder::{DataFolder, Move, files, ownership};
pub use records::claim::{
    Claims, HeldShard, HostId, HostInfo, HostRecord, HostSigner, Hosts, LONGEST_ACTION, PreviousHolder,
    Replication, SHARDS, Shard, UnknownHostId,
};
pub use records::deployment::{Deployment, DeploymentFilter, DeploymentPage, RecordedDeployment};
pub use records::notice::{Notice, NoticeChannel, NoticeKind, SentNotices};
pub use records::quota::{OverQuota, Quotas, RATE_WINDOW, Usage, quota_names};
pub use records::record::{
    AskHistory, Fact, InstanceKey, ReceiptPage, ReceiptState, RecordedAct, RecordedReceipt, RecordedRequest,
    RequestFilter, RequestWithJournal, SignedBy, StoredReceipt,
};
pub use records::summary::{
    Deleted, EndState, FirstEnded, InstanceState, InstanceSummary, ScheduleRow, Selection, UnknownState,
};
pub use records::usage::UsageChange;
pub use traits::{
    ActStore, ClaimStore, DeploymentStore, JournalStore, ReceiptStore, RequestStore, ScheduleStore, Store,
    UsageStore, WriteStore,
};
pub use transfer::{
    AuditDigest, MovedEntries, MovedHolder, MovedInstance, MovedPrecedent, MovedReceipt, MovedRequest,
    TakeRow, TransferCounts, TransferRow,
};
pub use write::batch::{Batch, JournalPosition, KeptArtifact, NewRequest, Precondition};
pub use write::{Commit, Create, Stamp, Write, Writer, Written};
