//! Whether the modules of a bundle export what the others import. QuickJS finds out only when the bundle runs.

use crate::bindings::exports::permission_protocol::script::preparing::Diagnostic;
use crate::diagnose;
use crate::typescript::DEFAULT;
use crate::typescript::Printed;
use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_span::SourceType;
use oxc_syntax::module_record::ExportExportName;
use oxc_syntax::module_record::ExportImportName;
use oxc_syntax::module_record::ImportImportName;
use oxc_syntax::module_record::ModuleRecord;
use prepared::Positions;
use prepared::resolve::resolve;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// What a module exports, and what it imports from others.
#[derive(Default)]
struct Links {
    exports: BTreeSet<String>,
    /// The modules all of whose exports it exports, as it names them.
    stars: Vec<String>,
    imports: Vec<Import>,
    /// Nothing is known of a module that only QuickJS can parse.
    is_unknown: bool,
}

struct Import {
    from: String,
    name: String,
    place: (u32, u32),
}

/// Checks modules as JavaScript, by their names. `None` is a module of content, which has a default export.
pub(crate) fn check(modules: &BTreeMap<String, Option<&Printed>>) -> Result<(), Diagnostic> {
    let links: BTreeMap<&str, Links> = modules.iter().map(|(name, code)| (name.as_str(), of(*code))).collect();
    for (name, module) in &links {
        for import in &module.imports {
            let Some(from) = target(&links, name, &import.from) else { continue };
            if exports(&links, from, &import.name, &mut BTreeSet::new()) {
                continue;
            }
            let hint = match import.name == DEFAULT {
                true => "",
                false => "; if it is a type, write `import type` or `export type`",
            };
            let message = format!("{from} has no export {:?}{hint}", import.name);
            let (line, column) = import.place;
            return Err(Diagnostic { module: (*name).to_owned(), line, column, message });
        }
    }
    Ok(())
}

/// The module of the bundle that an import names. `None` for the public modules, which are not checked, and for a missing one, which QuickJS refuses.
fn target<'a>(links: &BTreeMap<&'a str, Links>, base: &str, name: &str) -> Option<&'a str> {
    let found = resolve(base, name, |candidate| links.contains_key(candidate)).ok()?;
    links.get_key_value(found.as_str()).map(|(name, _)| *name)
}

fn exports<'a>(
    links: &BTreeMap<&'a str, Links>,
    module: &'a str,
    name: &str,
    seen: &mut BTreeSet<&'a str>,
) -> bool {
    let Some(found) = links.get(module) else { return true };
    if found.is_unknown || found.exports.contains(name) {
        return true;
    }
    let mut from_star = |star: &String| match target(links, module, star) {
        Some(from) => seen.insert(from) && exports(links, from, name, seen),
        None => true,
    };
    name != DEFAULT && found.stars.iter().any(&mut from_star)
}

fn of(code: Option<&Printed>) -> Links {
    let Some(printed) = code else {
        return Links { exports: BTreeSet::from([DEFAULT.to_owned()]), ..Links::default() };
    };
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, &printed.code, SourceType::mjs()).parse();
    if parsed.panicked || !parsed.diagnostics.is_empty() {
        return Links { is_unknown: true, ..Links::default() };
    }
    read(&parsed.module_record, printed)
}

fn read(record: &ModuleRecord<'_>, printed: &Printed) -> Links {
    let mut links = Links::default();
    for export in record.local_export_entries.iter().chain(&record.indirect_export_entries) {
        match &export.export_name {
            ExportExportName::Name(name) => drop(links.exports.insert(name.name.to_string())),
            ExportExportName::Default(_) => drop(links.exports.insert(DEFAULT.to_owned())),
            ExportExportName::Null => {}
        }
        if let (Some(from), ExportImportName::Name(name)) = (&export.module_request, &export.import_name) {
            let place = place(printed, name.span.start as usize);
            links.imports.push(Import { from: from.name.to_string(), name: name.name.to_string(), place });
        }
    }
    let stars = record.star_export_entries.iter().filter_map(|export| export.module_request.as_ref());
    links.stars = stars.map(|from| from.name.to_string()).collect();
    for import in &record.import_entries {
        let (name, at) = match &import.import_name {
            ImportImportName::Name(name) => (name.name.to_string(), name.span),
            ImportImportName::Default(span) => (DEFAULT.to_owned(), *span),
            ImportImportName::NamespaceObject => continue,
        };
        let place = place(printed, at.start as usize);
        links.imports.push(Import { from: import.module_request.name.to_string(), name, place });
    }
    links
}

/// The place in the source of a place in the code.
fn place(printed: &Printed, offset: usize) -> (u32, u32) {
    let (line, column) = diagnose::place(&printed.code, offset);
    match printed.positions.is_empty() {
        true => (line, column),
        false => Positions(&printed.positions).source(line, column).unwrap_or((line, column)),
    }
}
