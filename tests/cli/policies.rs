//! The policy and the environment of a data folder: what governs, also where a file is away or was changed.

use crate::support::cli::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;

/// Allows everything but in production.
const NOT_IN_PRODUCTION: &str = "[[rule]]\nid = \"live\"\nenvironment = \"production\"\nthen = \"deny\"\n\n\
                                 [default]\nthen = \"allow\"\n";

const ACTION: [&str; 4] =
    ["--capability", "cloudflare.dynamic-worker.deploy", "--resource", "cloudflare://workers/acme/app"];

/// A folder with data and that policy.
fn governed(policy: &str) -> TempDir {
    let data = TempDir::new().unwrap();
    assert_eq!(run(data.path(), &["run", GUEST]).code, Some(0));
    fs::write(data.path().join("policy.toml"), policy).unwrap();
    data
}

fn ends(data: &Path, arguments: &[&str], code: i32) -> Ran {
    let ran = run(data, arguments);
    assert_eq!(ran.code, Some(code), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    ran
}

fn explained(data: &Path) -> String {
    ends(data, &[&["policy", "explain"][..], &ACTION].concat(), 0).stdout
}

#[test]
fn a_rule_for_production_governs_where_actions_take_effect_in_production() {
    let folder = governed(NOT_IN_PRODUCTION);
    let data = folder.path();
    ends(data, &["run", GUEST], 0);
    assert!(explained(data).contains("allow by default"));
    let warned = ends(data, &["policy", "check"], 0).stdout;
    assert!(
        warned.contains(
            "rule live: it never matches here, where the environment is development: environment = \"production\" in \
             pp-host.toml changes that"
        ),
        "{warned}"
    );
    let settings = data.join("pp-host.toml");
    for wrong in ["prod", "Production", ""] {
        fs::write(&settings, format!("# Where this acts.\nenvironment = \"{wrong}\"\n")).unwrap();
        let refused = ends(data, &["run", GUEST], 1).stderr;
        let expected = "\"development\", \"staging\" or \"production\" is expected";
        assert!(refused.contains("pp-host.toml:2: ") && refused.contains(expected), "{refused}");
    }
    fs::write(&settings, "environment = \"production\"\n").unwrap();
    let denied = ends(data, &["run", GUEST], 4).stdout;
    assert!(denied.contains("DENIED by system/pp-policy-engine"), "{denied}");
    assert!(explained(data).contains("deny by live"));
    assert!(!ends(data, &["policy", "check"], 0).stdout.contains("never matches"));
    // A file elsewhere, which a variable names, holds for every command.
    let elsewhere = TempDir::new().unwrap();
    let config = elsewhere.path().join("settings.toml");
    fs::rename(&settings, &config).unwrap();
    let arguments = [&["policy", "explain"][..], &ACTION].concat();
    let named: Ran = command(data, &arguments).env("PP_HOST_CONFIG", &config).output().unwrap().into();
    assert!(named.stdout.contains("deny by live"), "{}{}", named.stdout, named.stderr);
}

#[test]
fn an_approval_for_one_environment_permits_nothing_in_another() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    ends(data, &["run", GUEST, "--wait"], 3);
    let listed = lines(&ends(data, &["instances", "list", "--json"], 0).stdout);
    let instance = listed[0]["instance"].as_str().unwrap();
    fs::write(data.join("pp-host.toml"), "environment = \"production\"\n").unwrap();
    let refused = ends(data, &["drive", instance, "--approve"], 1).stdout;
    let words = "gate        refused by the policy check: \"the receipt is for environment development, but this host acts in production\"";
    assert!(refused.contains(words), "{refused}");
    assert!(!ends(data, &["deployments"], 0).stdout.contains("rcpt_"));
}

#[test]
fn a_policy_whose_file_is_away_is_not_the_default() {
    let folder = governed("[default]\nthen = \"deny\"\n");
    let data = folder.path();
    let (file, target) = (data.join("policy.toml"), data.join("release-7.toml"));
    fs::rename(&file, &target).unwrap();
    symlink(&target, &file).unwrap();
    ends(data, &["run", GUEST], 4);
    let adopted = || ends(data, &["audit"], 0).stdout.matches("policy ").count();
    let before = adopted();
    let away = data.join("release-8.toml");
    fs::rename(&target, &away).unwrap();
    for arguments in [&["run", GUEST][..], &["policy", "show"], &["policy", "check"], &["approvals"]] {
        let refused = ends(data, arguments, 1).stderr;
        assert!(refused.contains("cannot read the policy") && refused.contains("policy.toml"), "{refused}");
    }
    fs::remove_file(&file).unwrap();
    let gone = ends(data, &["run", GUEST], 1).stderr;
    assert!(gone.contains("is in force here, but its file is missing"), "{gone}");
    assert_eq!(adopted(), before, "nothing was recorded");
    fs::write(&file, "[default]\nthen = \"ask\"\n").unwrap();
    ends(data, &["run", GUEST], 3);
    assert_eq!(adopted(), before + 1);
}

#[test]
fn a_rule_for_a_tenant_that_nothing_here_knows_is_a_probable_mistake() {
    let rule = |tenant: &str| format!("[[rule]]\nid = \"own\"\ntenant = \"{tenant}\"\nthen = \"deny\"\n");
    let folder = governed(&rule("Lokal"));
    let warned = ends(folder.path(), &["policy", "check"], 0).stdout;
    assert!(
        warned.contains("rule own: no instance, setting or decider on this host belongs to a tenant Lokal"),
        "{warned}"
    );
    fs::write(folder.path().join("policy.toml"), rule("local")).unwrap();
    assert!(!ends(folder.path(), &["policy", "check"], 0).stdout.contains("belongs to a tenant"));
    fs::write(folder.path().join("policy.toml"), rule("acme")).unwrap();
    fs::write(folder.path().join("pp-host.toml"), "[tenants.acme.limits]\ninstances = 5\n").unwrap();
    assert!(!ends(folder.path(), &["policy", "check"], 0).stdout.contains("belongs to a tenant"));
}
