//! A network between this machine and a network namespace of its own, which can be cut in either direction. The namespace ends with the test
//! program, however that ends: a process keeps it, and ends with its input.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The namespace's end of the network.
const INSIDE: &str = "pp0";

/// A hardware address that no machine has: packets to it are lost on the way, and their sender is told nothing.
const NOWHERE: &str = "02:00:00:00:00:01";

/// A network of two machines: this one, and the namespace.
pub struct Network {
    keeper: Child,
    outside: String,
    /// The addresses of this machine's end and of the namespace's.
    addresses: [String; 2],
}

/// The direction in which packets are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Both.
    Both,
    /// From the namespace to this machine.
    FromInside,
    /// From this machine to the namespace.
    ToInside,
}

impl Network {
    /// Makes the network. `None`, with a message, where the account or the machine does not permit it.
    pub fn new() -> Option<Self> {
        match Self::make() {
            Ok(network) => Some(network),
            Err(why) => {
                // Past the test harness, which captures the output of passing tests.
                let words = format!("NOT RUN: a network namespace cannot be made here: {why}\n");
                std::io::stderr().write_all(words.as_bytes()).unwrap();
                None
            }
        }
    }

    fn make() -> Result<Self, String> {
        let mut keeper = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo there; read -r _"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("unshare (util-linux): {error}"))?;
        let mut there = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut there).unwrap();
        // Addresses for measurements between machines (RFC 2544), which no network has. Each test program has its own.
        let number = std::process::id() % 0x4000;
        let address = |end: u32| format!("198.18.{}.{}", number >> 6, ((number & 0x3f) << 2) + end);
        let outside = format!("pp{}", std::process::id());
        let network = Self { keeper, outside, addresses: [address(1), address(2)] };
        if there.is_empty() {
            return Err("unshare --net is refused: run the test as root".to_owned());
        }
        network.connect()?;
        Ok(network)
    }

    fn connect(&self) -> Result<(), String> {
        let (outside, keeper) = (&*self.outside, self.keeper.id().to_string());
        let [here, there] = self.addresses.each_ref().map(|address| format!("{address}/30"));
        ip(&["link", "add", outside, "type", "veth", "peer", "name", INSIDE, "netns", &keeper])?;
        ip(&["addr", "add", &here, "dev", outside])?;
        ip(&["link", "set", outside, "up"])?;
        self.ip_inside(&["addr", "add", &there, "dev", INSIDE])?;
        self.ip_inside(&["link", "set", INSIDE, "up"])?;
        self.ip_inside(&["link", "set", "lo", "up"])
    }

    /// This machine's address in the network.
    pub fn address(&self) -> &str {
        &self.addresses[0]
    }

    /// A program in the namespace.
    pub fn inside(&self, program: &Path) -> Command {
        let mut command = self.enter();
        command.arg(program);
        command
    }

    /// Loses every packet of a direction from now on.
    pub fn cut(&self, cut: Cut) {
        if cut != Cut::ToInside {
            self.ip_inside(&self.neighbour(0, NOWHERE)).unwrap();
        }
        if cut != Cut::FromInside {
            ip(&self.neighbour(1, NOWHERE)).unwrap();
        }
    }

    /// Loses no packet from now on.
    pub fn heal(&self) {
        let hardware = |shown: &str| shown.split_whitespace().next().unwrap().to_owned();
        let file = |name: &str| format!("/sys/class/net/{name}/address");
        let outside = hardware(&std::fs::read_to_string(file(&self.outside)).unwrap());
        let shown = self.enter().args(["ip", "-o", "link", "show", INSIDE]).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        let inside = hardware(shown.split_once("link/ether ").unwrap().1);
        self.ip_inside(&self.neighbour(0, &outside)).unwrap();
        ip(&self.neighbour(1, &inside)).unwrap();
    }

    /// The command that has one end send to that hardware address for the other end's address.
    fn neighbour<'a>(&'a self, other: usize, hardware: &'a str) -> [&'a str; 9] {
        let device = if other == 0 { INSIDE } else { &*self.outside };
        ["neigh", "replace", &*self.addresses[other], "lladdr", hardware, "nud", "permanent", "dev", device]
    }

    fn ip_inside(&self, arguments: &[&str]) -> Result<(), String> {
        let mut enter = self.enter();
        run(enter.arg("ip").args(arguments))
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.keeper.id().to_string(), "-n", "--"]);
        command
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    run(Command::new("ip").args(arguments))
}

fn run(command: &mut Command) -> Result<(), String> {
    let ran = command.output().map_err(|error| format!("{command:?} (iproute2): {error}"))?;
    match ran.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&ran.stderr).trim())),
    }
}
