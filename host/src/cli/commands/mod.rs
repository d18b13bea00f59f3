//! One file for each subcommand, and the code that several subcommands share.

mod approvals;
mod arguments;
mod audit;
mod authority;
mod backup;
mod bench;
mod completions;
mod decide;
mod deciders;
mod deployments;
mod drill;
mod drive;
mod foreground;
mod freeze;
mod hosts;
mod inspect;
mod instances;
mod keys;
mod limits;
mod logs;
mod man;
mod migrate;
mod new;
mod pack;
mod policy;
mod receipts;
mod review;
mod revoke;
mod run;
mod serve;
mod submit;
mod tokens;
pub(super) mod verify;
mod watch;
mod wit;
mod withdraw;
mod work;

use crate::cli::Exit;
use crate::cli::options::data_dir::Data;
use clap::Subcommand;
use receipt::Decision;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a workflow until it ends or waits.
    Run(run::Run),
    /// Continue an instance that waits or was interrupted.
    #[command(alias = "resume")]
    Drive(drive::Drive),
    /// Create an instance and return at once.
    Submit(submit::Submit),
    /// Drive everything that is due, until stopped.
    Work(work::Work),
    /// Drive everything that is due, and serve an API and the page on which people decide.
    Serve(serve::Serve),
    /// Follow facts as they are recorded.
    Watch(watch::Watch),
    /// The instances: their state, and commands on them.
    #[command(subcommand)]
    Instances(instances::Instances),
    /// Describe a component and its imports, without running it.
    Inspect(inspect::Inspect),
    /// Show the requests that wait for a decision.
    Approvals(approvals::Approvals),
    /// Approve a request, with your own key.
    Approve(decide::Decide),
    /// Deny a request, with your own key.
    Deny(decide::Decide),
    /// Confirm that you have reviewed an emergency decision that one person made alone.
    Review(review::Review),
    /// Withdraw a request before it is decided.
    Withdraw(withdraw::Withdraw),
    /// Revoke a receipt before it is spent.
    Revoke(revoke::Revoke),
    /// Stop approvals and actions until `pp-host thaw`.
    Freeze(freeze::Freeze),
    /// End a freeze.
    Thaw(freeze::Freeze),
    /// Hold the issuer's keys for hosts in other processes, until stopped.
    Authority(authority::Authority),
    /// The people who decide, and their keys.
    #[command(subcommand)]
    Deciders(deciders::Deciders),
    /// Tokens for programs that use the API of `pp-host serve`.
    #[command(subcommand)]
    Tokens(tokens::Tokens),
    /// The policy in force.
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Show every fact, of one instance or of all.
    Audit(audit::Audit),
    /// Show the output of an instance.
    Logs(logs::Logs),
    /// List, show and export receipts.
    #[command(subcommand)]
    Receipts(receipts::Receipts),
    /// List deployments.
    Deployments(deployments::Deployments),
    /// Show every limit: its value, where that comes from, and why.
    Limits(limits::Limits),
    /// Show the keys that verify this host's signatures.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Show the hosts that work on one database.
    Hosts(hosts::ListHosts),
    /// Create or upgrade the tables of a database.
    Migrate(migrate::Migrate),
    /// Copy the data folder to a new one, while it is in use.
    Backup(backup::Backup),
    /// Measure what durability costs on this machine.
    Bench(bench::Bench),
    /// Try the attack suite against this binary, on this machine, in temporary folders.
    Drill(drill::Drill),
    /// Make a folder with a workflow that runs without changes.
    New(new::New),
    /// Print the bundle of a workflow's source text, as the HTTP API takes it.
    Pack(pack::Pack),
    /// Print the world that components are written against, in WIT.
    Wit(wit::Wit),
    /// Print a script that completes commands in a shell.
    Completions(completions::Completions),
    /// Print the manual page of the program or of one command.
    Man(man::Man),
    /// Verify receipts and attestations offline, with keys that you have pinned.
    Verify(verify::Verify),
}

impl Command {
    pub(super) fn execute(self, data: &Data) -> anyhow::Result<Exit> {
        match self {
            Self::Run(run) => run.execute(data),
            Self::Drive(drive) => drive.execute(data),
            Self::Submit(submit) => submit.execute(data),
            Self::Work(work) => work.execute(data),
            Self::Serve(serve) => serve.execute(data),
            Self::Watch(watch) => watch.execute(data),
            Self::Instances(instances) => instances.execute(data),
            Self::Inspect(inspect) => inspect.execute(data),
            Self::Approvals(approvals) => approvals.execute(data),
            Self::Approve(decide) => decide.execute(data, Decision::Approved),
            Self::Deny(decide) => decide.execute(data, Decision::Denied),
            Self::Review(review) => review.execute(data),
            Self::Withdraw(withdraw) => withdraw.execute(data),
            Self::Revoke(revoke) => revoke.execute(data),
            Self::Freeze(freeze) => freeze.freeze(data),
            Self::Thaw(thaw) => thaw.thaw(data),
            Self::Authority(authority) => authority.execute(data),
            Self::Deciders(deciders) => deciders.execute(data),
            Self::Tokens(tokens) => tokens.execute(data),
            Self::Policy(policy) => policy.execute(data),
            Self::Audit(audit) => audit.execute(data),
            Self::Logs(logs) => logs.execute(data),
            Self::Receipts(receipts) => receipts.execute(data),
            Self::Deployments(deployments) => deployments.execute(data),
            Self::Limits(limits) => limits.execute(data),
            Self::Keys(keys) => keys.execute(data),
            Self::Hosts(hosts) => hosts.execute(data),
            Self::Migrate(migrate) => migrate.execute(data),
            Self::Backup(backup) => backup.execute(data),
            Self::Bench(bench) => bench.execute(data),
            Self::Drill(drill) => drill.execute(),
            Self::New(new) => new.execute(data),
            Self::Pack(pack) => pack.execute(data),
            Self::Wit(wit) => wit.execute(),
            Self::Completions(completions) => completions.execute(),
            Self::Man(man) => man.execute(),
            // `verify` has exit codes of its own.
            Self::Verify(_) => Ok(Exit::Done),
        }
    }
}
