//! Another program behind the agent's socket. Whatever it answers: an error, in bounded time, and never a signature.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use signer::{Agent, AgentError, Identity, Kind, PublicKey, Timeouts};
use tempfile::TempDir;

use crate::common::folder;

/// Long enough for an answer that comes, short enough to wait for one that does not.
const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(60);

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn public() -> PublicKey {
    PublicKey::from_bytes(&key().verifying_key().to_bytes()).unwrap()
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend(bytes);
}

fn strings(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    parts.iter().for_each(|part| put(&mut out, part));
    out
}

fn frame(message: &[u8]) -> Vec<u8> {
    strings(&[message])
}

fn list_of(keys: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut message = vec![12];
    message.extend((keys.len() as u32).to_be_bytes());
    keys.iter().for_each(|(blob, comment)| message.extend(strings(&[blob, comment])));
    message
}

fn our_key() -> Vec<u8> {
    list_of(&[(&strings(&[b"ssh-ed25519", &public().to_bytes()]), b"alice")])
}

fn signature(algorithm: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut message = vec![14];
    put(&mut message, &strings(&[algorithm, bytes]));
    message
}

/// Answers each connection in turn with one of `answers`, as raw bytes, and hangs up.
struct Impostor {
    folder: TempDir,
    thread: Option<JoinHandle<Vec<Vec<u8>>>>,
}

impl Impostor {
    fn answering(answers: Vec<Vec<u8>>) -> Self {
        Self::doing(answers.len(), move |stream, turn| {
            // The client may have hung up already, which is the case under test.
            let _ = stream.write_all(&answers[turn]);
        })
    }

    fn doing(turns: usize, answer: impl Fn(&mut UnixStream, usize) + Send + 'static) -> Self {
        let folder = folder();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let serve = move || {
            let turn = |turn: usize| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut length = [0; 4];
                stream.read_exact(&mut length).unwrap();
                let mut request = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut request).unwrap();
                answer(&mut stream, turn);
                request
            };
            (0..turns).map(turn).collect()
        };
        Self { folder, thread: Some(thread::spawn(serve)) }
    }

    fn agent(&self, timeout: Duration) -> Agent {
        Agent::at(&self.socket(), Timeouts { list: timeout, sign: timeout })
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn requests(mut self) -> Vec<Vec<u8>> {
        self.thread.take().unwrap().join().unwrap()
    }
}

/// The result of listing keys when this is the answer.
fn listed(answer: Vec<u8>) -> Result<Vec<Identity>, AgentError> {
    Impostor::answering(vec![answer]).agent(LONG).identities()
}

/// The result of signing when this is the answer to the request.
fn signed(answer: Vec<u8>) -> Result<[u8; 64], AgentError> {
    let impostor = Impostor::answering(vec![frame(&our_key()), answer]);
    impostor.agent(LONG).key(&public()).unwrap().sign(b"message")
}

#[test]
fn the_impostor_itself_can_answer_well() {
    let good = key().sign(b"message").to_bytes();
    let impostor = Impostor::answering(vec![frame(&our_key()), frame(&signature(b"ssh-ed25519", &good))]);
    assert_eq!(impostor.agent(LONG).key(&public()).unwrap().sign(b"message").unwrap(), good);
    let blob = strings(&[b"ssh-ed25519", &public().to_bytes()]);
    let sign = [&[13], strings(&[&blob, b"message"]).as_slice(), &[0; 4]].concat();
    assert_eq!(impostor.requests(), [vec![11], sign]);
}

#[test]
fn a_signature_by_another_key_or_of_another_message_is_refused() {
    let other = SigningKey::from_bytes(&[8; 32]).sign(b"message").to_bytes();
    let stale = key().sign(b"massage").to_bytes();
    let mut flipped = key().sign(b"message").to_bytes();
    flipped[63] ^= 0x20;
    for bytes in [other, stale, flipped, [0; 64]] {
        let error = signed(frame(&signature(b"ssh-ed25519", &bytes))).unwrap_err();
        assert!(matches!(error, AgentError::WrongSignature), "{error}");
    }
}

#[test]
fn a_signature_of_another_form_is_refused() {
    let good = key().sign(b"message").to_bytes();
    let fine = signature(b"ssh-ed25519", &good);
    let inner = strings(&[b"ssh-ed25519", &good, b"x"]);
    for message in [
        signature(b"ssh-rsa", &good),
        signature(b"", &good),
        signature(b"sk-ssh-ed25519@openssh.com", &good),
        signature(b"ssh-ed25519", &good[..63]),
        signature(b"ssh-ed25519", &[good.as_slice(), &[0]].concat()),
        signature(b"ssh-ed25519", b""),
        [fine.as_slice(), &[0]].concat(),
        [&[14], frame(&inner).as_slice()].concat(),
        fine[..fine.len() - 1].to_vec(),
        vec![14],
        vec![],
        vec![6],
        our_key(),
    ] {
        let error = signed(frame(&message)).unwrap_err();
        assert!(matches!(error, AgentError::Malformed(_)), "{error}: {message:?}");
    }
    assert!(matches!(signed(frame(&[5])).unwrap_err(), AgentError::Refused));
}

#[test]
fn a_list_of_another_form_is_refused() {
    let fine = our_key();
    let mut counts_more = fine.clone();
    counts_more[1..5].copy_from_slice(&u32::MAX.to_be_bytes());
    let mut counts_fewer = fine.clone();
    counts_fewer[4] = 0;
    let length_lies = [&[12, 0, 0, 0, 1], u32::MAX.to_be_bytes().as_slice()].concat();
    for message in
        [counts_more, counts_fewer, length_lies, fine[..fine.len() - 1].to_vec(), vec![12], vec![14], vec![]]
    {
        let error = listed(frame(&message)).unwrap_err();
        assert!(matches!(error, AgentError::Malformed(_)), "{error}: {message:?}");
    }
    assert!(matches!(listed(frame(&[5])).unwrap_err(), AgentError::Refused));
}

#[test]
fn an_answer_that_announces_more_than_any_agent_sends_is_not_read() {
    for length in [256 * 1024 + 1, u32::MAX] {
        let error = listed(length.to_be_bytes().to_vec()).unwrap_err();
        assert!(matches!(error, AgentError::TooLarge { bytes, .. } if bytes == length as usize), "{error}");
    }
    let largest = [&(256 * 1024_u32).to_be_bytes(), vec![0; 256 * 1024].as_slice()].concat();
    assert!(matches!(listed(largest).unwrap_err(), AgentError::Malformed(_)));
}

#[test]
fn one_that_hangs_up_is_an_error_wherever_it_does() {
    let whole = frame(&our_key());
    for length in 0..whole.len() {
        let error = listed(whole[..length].to_vec()).unwrap_err();
        assert!(matches!(error, AgentError::Closed), "{length}: {error}");
    }
    assert_eq!(listed(whole).unwrap().len(), 1);
}

#[test]
fn one_that_hangs_up_without_reading_is_an_error() {
    let folder = folder();
    let socket = folder.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let thread = thread::spawn(move || drop(listener.accept().unwrap()));
    let error = Agent::at(&socket, Timeouts::USUAL).identities().unwrap_err();
    assert!(matches!(error, AgentError::Closed), "{error}");
    thread.join().unwrap();
}

#[test]
fn silence_ends() {
    let (hang_up, wait) = mpsc::channel::<()>();
    let impostor = Impostor::doing(1, move |_, _| {
        let _ = wait.recv();
    });
    let error = impostor.agent(SHORT).identities().unwrap_err();
    assert!(matches!(error, AgentError::TimedOut { after } if after == SHORT), "{error}");
    drop(hang_up);
}

#[test]
fn a_byte_now_and_then_does_not_buy_time() {
    let (hang_up, wait) = mpsc::channel::<()>();
    let impostor = Impostor::doing(1, move |stream, _| {
        let _ = stream.write_all(&(256 * 1024_u32).to_be_bytes());
        // The sending rate, not a wait for an event: at this rate the whole would take twenty minutes.
        let pause = || wait.recv_timeout(Duration::from_millis(5)) == Err(mpsc::RecvTimeoutError::Timeout);
        while pause() && stream.write_all(&[12]).is_ok() {}
    });
    let error = impostor.agent(SHORT).identities().unwrap_err();
    assert!(matches!(error, AgentError::TimedOut { .. }), "{error}");
    drop(hang_up);
}

#[test]
fn one_that_never_takes_a_connection_blocks_no_client() {
    let folder = folder();
    let socket = folder.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let ask = || Agent::at(&socket, Timeouts { list: SHORT, sign: SHORT }).identities().unwrap_err();
    assert!(matches!(ask(), AgentError::TimedOut { .. }), "queued");
    rustix::net::listen(&listener, 0).unwrap();
    let waiting = fill(&socket);
    let error = ask();
    assert!(matches!(error, AgentError::TimedOut { .. }), "{} in the queue: {error}", waiting.len());
}

/// Connects until the queue is full.
fn fill(socket: &std::path::Path) -> Vec<rustix::fd::OwnedFd> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
    let address = SocketAddrUnix::new(socket).unwrap();
    let mut waiting = Vec::new();
    loop {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let one = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        match rustix::net::connect(&one, &address) {
            Ok(()) => waiting.push(one),
            Err(rustix::io::Errno::AGAIN) => return waiting,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn one_that_reads_nothing_blocks_no_client() {
    let folder = folder();
    let socket = folder.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let answer = frame(&our_key());
    let thread = thread::spawn(move || {
        let mut first = listener.accept().unwrap().0;
        first.read_exact(&mut [0; 5]).unwrap();
        first.write_all(&answer).unwrap();
        listener.accept().unwrap().0
    });
    let key = Agent::at(&socket, Timeouts { list: LONG, sign: SHORT }).key(&public()).unwrap();
    let error = key.sign(&vec![0; 250_000]).unwrap_err();
    assert!(matches!(error, AgentError::TimedOut { .. }), "{error}");
    drop(thread.join().unwrap());
}

#[test]
fn what_others_call_their_keys_does_not_reach_a_terminal() {
    let blob = strings(&[b"ssh-ed25519", &public().to_bytes()]);
    let fido = strings(&[b"sk-ssh-ed25519@openssh.com", &[9; 32], b"ssh:"]);
    let strange = strings(&[b"\x1b[31mred", b""]);
    let long = [b'x'; 1000];
    let comment = "\u{1b}[2Jroot\u{202e}\u{115f}\n\"ü".as_bytes();
    let list = list_of(&[(&blob, comment), (&fido, &[0xff]), (&strange, &long)]);
    let identities = listed(frame(&list)).unwrap();
    assert_eq!(identities[0].comment, r#"\u{1b}[2Jroot\u{202e}\u{115f}\n"\u{fc}"#);
    assert_eq!((&identities[1].kind, identities[1].key), (&Kind::Ed25519Fido, None));
    assert_eq!(identities[2].kind, Kind::Other(r"\u{1b}[31mred".to_owned()));
    assert_eq!(identities[2].comment.len(), 67);
    let impostor = Impostor::answering(vec![frame(&list)]);
    let wanted = PublicKey::from_bytes(&SigningKey::from_bytes(&[9; 32]).verifying_key().to_bytes()).unwrap();
    let text = impostor.agent(LONG).key(&wanted).unwrap_err().to_string();
    assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text}");
}

#[test]
fn a_hundred_keys_make_no_hundred_lines() {
    let blob = strings(&[b"ssh-rsa", b"x"]);
    let list = list_of(&vec![(blob.as_slice(), b"key".as_slice()); 100]);
    let impostor = Impostor::answering(vec![frame(&list)]);
    let text = impostor.agent(LONG).key(&public()).unwrap_err().to_string();
    assert!(text.contains(", and 92 more; add it") && text.len() < 1500, "{text}");
}

#[test]
fn no_answer_makes_it_panic_or_sign() {
    use proptest::prelude::{Just, any, prop};
    use proptest::test_runner::{Config, TestRunner};
    let mut runner = TestRunner::new(Config { cases: 64, ..Config::default() });
    let answers = (Just(frame(&our_key())), prop::sample::select(vec![5_u8, 12, 14]), any::<Vec<u8>>());
    let outcome = runner.run(&answers, |(list, kind, rest)| {
        let noise = frame(&[&[kind], rest.as_slice()].concat());
        let _ = listed(noise.clone());
        let impostor = Impostor::answering(vec![list, noise]);
        proptest::prop_assert!(impostor.agent(LONG).key(&public()).unwrap().sign(b"message").is_err());
        Ok(())
    });
    outcome.unwrap();
}

/// Only root can have another account listen. The system notes the account of the thread that does.
#[test]
fn another_account_s_process_is_asked_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    const NOBODY: u32 = 65_534;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = folder();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let socket = folder.path().join("socket");
    let path = socket.clone();
    let listen = move || {
        let (root, nobody) = (rustix::process::Uid::ROOT, rustix::process::Uid::from_raw(NOBODY));
        rustix::thread::set_thread_res_uid(root, nobody, root).unwrap();
        UnixListener::bind(path).unwrap()
    };
    let listener = thread::spawn(listen).join().unwrap();
    let agent = Agent::at(&socket, Timeouts { list: LONG, sign: LONG });
    let refused = agent.key(&public()).unwrap_err();
    assert!(matches!(refused, AgentError::Stranger { account: NOBODY, .. }), "{refused}");
    let (mut stream, _) = listener.accept().unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "not a word");
}
