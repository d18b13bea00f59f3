//! Reads a module, and removes the types of TypeScript.

use crate::bindings::exports::permission_protocol::script::preparing::Diagnostic;
use crate::bindings::exports::permission_protocol::script::preparing::Summary;
use crate::diagnose;
use oxc_allocator::Allocator;
use oxc_ast::ast::AccessorProperty;
use oxc_ast::ast::Class;
use oxc_ast::ast::Declaration;
use oxc_ast::ast::Decorator;
use oxc_ast::ast::ExportDefaultDeclarationKind;
use oxc_ast::ast::Expression;
use oxc_ast::ast::ImportExpression;
use oxc_ast::ast::Program;
use oxc_ast::ast::Statement;
use oxc_ast_visit::Visit;
use oxc_codegen::Codegen;
use oxc_codegen::CodegenOptions;
use oxc_diagnostics::OxcDiagnostic;
use oxc_diagnostics::Severity;
use oxc_parser::Parser;
use oxc_semantic::SemanticBuilder;
use oxc_span::SourceType;
use oxc_transformer::TransformOptions;
use oxc_transformer::Transformer;
use prepared::Positions;
use std::path::Path;

/// JavaScript, and where its lines come from.
pub(crate) struct Printed {
    pub(crate) code: String,
    pub(crate) positions: Vec<u8>,
}

/// What a module imports, and which of the classes it exports are workflows.
pub(crate) fn examine(name: &str, text: &str, is_typescript: bool) -> Result<Summary, Diagnostic> {
    with_types_removed(name, text, is_typescript, |program| {
        let mut imports = Imports(Vec::new());
        imports.visit_program(program);
        Summary { imports: imports.0, workflows: workflows(program) }
    })
}

/// The module as JavaScript.
pub(crate) fn strip(name: &str, text: &str) -> Result<Printed, Diagnostic> {
    with_types_removed(name, text, true, |program| {
        let options = CodegenOptions { source_map_path: Some(name.into()), ..CodegenOptions::default() };
        let printed = Codegen::new().with_options(options).build(program);
        let mut positions = Vec::new();
        for token in printed.map.iter().flat_map(|map| map.get_tokens()) {
            let code = (token.get_dst_line() + 1, token.get_dst_col() + 1);
            Positions::push(&mut positions, code, (token.get_src_line() + 1, token.get_src_col() + 1));
        }
        Printed { code: printed.code, positions }
    })
}

fn with_types_removed<T>(
    name: &str,
    text: &str,
    is_typescript: bool,
    then: impl FnOnce(&Program<'_>) -> T,
) -> Result<T, Diagnostic> {
    let allocator = Allocator::default();
    let kind = if is_typescript { SourceType::ts() } else { SourceType::mjs() };
    let parsed = Parser::new(&allocator, text, kind).parse();
    refuse(name, text, parsed.diagnostics.iter())?;
    let mut program = parsed.program;
    if is_typescript {
        let semantic = SemanticBuilder::new().with_enum_eval(true).build(&program);
        refuse(name, text, semantic.diagnostics.iter())?;
        let options = TransformOptions::default();
        let transformer = Transformer::new(&allocator, Path::new(name), &options);
        let transformed = transformer.build_with_scoping(semantic.semantic.into_scoping(), &mut program);
        refuse(name, text, transformed.diagnostics.iter())?;
    }
    Ok(then(&program))
}

fn refuse<'a>(
    name: &str,
    text: &str,
    mut found: impl Iterator<Item = &'a OxcDiagnostic>,
) -> Result<(), Diagnostic> {
    match found.find(|one| one.severity == Severity::Error) {
        Some(first) => Err(diagnose::of(name, text, first)),
        None => Ok(()),
    }
}

/// Syntax that is left where types are removed, and that QuickJS does not have.
pub(crate) fn unsupported(name: &str, text: &str) -> Option<Diagnostic> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, SourceType::ts()).parse();
    let mut first = Unsupported(None);
    first.visit_program(&parsed.program);
    let (offset, message) = first.0?;
    let (line, column) = diagnose::place(text, offset as usize);
    Some(Diagnostic { module: name.to_owned(), line, column, message: message.to_owned() })
}

/// The first place, and what to do instead.
struct Unsupported(Option<(u32, &'static str)>);

impl<'a> Visit<'a> for Unsupported {
    fn visit_decorator(&mut self, decorator: &Decorator<'a>) {
        let message = "decorators are not available: call the function on the class or the method instead";
        self.0.get_or_insert((decorator.span.start, message));
    }

    fn visit_accessor_property(&mut self, accessor: &AccessorProperty<'a>) {
        let message = "accessor fields are not available: write a getter and a setter instead";
        self.0.get_or_insert((accessor.span.start, message));
    }
}

/// Collects what is imported, in the order of the text.
struct Imports(Vec<String>);

impl Imports {
    fn add(&mut self, name: &str) {
        if !self.0.iter().any(|known| known == name) {
            self.0.push(name.to_owned());
        }
    }
}

impl<'a> Visit<'a> for Imports {
    fn visit_statement(&mut self, statement: &Statement<'a>) {
        match statement {
            Statement::ImportDeclaration(import) => self.add(&import.source.value),
            Statement::ExportAllDeclaration(export) => self.add(&export.source.value),
            Statement::ExportFromDeclaration(export) => self.add(&export.source.value),
            _ => {}
        }
        oxc_ast_visit::walk::walk_statement(self, statement);
    }

    fn visit_import_expression(&mut self, import: &ImportExpression<'a>) {
        if let Expression::StringLiteral(source) = &import.source {
            self.add(&source.value);
        }
        oxc_ast_visit::walk::walk_import_expression(self, import);
    }
}

/// The exported classes that extend a name `WorkflowEntrypoint`, or another class of the module that does. A class that another exported one
/// extends is what they have in common, and no workflow.
fn workflows(program: &Program<'_>) -> Vec<String> {
    let mut declared = Vec::new();
    let mut exported = Vec::new();
    for statement in &program.body {
        match statement {
            Statement::ClassDeclaration(class) => declared.push(&**class),
            Statement::ExportDefaultDeclaration(export) => {
                if let ExportDefaultDeclarationKind::ClassDeclaration(class) = &export.declaration {
                    declared.push(class);
                    exported.push((DEFAULT.to_owned(), Some(&**class)));
                }
            }
            Statement::ExportDeclaration(export) => {
                if let Declaration::ClassDeclaration(class) = &export.declaration {
                    declared.push(class);
                    exported.extend(name_of(class).map(|name| (name, Some(&**class))));
                }
            }
            _ => {}
        }
    }
    for statement in &program.body {
        let Statement::ExportNamedDeclaration(export) = statement else { continue };
        for specifier in &export.specifiers {
            let local = specifier.local.name().to_string();
            let class = declared.iter().find(|class| name_of(class).as_ref() == Some(&local));
            exported.push((specifier.exported.name().to_string(), class.copied()));
        }
    }
    let classes: Vec<_> = exported.iter().filter_map(|(_, class)| *class).collect();
    let is_common = |class: &Class<'_>| {
        name_of(class).is_some_and(|name| classes.iter().any(|other| lineage(other, &declared).contains(&name)))
    };
    let is_workflow = |class: &&Class<'_>| {
        lineage(class, &declared).iter().any(|name| name == ENTRYPOINT) && !is_common(class)
    };
    let found = exported.iter().filter(|(_, class)| class.as_ref().is_some_and(is_workflow));
    found.map(|(name, _)| name.clone()).collect()
}

/// The name of a default export.
pub(crate) const DEFAULT: &str = "default";

const ENTRYPOINT: &str = "WorkflowEntrypoint";

/// The names of the classes that a class extends, one after the other, as far as the module declares them.
fn lineage(class: &Class<'_>, declared: &[&Class<'_>]) -> Vec<String> {
    let mut names = Vec::new();
    let mut next = Some(class);
    while let Some(name) = next.and_then(extended) {
        if names.contains(&name) {
            break;
        }
        next = declared.iter().find(|class| name_of(class).as_ref() == Some(&name)).copied();
        names.push(name);
    }
    names
}

fn name_of(class: &Class<'_>) -> Option<String> {
    class.id.as_ref().map(|id| id.name.to_string())
}

fn extended(class: &Class<'_>) -> Option<String> {
    match class.heritage.as_ref().map(|heritage| &heritage.expression) {
        Some(Expression::Identifier(name)) => Some(name.name.to_string()),
        Some(Expression::StaticMemberExpression(member)) => Some(member.property.name.to_string()),
        _ => None,
    }
}
