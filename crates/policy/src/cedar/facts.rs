//! A question in Cedar's terms, and the schema that declares the terms.

use super::counting::{ANYONE, APPROVALS};
use super::lattice::{Lattice, Point};
use crate::{Question, Role};
use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::{Display, Write as _};

/// The part of the schema that does not depend on the policies.
const SCHEMA: &str = "\
entity Agent { name: String };
entity Resource { name: String };
type Facts = {
  tenant: String,
  environment: String,
  capability: String,
  artifactBytes?: Long,
  artifactKnown?: Bool,
  artifactSha256?: String,
  componentKnown: Bool,
  componentSha256: String,
  approvals: Approvals,
};
";

/// Represents every capability that is neither named by the policies nor below a named one.
const OTHER: &str = "every other capability";

/// The schema that policies with these capabilities and roles are checked against.
///
/// Each named capability is in its named prefixes, as it is when a policy is evaluated. Each of `above`, the
/// capabilities that a policy can compare with another capability, has one entity below it, which represents all
/// capabilities that the policies do not name. Without these entities, the validator would treat what a policy says of
/// such a capability as impossible, and would not check it.
pub(super) fn schema(named: &BTreeSet<EntityId>, above: &BTreeSet<EntityId>, lattice: &Lattice) -> String {
    let counts: String = lattice.roles().map(|role| format!("\"{}\": Long, ", attribute(role))).collect();
    let applies = "appliesTo { principal: Agent, resource: Resource, context: Facts }";
    let (mut taken, mut actions) = (named.clone(), String::new());
    let mut declare = |id: &EntityId, within: &[String]| {
        let within = if within.is_empty() { String::new() } else { format!(" in [{}]", within.join(", ")) };
        let _ = writeln!(actions, "action {}{within} {applies};", quoted(id));
    };
    declare(&unnamed(OTHER, &mut taken), &[]);
    for id in named {
        let within = beginnings(id.unescaped()).map(EntityId::new).filter(|id| named.contains(id));
        declare(id, &within.map(|id| quoted(&id)).collect::<Vec<_>>());
        if above.contains(id) && can_be_a_beginning(id.unescaped()) {
            let below = unnamed(&format!("a capability below {}", id.unescaped()), &mut taken);
            declare(&below, &[quoted(id)]);
        }
    }
    format!("{SCHEMA}type Approvals = {{ {counts}}};\n{actions}")
}

/// A name that is not taken, and is from now on.
fn unnamed(name: &str, taken: &mut BTreeSet<EntityId>) -> EntityId {
    let mut id = EntityId::new(name);
    while !taken.insert(id.clone()) {
        id = EntityId::new(format!("{}'", id.unescaped()));
    }
    id
}

fn quoted(id: &EntityId) -> String {
    format!("\"{}\"", id.escaped())
}

fn attribute(role: Option<&Role>) -> &str {
    role.map_or(ANYONE, Role::as_str)
}

/// The names of the types.
#[derive(Debug)]
pub(super) struct Types {
    agent: EntityTypeName,
    action: EntityTypeName,
    resource: EntityTypeName,
}

impl Types {
    /// # Errors
    /// Never: these are names.
    pub(super) fn new() -> Result<Self, String> {
        let name = |name: &str| name.parse::<EntityTypeName>().map_err(failed);
        Ok(Self { agent: name("Agent")?, action: name("Action")?, resource: name("Resource")? })
    }
}

/// A question in Cedar's terms, but for the approvals.
pub(super) struct Facts<'a> {
    lattice: &'a Lattice,
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    context: Vec<(String, RestrictedExpression)>,
    pub(super) entities: Entities,
}

impl<'a> Facts<'a> {
    pub(super) fn of(types: &Types, lattice: &'a Lattice, question: &Question<'_>) -> Result<Self, String> {
        let principal = uid(&types.agent, question.actor.as_str());
        let action = uid(&types.action, question.capability);
        let resource = uid(&types.resource, question.resource);
        let within = beginnings(question.capability).map(|beginning| uid(&types.action, beginning));
        let entities = [
            named(&principal, question.actor.as_str())?,
            named(&resource, question.resource)?,
            Entity::new_no_attrs(action.clone(), within.collect()),
        ];
        let entities = Entities::from_entities(entities, None).map_err(failed)?;
        Ok(Self { lattice, principal, action, resource, context: context(question), entities })
    }

    /// The request, with the approvals of that point.
    pub(super) fn request(&self, point: &Point) -> Result<Request, String> {
        let counts = self.lattice.roles().zip(point);
        let count = |(role, count): (Option<&Role>, &u32)| {
            (attribute(role).to_owned(), RestrictedExpression::new_long(i64::from(*count)))
        };
        let approvals = RestrictedExpression::new_record(counts.map(count)).map_err(failed)?;
        let pairs = self.context.iter().cloned().chain([(APPROVALS.to_owned(), approvals)]);
        let context = Context::from_pairs(pairs).map_err(failed)?;
        let (principal, action, resource) =
            (self.principal.clone(), self.action.clone(), self.resource.clone());
        Request::new(principal, action, resource, context, None).map_err(failed)
    }
}

fn context(question: &Question<'_>) -> Vec<(String, RestrictedExpression)> {
    use crate::Novelty::Known;
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let mut context = vec![
        ("tenant", text(question.tenant.as_str())),
        ("environment", text(question.environment.as_str())),
        ("capability", text(question.capability)),
        ("componentKnown", RestrictedExpression::new_bool(question.component.novelty == Known)),
        ("componentSha256", text(&question.component.sha256.to_string())),
    ];
    if let Some(artifact) = question.artifact {
        // Cedar's numbers end where nothing in a computer's memory does.
        let bytes = i64::try_from(artifact.bytes).unwrap_or(i64::MAX);
        context.push(("artifactBytes", RestrictedExpression::new_long(bytes)));
        context.push(("artifactKnown", RestrictedExpression::new_bool(artifact.novelty == Known)));
        context.push(("artifactSha256", text(&artifact.sha256.to_string())));
    }
    context.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn uid(name: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(name.clone(), EntityId::new(id))
}

fn named(uid: &EntityUid, name: &str) -> Result<Entity, String> {
    let name = RestrictedExpression::new_string(name.to_owned());
    Entity::new(uid.clone(), HashMap::from([("name".to_owned(), name)]), HashSet::new()).map_err(failed)
}

/// The most dotted beginnings of a capability. A workflow may ask for any name; real ones have a handful of dots.
const MOST_BEGINNINGS: usize = 16;

/// The beginnings of a capability: `a.b.c` is in `a` and in `a.b`.
fn beginnings(capability: &str) -> impl Iterator<Item = &str> {
    let dots = capability.match_indices('.').take(MOST_BEGINNINGS);
    dots.filter_map(|(dot, _)| capability.get(..dot))
}

/// Whether a longer capability can be in this one.
fn can_be_a_beginning(capability: &str) -> bool {
    capability.matches('.').count() < MOST_BEGINNINGS
}

fn failed(error: impl Display) -> String {
    error.to_string()
}
