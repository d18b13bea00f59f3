//! TypeScript and modules: removed syntax, module resolution, and the errors for mistakes.

use crate::support;
use crate::support::script;
use serde_json::json;

fn load_error(modules: &[(&str, &str)]) -> String {
    let harness = script::harness();
    match harness.host.load(script::bundle(modules).bytes()) {
        Ok(_) => panic!("it loads"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn enums_namespaces_and_parameter_properties_become_what_they_mean() {
    let text = "import { WorkflowEntrypoint, WorkflowEvent, WorkflowStep } from 'cloudflare:workers';
        import type { Unused } from './nowhere';
        enum Level { Low = 1, High = 5 }
        const enum Fast { Yes = 'yes' }
        namespace Tools { export const twice = (n: number) => n * 2; }
        class Point { constructor(readonly x: number, private y = 2) {} sum(): number { return this.x + this.y; } }
        abstract class Base<T> { declare later: T; abstract go(): T; }
        export class W extends WorkflowEntrypoint<Env, { n: number }> {
          async run(event: WorkflowEvent<{ n: number }>, step: WorkflowStep) {
            const n = event.payload.n satisfies number as number;
            return [Level.High, Level[1], Fast.Yes, Tools.twice(n!), new Point(1).sum(), <string>'x'];
          }
        }";
    let harness = script::harness();
    let key = script::start(&harness.host, &script::bundle(&[("w.ts", text)]), &json!({ "n": 21 }));
    assert_eq!(harness.result(&key), json!([5, "Low", "yes", 42, 3, "x"]));
}

#[test]
fn modules_find_each_other_and_their_data() {
    let modules = [
        (
            "src/index.ts",
            "import { WorkflowEntrypoint } from 'cloudflare:workers';
             import { twice } from './lib/math.js';
             import config from '../config.json' with { type: 'json' };
             import prompt from './prompt.txt';
             export default { fetch() { return 'tolerated'; } };
             export class W extends WorkflowEntrypoint {
               async run() { const { late } = await import('./late'); return [twice(config.n), prompt, late]; }
             }",
        ),
        ("src/lib/math.ts", "export const twice = (n: number): number => n * 2;"),
        ("src/late.js", "export const late = await Promise.resolve('late');"),
        ("config.json", "{ \"n\": 4 }"),
        ("src/prompt.txt", "h\u{e9}llo"),
    ];
    assert_eq!(
        support::result(&script::run_bundle(&script::bundle(&modules))),
        json!([8, "h\u{e9}llo", "late"])
    );
}

#[test]
fn a_syntax_error_has_its_line_and_column() {
    let error = load_error(&[("w.ts", "const a: number = 1;\nconst b = ;\n")]);
    assert!(error.contains("w.ts:2:11"), "{error}");
    let error = load_error(&[("w.js", "const a = 1;\n\nconst b = ;\n")]);
    assert!(error.contains("w.js:3:"), "{error}");
}

#[test]
fn an_import_that_leads_nowhere_says_what_to_do() {
    for (import, says) in [
        ("lodash", "esbuild"),
        ("node:fs", "Node.js"),
        ("cloudflare:sockets", "cloudflare:workers and cloudflare:workflows"),
        ("./gone", "no module \"gone\""),
        ("../gone", "out of the bundle"),
        ("pp:loop", "esbuild"),
    ] {
        let error = load_error(&[("w.js", &format!("import {{ a }} from '{import}';\n"))]);
        assert!(error.contains(says), "{import}: {error}");
    }
}

#[test]
fn an_import_of_what_a_module_does_not_export_is_refused_with_its_place() {
    let others = [
        ("a.ts", "export interface Shape { n: number }\nexport const there = 1;\nexport default 2;\n"),
        ("all.ts", "export * from './a';\nexport * from './all';\nexport { there as renamed } from './a';\n"),
        ("c.json", "{ \"k\": 1 }"),
    ];
    let load = |main: &str| load_error(&[&[("w.ts", main)][..], &others].concat());
    for (main, says) in [
        (
            "import { there } from './a';\nimport { makeBaz } from './a';\nmakeBaz(there);",
            "w.ts:2:10: a.ts has no export \"makeBaz\"",
        ),
        (
            "import { Shape } from './a';\nexport { Shape };",
            "w.ts:1:10: a.ts has no export \"Shape\"; if it is a type, write `import type`",
        ),
        ("export { gone } from './all';", "w.ts:1:10: all.ts has no export \"gone\""),
        ("import all from './all';\nall();", "w.ts:1:8: all.ts has no export \"default\""),
        ("import { k } from './c.json';\nconsole.log(k);", "c.json has no export \"k\""),
    ] {
        let error = load(main);
        assert!(error.contains(says), "{main}: {error}");
    }
    let text = script::text("return [there, renamed, other, config.k, Object.keys(all)];").replacen(
        "import {",
        "import { there, renamed, type Shape } from './all'; import other from './a'; import config from './c.json'; import * as all from './all';\nimport {",
        1,
    );
    let bundle = script::bundle(&[&[("w.ts", &*text)][..], &others].concat());
    assert_eq!(support::result(&script::run_bundle(&bundle)), json!([1, 1, 2, 1, ["renamed", "there"]]));
}

#[test]
fn syntax_that_the_engine_lacks_says_what_to_write_instead() {
    for (text, says) in [
        (
            "const log = (f: any) => f;\nclass A {\n  @log run() {}\n}",
            "w.ts:3:3: decorators are not available",
        ),
        ("class A {\n  accessor n = 1;\n}", "w.ts:2:3: accessor fields are not available"),
    ] {
        let error = load_error(&[("w.ts", text)]);
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn a_json_module_that_is_not_json_is_refused_with_its_place() {
    let main = "import c from './c.json';\nexport const a = c;\n";
    for (json, line) in [("{ \"a\": 1,\n }", "c.json:2:"), ("// a comment\n{}", "c.json:1:"), ("", "c.json")]
    {
        let error = load_error(&[("w.js", main), ("c.json", json)]);
        assert!(error.contains(line), "{json}: {error}");
    }
    let text = script::text("return data;").replacen("import {", "import data from './c.json';\nimport {", 1);
    let bundle = script::bundle(&[("w.js", &text), ("c.json", "\u{feff}{ \"a\": 1 }")]);
    assert_eq!(crate::support::result(&script::run_bundle(&bundle)), json!({ "a": 1 }));
}

/// Source that makes a native parser overflow its stack ends one instance here.
#[test]
fn source_that_is_nested_deeply_is_refused_and_the_host_goes_on() {
    let harness = script::harness();
    let deep = format!("export const a = {}1{};", "(".repeat(200_000), ")".repeat(200_000));
    for name in ["w.ts", "w.js"] {
        let error = harness.host.load(script::bundle(&[(name, &deep)]).bytes()).err().unwrap().to_string();
        assert!(error.contains("nested too deeply") || error.contains("stack"), "{name}: {error}");
    }
    let key = script::start(&harness.host, &script::workflow("return 1;"), &json!({}));
    assert_eq!(harness.result(&key), json!(1));
}
