//! `pp-host instances list`.

use crate::cli::options::data_dir::{Data, InstanceName};
use crate::cli::options::limit::LimitArgs;
use crate::cli::options::moment::Since;
use crate::cli::output::hint::Hint;
use crate::cli::output::{complain, hint, json_line};
use crate::cli::session::trust_on_record;
use crate::cli::{Exit, output, session};
use clap::Args;
use engine::api::{ListedInstance, Principal, Query, ReadOnlyHost, View};
use engine::{Clock as _, SystemClock};
use receipt::Timestamp;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::num::NonZeroU32;
use store::{InstanceKey, InstanceState};
use workflow::{Quoted, TenantId};

/// List instances, newest first: the state of each, its workflow, and the events that it waits for.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only instances of this tenant.
    #[arg(long)]
    tenant: Option<TenantId>,

    /// Only instances in this state: queued, running, waiting, paused, diverged, errored, complete, terminated.
    #[arg(long)]
    status: Option<InstanceState>,

    /// Only instances in their state since this time or later: a time, a day, or how long ago, such as 12h.
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,

    /// Only instances that follow this one in the list.
    #[arg(long, value_name = "INSTANCE")]
    after: Option<InstanceName>,

    /// The most instances to list.
    #[arg(long, value_name = "N", default_value = "100")]
    limit: NonZeroU32,

    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

impl List {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let after = self.after.as_ref().map(|after| after.key(self.tenant.as_ref())).transpose()?;
        let query = Query::Instances {
            tenant: self.tenant.clone(),
            status: self.status,
            after,
            since: self.since.map(Since::at),
            limit: self.limit.get(),
        };
        let settings = LimitArgs::default().settings(data)?;
        let reading = ReadOnlyHost::open_at(&data.path, &data.location()?, None)?.settings(settings);
        let View::Instances { instances, more } = reading.view(&Principal::own(), query)? else {
            return Err(session::another_view());
        };
        let mut out = output::stdout();
        for listed in &instances {
            match self.json {
                true => writeln!(out, "{}", json_line(listed)?)?,
                false => writeln!(out, "{}", sentence(listed))?,
            }
        }
        if let (true, Some(last)) = (more, instances.last()) {
            complain(&format!("there are more: {}", self.next(data, last)));
        }
        let waiting = instances.iter().filter(|listed| listed.row.status == InstanceState::Waiting);
        let tenants: BTreeSet<_> = waiting.map(|listed| &listed.row.tenant).collect();
        if !tenants.is_empty() {
            trust_on_record::print_freezes(data, reading.trust(), |tenant| tenants.contains(tenant));
        }
        print_due_hint(data, &instances);
        Ok(Exit::Done)
    }

    /// The command that shows what follows.
    fn next(&self, data: &Data, last: &ListedInstance) -> Hint {
        let mut words = vec!["--after".to_owned(), hint::name(&key(last)), "--limit".to_owned()];
        words.push(self.limit.to_string());
        let named = [
            ("--tenant", self.tenant.as_ref().map(ToString::to_string)),
            ("--status", self.status.map(|status| status.to_string())),
            ("--since", self.since.map(|since| since.at().to_string())),
        ];
        for (name, value) in named {
            words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
        }
        words.extend(self.json.then(|| "--json".to_owned()));
        Hint::new(data, &["instances", "list"]).with(words)
    }
}

fn key(listed: &ListedInstance) -> InstanceKey {
    InstanceKey { tenant: listed.row.tenant.clone(), instance: listed.row.instance.clone() }
}

fn sentence(listed: &ListedInstance) -> String {
    let row = &listed.row;
    let workflow = listed.workflow.as_ref().map_or_else(
        || "its journal cannot be read".to_owned(),
        |workflow| format!("workflow {}", Quoted(workflow)),
    );
    let mut words = format!("{:<10}  {}  {workflow}  since {}", row.status, key(listed), row.since);
    if let Some(wait) = &listed.wait {
        words.push_str(&format!("  for {wait}"));
    }
    if listed.denied {
        words.push_str("  an action was denied");
    }
    words
}

/// Tells of instances that are due, while no process works in the folder.
fn print_due_hint(data: &Data, instances: &[ListedInstance]) {
    let now = SystemClock.now();
    let mut due = instances.iter().filter(|listed| is_due(listed, now));
    let Some(first) = due.next() else { return };
    if session::works_elsewhere(data) {
        return;
    }
    let all = Hint::new(data, &["work"]);
    let one = Hint::new(data, &["drive", &hint::name(&key(first))]);
    let ready = match due.count() + 1 {
        1 => "1 of these is ready to run".to_owned(),
        more => format!("{more} of these are ready to run"),
    };
    complain(&format!("{ready}, but no worker is running"));
    complain(&format!("run them all: {all}"));
    complain(&format!("run one: {one}"));
}

fn is_due(listed: &ListedInstance, now: Timestamp) -> bool {
    let can =
        matches!(listed.row.status, InstanceState::Queued | InstanceState::Running | InstanceState::Waiting);
    can && listed.row.due.is_some_and(|due| due <= now)
}
