//! Reads a module, and removes the types of TypeScript.

use crate::bindings::exports::permission_protocol::script::preparing::Diagnostic;
use crate::bindings::exports::permission_protocol::script::preparing::Summary;
use crate::diagnose;
use oxc_allocator::Allocator;
use oxc_ast::ast::Class;
use oxc_ast::ast::Declaration;
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

/// The exported classes that extend a name `WorkflowEntrypoint`.
fn workflows(program: &Program<'_>) -> Vec<String> {
    let mut declared = Vec::new();
    let mut exported = Vec::new();
    for statement in &program.body {
        match statement {
            Statement::ClassDeclaration(class) if is_workflow(class) => declared.extend(name_of(class)),
            Statement::ExportDefaultDeclaration(export) => {
                if let ExportDefaultDeclarationKind::ClassDeclaration(class) = &export.declaration
                    && is_workflow(class)
                {
                    exported.push("default".to_owned());
                }
            }
            Statement::ExportDeclaration(export) => {
                if let Declaration::ClassDeclaration(class) = &export.declaration
                    && is_workflow(class)
                {
                    exported.extend(name_of(class));
                }
            }
            Statement::ExportNamedDeclaration(export) => {
                for specifier in &export.specifiers {
                    if declared.contains(&specifier.local.name().to_string()) {
                        exported.push(specifier.exported.name().to_string());
                    }
                }
            }
            _ => {}
        }
    }
    exported
}

fn name_of(class: &Class<'_>) -> Option<String> {
    class.id.as_ref().map(|id| id.name.to_string())
}

fn is_workflow(class: &Class<'_>) -> bool {
    match class.heritage.as_ref().map(|heritage| &heritage.expression) {
        Some(Expression::Identifier(name)) => name.name == "WorkflowEntrypoint",
        Some(Expression::StaticMemberExpression(member)) => member.property.name == "WorkflowEntrypoint",
        _ => false,
    }
}
