//! A PostgreSQL server of the tests' own: on a Unix socket in a folder of its own, and ended when the test program ends, however it ends.

use std::fs::{self, File, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use store_postgres::Postgres;

/// The folder of Debian's packages with each version's programs.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The time limit for a server to start or to stop.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Ends the server and removes its folder when its input ends: the test program has the other end of the pipe, which
/// closes when the program ends.
const WATCH: &str = r#"
    programs=$1 folder=$2
    shift 2
    "$programs/postgres" -D "$folder/data" -k "$folder" -c fsync=on -c max_connections=200 -c shared_buffers=32MB "$@" \
        >"$folder/log" 2>&1 </dev/null &
    server=$!
    read -r _
    kill -QUIT $server 2>/dev/null
    wait $server
    [ -e "$folder/keep" ] || rm -rf "$folder"
"#;

static SHARED: LazyLock<Option<Server>> = LazyLock::new(|| Server::start_with(&[]));
static SCHEMAS: AtomicU32 = AtomicU32::new(0);

/// A server.
pub struct Server {
    programs: PathBuf,
    folder: PathBuf,
    account: Option<(u32, u32)>,
    settings: Vec<String>,
    port: u16,
    watch: Child,
}

/// The server that all tests of a program share. `None`, with a message, where PostgreSQL is not installed.
pub fn shared() -> Option<&'static Server> {
    SHARED.as_ref()
}

impl Server {
    /// Starts a server of its own with these settings, on a Unix socket only.
    pub fn start_with(settings: &[&str]) -> Option<Self> {
        Self::begin(
            |_, _| settings.iter().map(ToString::to_string).chain(["listen_addresses=".to_owned()]).collect(),
            5432,
        )
    }

    /// Starts a server of its own that also listens on an address of this machine, and trusts that address's network.
    pub fn listening_on(address: &str) -> Option<Self> {
        let settings = |folder: &Path, _| {
            let mut rules = File::options().append(true).open(folder.join("data/pg_hba.conf")).unwrap();
            writeln!(rules, "host all all samenet trust").unwrap();
            vec![format!("listen_addresses={address}")]
        };
        Self::begin(settings, 5432)
    }

    /// Starts a server of its own that encrypts what goes by the loopback.
    pub fn with_tls(certificate: &Path, key: &Path) -> Option<Self> {
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let settings = |folder: &Path, account: Option<(u32, u32)>| {
            for (from, name) in [(certificate, "server.crt"), (key, "server.key")] {
                let to = folder.join(name);
                fs::copy(from, &to).unwrap();
                fs::set_permissions(&to, Permissions::from_mode(0o600)).unwrap();
                if let Some((user, group)) = account {
                    chown(&to, Some(user), Some(group)).unwrap();
                }
            }
            let file = |name: &str| folder.join(name).display().to_string();
            let (certificate, key) = (file("server.crt"), file("server.key"));
            vec![
                "listen_addresses=127.0.0.1".to_owned(),
                format!("port={free}"),
                "ssl=on".to_owned(),
                format!("ssl_cert_file={certificate}"),
                format!("ssl_key_file={key}"),
            ]
        };
        Self::begin(settings, free)
    }

    fn begin(settings: impl FnOnce(&Path, Option<(u32, u32)>) -> Vec<String>, port: u16) -> Option<Self> {
        let Some(programs) = programs() else {
            // Past the test harness, which captures the output of passing tests.
            std::io::stderr().write_all(b"NOT RUN: postgresql is not installed\n").unwrap();
            return None;
        };
        let folder = tempfile::Builder::new().prefix("pp-pg").tempdir().unwrap().keep();
        let account = account();
        if let Some((user, group)) = account {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        let made = as_account(account, Command::new(programs.join("initdb")))
            .args(["--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D"])
            .arg(folder.join("data"))
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let settings = settings(&folder, account);
        let watch = watch(&programs, &folder, account, &settings);
        let server = Self { programs, folder, account, settings, port, watch };
        server.wait_until_it_answers();
        Some(server)
    }

    /// A standby that follows this server, in a folder of its own.
    pub fn standby(&self) -> Self {
        let folder = tempfile::Builder::new().prefix("pp-pg").tempdir().unwrap().keep();
        if let Some((user, group)) = self.account {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        let copied = as_account(self.account, Command::new(self.programs.join("pg_basebackup")))
            .args(["-R", "-X", "stream", "-c", "fast", "-U", "postgres", "-D"])
            .arg(folder.join("data"))
            .arg("-h")
            .arg(&self.folder)
            .args(["-p", &self.port.to_string()])
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        let (programs, account, settings, port) =
            (self.programs.clone(), self.account, self.settings.clone(), self.port);
        let watch = watch(&programs, &folder, account, &settings);
        let standby = Self { programs, folder, account, settings, port, watch };
        standby.wait_until_it_answers();
        self.wait_until("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "1");
        standby
    }

    /// Ends its days as a standby.
    pub fn promote(&self) {
        assert_eq!(self.sql("SELECT pg_promote(true, 60)"), "t");
        self.wait_until("SELECT pg_is_in_recovery()", "f");
    }

    /// Has a standby receive nothing more.
    pub fn stop_following(&self, primary: &Self) {
        self.set("primary_conninfo", "");
        primary.wait_until("SELECT count(*) FROM pg_stat_replication", "0");
    }

    /// Changes a setting while it runs.
    pub fn set(&self, name: &str, value: &str) {
        self.session().run(&format!("ALTER SYSTEM SET {name} = '{value}'; SELECT pg_reload_conf();"));
    }

    /// Waits until a statement answers that.
    pub fn wait_until(&self, statement: &str, answer: &str) {
        let end = Instant::now() + TIMEOUT;
        while self.sql(statement) != answer {
            assert!(Instant::now() < end, "{statement} does not answer {answer}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The URL of a schema of this server for a client that also knows another server, which may take its place.
    pub fn url_with(&self, other: &Self, schema: &str) -> String {
        let host = |server: &Self| server.folder.display().to_string().replace('/', "%2F");
        let options = schema.split_once('?').map_or("", |(_, options)| options);
        format!("postgres://postgres@{},{}/postgres?{options}", host(self), host(other))
    }

    /// The URL of a new schema in this server, migrated.
    pub fn schema(&self) -> String {
        let url = self.empty_schema();
        Postgres::migrate(&url).unwrap();
        url
    }

    /// The URL of a new schema in this server, with nothing in it.
    pub fn empty_schema(&self) -> String {
        let name = format!("t{}", SCHEMAS.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE SCHEMA {name}"));
        format!("{}?options=-csearch_path%3D{name}", self.url())
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        let host = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{host}/postgres")
    }

    /// The same by TCP, where it listens.
    pub fn tcp_url(&self, host: &str, options: &str) -> String {
        format!("postgres://postgres@{host}:{}/postgres?{options}", self.port)
    }

    /// The path of its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.port))
    }

    /// A session that runs statements line by line.
    pub fn session(&self) -> Session {
        let mut psql = self.client();
        let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Session { child, input, output }
    }

    /// A statement's answer.
    pub fn sql(&self, statement: &str) -> String {
        let ran = self.psql(statement);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    }

    fn psql(&self, statement: &str) -> std::process::Output {
        self.client().args(["-c", statement]).output().unwrap()
    }

    fn client(&self) -> Command {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-U", "postgres", "-d", "postgres"]).arg("-h").arg(&self.folder);
        psql.args(["-p", &self.port.to_string()]);
        psql
    }

    /// Has it stand still until the answer is dropped: the system accepts connections to it, and nothing is answered.
    pub fn freeze(&self) -> Frozen {
        Frozen(self.stop())
    }

    /// Stops its processes, and returns them.
    fn stop(&self) -> Vec<String> {
        let pid = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        // A server that stands still starts no more processes, which would outlive it.
        signal("-STOP", &[&pid]);
        wait_for_states(&[&pid], "TZX");
        let children = Command::new("pgrep").args(["-P", &pid]).output().unwrap();
        let children = String::from_utf8(children.stdout).unwrap();
        let all: Vec<String> = children.split_whitespace().map(str::to_owned).chain([pid.clone()]).collect();
        let names: Vec<&str> = all.iter().map(String::as_str).collect();
        signal("-STOP", &names);
        all
    }

    /// Kills it with SIGKILL, as a crash of the machine would.
    pub fn kill(&mut self) {
        fs::write(self.folder.join("keep"), "").unwrap();
        let all = self.stop();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        signal("-KILL", &all);
        // One that writes to the disk ends when that is done, and keeps the server from starting again.
        wait_for_states(&all, "ZX");
        drop(self.watch.stdin.take());
        self.watch.wait().unwrap();
    }

    /// Starts it again.
    pub fn restart(&mut self) {
        let _ = fs::remove_file(self.folder.join("keep"));
        self.watch = watch(&self.programs, &self.folder, self.account, &self.settings);
        self.wait_until_it_answers();
    }

    fn wait_until_it_answers(&self) {
        let end = Instant::now() + TIMEOUT;
        while !self.psql("SELECT 1").status.success() {
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "the server does not start: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A server that stands still.
pub struct Frozen(Vec<String>);

impl Drop for Frozen {
    fn drop(&mut self) {
        let names: Vec<&str> = self.0.iter().map(String::as_str).collect();
        signal("-CONT", &names);
    }
}

/// A session of another program.
pub struct Session {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Session {
    /// Runs statements, the last of which answers one row.
    pub fn run(&mut self, statements: &str) -> String {
        writeln!(self.input, "{statements}").unwrap();
        let mut row = String::new();
        self.output.read_line(&mut row).unwrap();
        row.trim().to_owned()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.folder.join("keep"));
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
        // One that was killed has left it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn signal(signal: &str, processes: &[&str]) {
    let _ = Command::new("kill").arg(signal).args(processes).stderr(Stdio::null()).status().unwrap();
}

/// Waits until each of these processes is in one of the states, by their letters in `/proc`, or gone.
fn wait_for_states(pids: &[&str], states: &str) {
    let end = Instant::now() + TIMEOUT;
    let is_so = |pid: &&str| {
        let Ok(shown) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
        shown.rsplit(") ").next().is_some_and(|rest| rest.starts_with(|state| states.contains(state)))
    };
    while !pids.iter().all(is_so) {
        assert!(Instant::now() < end, "the processes {pids:?} do not come to a state of {states}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn watch(programs: &Path, folder: &Path, account: Option<(u32, u32)>, settings: &[String]) -> Child {
    let mut watch = as_account(account, Command::new("sh"));
    watch.args(["-c", WATCH, "sh"]).arg(programs).arg(folder).current_dir(folder);
    watch.args(settings.iter().flat_map(|setting| ["-c", setting]));
    // Of a group of its own: an interrupt at the terminal is for the test program, and ends the server by its pipe.
    watch.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap()
}

/// Runs a statement in the database at a URL.
pub fn psql(url: &str, statement: &str) {
    let mut psql = Command::new(programs().unwrap().join("psql"));
    let ran = psql.args(["-X", "-q", "-d", url, "-c", statement]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// The programs of the newest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let mut whole: Vec<_> = versions
        .filter(|bin| ["initdb", "postgres", "psql"].iter().all(|name| bin.join(name).is_file()))
        .collect();
    whole.sort();
    whole.pop()
}

/// The server refuses to run as root: another account, where this is root.
fn account() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let of = |name: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).take(2).map(|number| number.parse::<u32>().unwrap());
        Some((numbers.next()?, numbers.next()?))
    };
    Some(of("postgres").or_else(|| of("nobody")).unwrap())
}

fn as_account(account: Option<(u32, u32)>, mut command: Command) -> Command {
    if let Some((user, group)) = account {
        command.uid(user).gid(group);
    }
    command
}

/// The name of the schema that the URL of [`Server::schema`] names.
pub fn schema_name(url: &str) -> String {
    url.rsplit_once("%3D").unwrap().1.to_owned()
}
