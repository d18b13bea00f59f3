//! Durable state: the contract between the engine and the database that keeps it.
//!
//! There is one way to write: a [`Write`] is handed over, and the [`Commit`] that stands for it is answered when it is on disk. Facts and
//! the records that they speak of are committed together or not at all, and only at the place in the journal that the writer expects:
//! two drivers of one instance can never both win. Many writes share one synchronisation of the disk, and none knows of another.

mod answer;
mod batch;
mod blob;
mod claim;
mod deployment;
mod error;
pub mod files;
mod folder;
pub mod ownership;
mod quota;
mod record;
mod summary;
mod traits;
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
pub use folder::DataFolder;
pub use quota::{OverQuota, Quotas, RATE_WINDOW, Usage, quota_names};
pub use record::{
    AskHistory, Fact, InstanceKey, ReceiptState, RecordedAct, RecordedReceipt, RecordedRequest,
    RequestFilter, RequestWithJournal, Signed, StoredReceipt,
};
pub use summary::{
    Deleted, EndState, FirstEnded, InstanceState, InstanceSummary, ScheduleRow, Selection, UnknownState,
};
pub use traits::{
    ActStore, ClaimStore, DeploymentStore, JournalStore, ReceiptStore, RequestStore, ScheduleStore, Store,
    UsageStore, WriteStore,
};
pub use usage::UsageChange;
pub use write::{Commit, Create, Stamp, Write, Writer, Written};
