//! An action that is under way for as long as a test needs it.

use engine::capability::{Capability, Deploy, Execution, OnInterruption, PerformError, Performed, Permit};
use engine::issuer::Reversibility;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use workflow::Artifact;

/// A deployment that reports its beginning, and waits for permission to continue. It must not begin twice.
pub struct Held {
    inner: Deploy,
    entered: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Held {
    /// One that deploys into a folder, with the receiver of its beginning and the sender that lets it continue.
    pub fn in_folder(folder: &Path) -> (Self, Receiver<()>, Sender<()>) {
        let ((entered, has_entered), (let_go, go_on)) = (channel(), channel());
        let inner = Deploy::new(folder.join("deployments"));
        (Self { inner, entered, go_on: Mutex::new(go_on) }, has_entered, let_go)
    }
}

impl Capability for Held {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn reversibility(&self) -> Reversibility {
        self.inner.reversibility()
    }

    fn on_interruption(&self) -> OnInterruption {
        OnInterruption::ReportUnknown
    }

    fn perform(
        &self,
        permit: &Permit,
        artifact: &Artifact,
        attempt: Execution,
    ) -> Result<Performed, PerformError> {
        self.entered.send(()).unwrap();
        self.go_on.lock().unwrap().recv().unwrap();
        self.inner.perform(permit, artifact, attempt)
    }
}
