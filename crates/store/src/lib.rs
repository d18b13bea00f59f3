//! Durable state: the contract between the engine and the database that keeps it.
//!
//! There is one way to write: the caller passes a [`Write`], and its [`Commit`] is answered when the write is on disk.
//! Facts and the records that they refer to are committed together or not at all, and only at the place in the journal
//! that the writer expects, so that of two drivers of one instance only one can win. Many writes share one disk
//! synchronisation, and are independent of each other.

mod answer;
mod batch;
mod blob;
mod claim;
mod deployment;
mod error;
pub mod files;
mod folder;
mod notice;
mod object;
pub mod ownership;
mod quota;
mod record;
mod summary;
mod traits;
mod transfer;
mod usage;
mod write;

pub use answer::{Answer, Promise};
pub use batch::{Batch, JournalPosition, KeptArtifact, NewRequest, Precondition};
pub use blob::BlobStore;
pub use claim::{
    Claims, HeldShard, HostId, HostInfo, HostRecord, HostSigner, Hosts, PreviousHolder, Replication, SHARDS,
    Shard, UnknownHostId,
};
pub use deployment::{Deployment, DeploymentFilter, DeploymentPage, RecordedDeployment};
pub use error::{FolderError, Medium, StoreError};
pub use folder::{DataFolder, Move};
pub use notice::{Notice, NoticeChannel, NoticeKind, SentNotices};
pub use object::ObjectStorage;
pub use quota::{OverQuota, Quotas, RATE_WINDOW, Usage, quota_names};
pub use record::{
    AskHistory, Fact, InstanceKey, ReceiptPage, ReceiptState, RecordedAct, RecordedReceipt, RecordedRequest,
    RequestFilter, RequestWithJournal, Signed, StoredReceipt,
};
pub use summary::{
    Deleted, EndState, FirstEnded, InstanceState, InstanceSummary, ScheduleRow, Selection, UnknownState,
};
pub use traits::{
    ActStore, ClaimStore, DeploymentStore, JournalStore, ReceiptStore, RequestStore, ScheduleStore, Store,
    UsageStore, WriteStore,
};
pub use transfer::{
    AuditDigest, MovedEntries, MovedHolder, MovedInstance, MovedPrecedent, MovedRequest, TakeRow,
    TransferCounts, TransferRow,
};
pub use usage::UsageChange;
pub use write::{Commit, Create, Stamp, Write, Writer, Written};
