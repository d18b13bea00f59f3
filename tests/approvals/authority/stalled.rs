//! An authority that accepts a question and does not answer.

use super::*;
use crate::support::TIMEOUT;
use std::os::unix::net::UnixListener;
use std::sync::mpsc::{Receiver, channel};

/// A socket before an authority's own. Questions of one kind are received and never answered.
struct Line {
    stalls: Arc<Mutex<&'static str>>,
    /// The connections of those questions.
    held: Receiver<UnixStream>,
}

impl Line {
    fn between(socket: &Path, authority: PathBuf) -> Self {
        let (listener, (hold, held)) = (UnixListener::bind(socket).unwrap(), channel());
        let stalls = Arc::new(Mutex::new("none"));
        let kind = Arc::clone(&stalls);
        std::thread::spawn(move || {
            for asking in listener.incoming() {
                let (mut asking, mut question) = (asking.unwrap(), String::new());
                BufReader::new(&asking).read_line(&mut question).unwrap();
                if question.contains(&format!(r#""ask":"{}""#, kind.lock().unwrap())) {
                    hold.send(asking).unwrap();
                    continue;
                }
                let (mut office, mut answer) = (UnixStream::connect(&authority).unwrap(), String::new());
                office.write_all(question.as_bytes()).unwrap();
                BufReader::new(office).read_line(&mut answer).unwrap();
                asking.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { stalls, held }
    }

    fn stall(&self, kind: &'static str) {
        *self.stalls.lock().unwrap() = kind;
    }
}

#[test]
fn an_authority_that_does_not_answer_delays_no_other_instance() {
    let two = Two::new(ONE);
    let line = Line::between(&two.path("line"), two.path("socket"));
    let two = two.moved_to("line").unwrap();
    // The only thread for drives.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    let drive = |key: &InstanceKey| {
        let (host, key) = (two.host.clone(), key.clone());
        runtime.spawn(async move { host.drive(&key).await })
    };
    let (asked, id) = two.asked();
    two.host.sign(&id, &two.envelope(&id, ALICE)).unwrap();
    let asks = support::start(&two.host, "tenant-workflow", "{}");
    for (kind, key) in [("acts", &asks), ("attest", &asked)] {
        let steps = json!({ "program": [{ "once": { "name": "a" } }] }).to_string();
        let other = support::start(&two.host, "durable", &steps);
        line.stall(kind);
        let waits = drive(key);
        let question = line.held.recv_timeout(TIMEOUT).unwrap();
        let end = runtime.block_on(drive(&other)).unwrap().unwrap();
        assert!(matches!(end, engine::Status::Completed(_)), "{end:?}");
        assert!(!waits.is_finished(), "the thread was held until the authority was given up: {kind}");
        line.stall("none");
        drop(question);
        runtime.block_on(waits).unwrap().unwrap_err();
    }
    // The action took place once, and its outcome is signed by the next drive.
    let end = support::block_on(two.host.drive(&asked)).unwrap();
    assert_eq!(support::result(&end)["status"], "deployed");
}
