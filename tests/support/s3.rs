//! A server of S3-compatible object storage (moto, of PyPI), which checks signatures. It ends when the test program ends, however it ends.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use store_s3::Bucket;

/// The server's program, by a variable or else on the path.
const PROGRAM: &str = "moto_server";
const VARIABLE: &str = "MOTO_SERVER";

/// The only bucket.
const BUCKET: &str = "artifacts";

/// The time limit for the server to start.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Ends the server when its input ends: the test program has the other end of the pipe, which closes when the program ends.
const WATCH: &str = r#"
    "$1" -H 127.0.0.1 -p "$2" >/dev/null 2>&1 </dev/null &
    server=$!
    read -r _
    kill -KILL $server 2>/dev/null
"#;

/// Makes the bucket and an account with a key. From the next request on, each has to be signed.
const UNSIGNED: &str = "4";

static SHARED: LazyLock<Option<S3>> = LazyLock::new(S3::start);
static PREFIXES: AtomicU32 = AtomicU32::new(0);

/// A server.
pub struct S3 {
    port: u16,
    key: (String, String),
    _watch: Child,
}

/// The server that all tests of a program share. `None`, with a message, where it is not installed.
pub fn shared() -> Option<&'static S3> {
    SHARED.as_ref()
}

impl S3 {
    fn start() -> Option<Self> {
        let named = std::env::var(VARIABLE).ok();
        if named.is_none() && !super::installed(&[PROGRAM]) {
            return None;
        }
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let watch = Command::new("sh")
            .args(["-c", WATCH, "sh", named.as_deref().unwrap_or(PROGRAM), &port.to_string()])
            .env("INITIAL_NO_AUTH_ACTION_COUNT", UNSIGNED)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let end = Instant::now() + TIMEOUT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "the server of object storage does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        let ask = |request: &str, body: &str| ask(port, request, body);
        ask(&format!("PUT /{BUCKET}"), "");
        ask("POST /", "Action=CreateUser&UserName=pp&Version=2010-05-08");
        let made = ask("POST /", "Action=CreateAccessKey&UserName=pp&Version=2010-05-08");
        let allow = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22s3%3A%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D";
        ask(
            "POST /",
            &format!(
                "Action=PutUserPolicy&UserName=pp&PolicyName=all&PolicyDocument={allow}&Version=2010-05-08"
            ),
        );
        let element = |name: &str| {
            let (_, rest) = made.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{made}"));
            rest.split_once('<').unwrap().0.to_owned()
        };
        Some(Self { port, key: (element("AccessKeyId"), element("SecretAccessKey")), _watch: watch })
    }

    /// The URL of a part of the bucket that no other test uses.
    pub fn url(&self) -> String {
        format!("s3://{BUCKET}/t{}", PREFIXES.fetch_add(1, Ordering::Relaxed))
    }

    /// The secret of its account.
    pub fn secret(&self) -> &str {
        &self.key.1
    }

    /// The variables with which it is used.
    pub fn settings(&self) -> Vec<(String, String)> {
        let (id, secret) = &self.key;
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        [
            ("AWS_ENDPOINT_URL", &endpoint),
            ("AWS_ACCESS_KEY_ID", id),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_REGION", &"us-east-1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .to_vec()
    }

    /// The bucket at that URL.
    pub fn bucket(&self, url: &str) -> Bucket {
        Bucket::open(url.parse().unwrap(), self.settings()).unwrap()
    }
}

/// The answer to a request that is not signed.
fn ask(port: u16, request: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // The server finds the service by this line.
    let service = if body.is_empty() { "s3" } else { "iam" };
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}
