//! One caller's requests beside the same operations without HTTP, in turns: the disk and the machine are not equally fast all the time.

use crate::client::{Served, ask};
use crate::{Latencies, Outcome};
use engine::api::{Operation, Query, Submit};
use engine::{Host, InstanceKey};
use receipt::Digest;
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::BufRead as _;
use std::time::{Duration, Instant};
use workflow::TenantId;

/// Operations in a turn.
const TURN: usize = 64;

/// Prints both, and the difference.
pub(crate) fn print(served: &mut Served, requests: usize) -> Outcome<()> {
    for name in ["GET", "POST"] {
        let mut connection = served.connect()?;
        let (mut direct, mut over_http) = (Vec::new(), Vec::new());
        let (mut begun, mut whole) = (Duration::ZERO, Duration::ZERO);
        for turn in 0..requests / TURN {
            let numbers = turn * TURN..(turn + 1) * TURN;
            let since = Instant::now();
            direct.extend(served.direct(name, numbers.clone())?);
            begun += since.elapsed();
            let since = Instant::now();
            for number in numbers {
                let request = match name {
                    "GET" => served.get("/v1/instances/first"),
                    _ => served.post(&format!("of-1-{number}")),
                };
                over_http.push(ask(&mut connection, &request)?);
            }
            whole += since.elapsed();
        }
        let (direct, over_http) = (Latencies::of(direct, begun), Latencies::of(over_http, whole));
        println!("{name} instance, in process: {direct}");
        println!("{name} instance, 1 connection: {over_http}");
        println!("{name} instance: HTTP costs {:.0} µs at p50 (at most 150)", over_http.p50 - direct.p50);
    }
    Ok(())
}

/// Makes the server's operations in this process, without HTTP.
pub(crate) struct Direct {
    pub(crate) host: Host,
    pub(crate) token: String,
    pub(crate) tenant: TenantId,
    pub(crate) digest: Digest,
}

impl Direct {
    /// Makes the operations that lines of the input name, `GET FROM TO` or `POST FROM TO`, and prints the nanoseconds of each.
    pub(crate) fn read_input(&self) {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match self.turn(&line) {
                Ok(times) => println!("{times}"),
                Err(error) => println!("{line}: {error}"),
            }
        }
    }

    fn turn(&self, line: &str) -> Outcome<String> {
        let [name, from, to] = line.split(' ').collect::<Vec<_>>()[..] else { return Err("no turn".into()) };
        let (from, to): (usize, usize) = (from.parse()?, to.parse()?);
        let mut times = String::new();
        for number in from..to {
            let since = Instant::now();
            match name {
                "GET" => self.show()?,
                _ => self.create(&format!("in-{number}"))?,
            }
            write!(times, "{} ", since.elapsed().as_nanos())?;
        }
        Ok(times)
    }

    pub(crate) fn create(&self, id: &str) -> Outcome<()> {
        let principal = self.host.authenticate(&self.token)?;
        let component = self.host.uploaded_as(&principal, &self.tenant, &self.digest)?;
        let submit = Submit {
            id: Some(id.parse()?),
            tenant: self.tenant.clone(),
            actor: "agent:api".parse()?,
            operator: None,
            submitter: None,
            name: "workflow".to_owned(),
            params: "{}".to_owned(),
            component,
        };
        self.host.operate_as(&principal, Operation::Submit(submit))?;
        Ok(())
    }

    fn show(&self) -> Outcome<()> {
        let principal = self.host.authenticate(&self.token)?;
        let key = InstanceKey { tenant: self.tenant.clone(), instance: "first".parse()? };
        black_box(serde_json::to_vec(&self.host.view(&principal, Query::Instance { key })?)?);
        Ok(())
    }
}
