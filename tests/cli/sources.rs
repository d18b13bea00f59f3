//! Source text on the command line: the files that make a bundle, and the errors about those that cannot.

use crate::support::cli::*;
use crate::support::worker::{fails, succeeds};
use crate::support::{compiled, script};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A data folder with the engine, and a folder of sources with these files.
fn sources(files: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let here = TempDir::new().unwrap();
    compiled::put_engine(&here.path().join("data"));
    let folder = here.path().join("my.flow");
    fs::create_dir(&folder).unwrap();
    for (name, content) in files {
        write(&folder, name, content);
    }
    (here, folder)
}

/// The error of packing a file of such a folder, or the folder itself.
fn refused(files: &[(&str, &str)], named: &str) -> String {
    let (here, folder) = sources(files);
    fails(&here.path().join("data"), &["pack", folder.join(named).to_str().unwrap()], 1)
}

fn packs(files: &[(&str, &str)]) -> String {
    let (here, folder) = sources(files);
    succeeds(&here.path().join("data"), &["pack", folder.to_str().unwrap()])
}

#[test]
fn a_workflow_is_named_after_its_folder_also_where_that_is_a_dot() {
    let (here, folder) = sources(&[("index.js", &script::text("return 1;"))]);
    let data = here.path().join("data");
    let submit = |path: &Path, named: &str| {
        let submitted = command(&data, &["submit", named]).current_dir(path).output().unwrap();
        assert_eq!(submitted.status.code(), Some(0), "{submitted:?}");
    };
    submit(&folder, ".");
    submit(here.path(), "my.flow");
    submit(&folder, "index.js");
    let names: Vec<_> = lines(&succeeds(&data, &["instances", "list", "--json"]))
        .iter()
        .map(|listed| listed["workflow"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.iter().filter(|name| *name == "my.flow").count(), 2, "{names:?}");
    assert!(names.contains(&"index".to_owned()), "{names:?}");
}

#[test]
fn a_dialect_that_does_not_run_is_refused_with_what_does() {
    for name in ["w.tsx", "w.jsx", "w.cts", "w.cjs"] {
        let (here, folder) = sources(&[(name, "export const a = 1;")]);
        for command in ["run", "submit", "pack", "inspect"] {
            let error = fails(&here.path().join("data"), &[command, folder.join(name).to_str().unwrap()], 1);
            assert!(error.contains(".ts, .mts, .js or .mjs"), "{command} {name}: {error}");
        }
    }
}

#[test]
fn an_import_of_a_file_that_is_no_module_names_the_endings_that_are() {
    for (import, file) in
        [("./x", "x.tsx"), ("./x.js", "x.jsx"), ("./x.wasm", "x.wasm"), ("./x.css", "x.css")]
    {
        let main = format!("import {{ a }} from '{import}';\n");
        let error = refused(&[("w.js", &main), (file, "a")], "w.js");
        assert!(error.contains(file) && error.contains(".ts, .mts, .js, .mjs, .json"), "{import}: {error}");
    }
}

#[test]
fn settings_that_name_another_main_module_are_not_passed_over() {
    let toml = ("wrangler.toml", "name = \"w\"\nmain = \"worker.js\"\n[vars]\n");
    let (package, module) = (("package.json", r#"{"main":"index.js"}"#), ("index.js", "export const a = 1;"));
    let error = refused(&[toml, package, module], "");
    assert!(error.contains("wrangler.toml") && error.contains("wrangler.jsonc"), "{error}");
    packs(&[toml, ("wrangler.jsonc", r#"{"main":"index.js"}"#), module]);
    packs(&[("wrangler.toml", "name = \"w\"\n[build]\nmain = \"worker.js\"\n"), module]);
}

#[test]
fn settings_may_begin_with_a_byte_order_mark() {
    for (name, settings) in [
        ("wrangler.jsonc", "\u{feff}// Settings\n{\"main\":\"./w.js\"}"),
        ("package.json", "\u{feff}{\"main\":\"w.js\"}"),
    ] {
        assert!(packs(&[(name, settings), ("w.js", "export const a = 1;")]).contains(r#""main":"w.js""#));
    }
}

/// An approver reads the text as its author wrote it. Deeper than 30 blanks, where a narrow terminal would wrap it, an indentation is escaped.
#[test]
fn source_text_is_shown_with_its_indentation() {
    let deep = format!("const b = 1;\n{}void b;", " ".repeat(34));
    let body = format!(
        "\tif (env)   {{\n    await env.PP.requireApproval({{\n      capability: 'cloudflare.dynamic-worker.deploy', resource: 'r', reason: 'x' }});\n  }}\n{deep}"
    );
    let (here, folder) = sources(&[("index.js", &script::text(&body))]);
    let data = here.path().join("data");
    assert_eq!(run(&data, &["run", folder.to_str().unwrap(), "--wait"]).code, Some(3));
    let waiting = lines(&succeeds(&data, &["approvals", "--json"]));
    let shown = succeeds(&data, &["approvals", "show", waiting[0]["request"].as_str().unwrap(), "--source"]);
    for line in [
        "      5      if (env) \\u{20}\\u{20}{\n".to_owned(),
        "      6      await env.PP.requireApproval({\n".to_owned(),
        "      7        capability: 'cloudflare.dynamic-worker.deploy'".to_owned(),
        format!("     10  {}{}void b;\n", " ".repeat(30), "\\u{20}".repeat(4)),
    ] {
        assert!(shown.contains(&line), "{line}{shown}");
    }
}

/// The sandbox that parses source text parses these modules too.
#[test]
fn a_json_module_that_is_not_json_is_refused_with_its_place() {
    let main = ("w.js", &*format!("import c from './c.json';\nvoid c;\n{}", script::text("return 1;")));
    for (content, place) in [("{\n  // A comment\n}", "c.json:2:"), ("[1,]", "c.json:1:"), ("", "c.json")] {
        let (here, folder) = sources(&[main, ("c.json", content)]);
        let run = ["run", folder.join("w.js").to_str().unwrap()].map(str::to_owned);
        let error = fails(&here.path().join("data"), &run.each_ref().map(|word| &**word), 1);
        assert!(error.contains(place), "{content:?}: {error}");
    }
}

#[test]
fn inspecting_says_whether_a_class_is_there_or_may_be() {
    let entry = "import { WorkflowEntrypoint } from 'cloudflare:workers';\n";
    let class = "class W extends WorkflowEntrypoint { async run() {} }\n";
    let again = "export { W } from './other.js';\n";
    let two = format!("{entry}export {class}export {}", class.replace("class W", "class V"));
    let base = format!(
        "{entry}export class Base extends WorkflowEntrypoint {{}}\nexport class W extends Base {{ async run() {{}} }}\n"
    );
    let (direct, other) = (format!("{entry}export {class}"), format!("{entry}export {class}"));
    for (files, arguments, code, workflow) in [
        (vec![("index.js", "export const a = 1")], &[][..], 1, "no: no module has a class that extends"),
        (vec![("index.js", again), ("other.js", "export class W {}")], &[], 1, "no: no module has a class"),
        (vec![("index.js", again), ("other.js", &other)], &[], 0, "perhaps: the text of the main module"),
        (
            vec![("index.js", &direct)],
            &["--class", "V"],
            0,
            "perhaps: the text of the main module shows no exported class V",
        ),
        (vec![("index.js", &direct)], &["--class", "W"], 0, "yes"),
        (vec![("index.js", &direct)], &[], 0, "yes"),
        (vec![("index.js", &two)], &[], 1, "no: the main module exports several workflows (W, V): say which"),
        (vec![("index.js", &two)], &["--class", "V"], 0, "yes"),
        (vec![("index.js", &base)], &[], 0, "yes"),
    ] {
        let (here, folder) = sources(&files);
        let data = here.path().join("data");
        let inspect = [&["inspect", folder.to_str().unwrap()], arguments].concat();
        let ran = run(&data, &inspect);
        assert_eq!(ran.code, Some(code), "{files:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(&format!("workflow      {workflow}")), "{files:?}: {}", ran.stdout);
        let seen = lines(&run(&data, &[&inspect[..], &["--json"]].concat()).stdout).remove(0);
        let known = match &workflow[..2] {
            "no" => Some(false),
            "ye" => Some(true),
            _ => None,
        };
        assert_eq!(seen["workflow"].as_bool(), known, "{seen}");
    }
}
