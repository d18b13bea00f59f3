//! The portable form of a set of deciders: `deciders.json`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{DeciderKey, DeciderSet, DeciderSetError, Grants, Person};
use crate::format::names::{PersonId, Role};
use crate::json::members::{Members, ShapeError};
use crate::json::{Json, Object};
use crate::people::key::PublicKey;
use crate::people::passkey::PasskeyRecord;
use crate::people::scheme::Scheme;
use crate::timestamp::Timestamp;

/// The version without earlier roles and tenants: the present ones hold for all times.
const VERSION: u32 = 1;

/// The version with earlier roles and tenants. A reader of version 1 refuses it, so that it does not misjudge a past
/// decision.
const VERSION_WITH_EARLIER: u32 = 2;

pub(super) fn read(text: &str) -> Result<DeciderSet, DeciderSetError> {
    let json = Json::parse(text)?;
    let members = Members::of("deciders", &json, &["deciders", "version"], &[])?;
    let version = members.get("version");
    let optional: &[&str] = match () {
        () if *version == Json::from(VERSION) => &["removedAt"],
        () if *version == Json::from(VERSION_WITH_EARLIER) => &["earlier", "removedAt"],
        () => return Err(DeciderSetError::Version),
    };
    let mut set = DeciderSet::new();
    for entry in members.array("deciders")? {
        set.insert(read_person(entry, optional)?)?;
    }
    Ok(set)
}

pub(super) fn write(set: &DeciderSet) -> String {
    let people = set.people.iter().map(write_person).collect::<Vec<_>>();
    let version = match set.people.iter().all(|person| person.earlier.is_empty()) {
        true => VERSION,
        false => VERSION_WITH_EARLIER,
    };
    Json::object([("deciders", people.into()), ("version", version.into())]).canonical()
}

fn read_person(entry: &Json, optional: &[&str]) -> Result<Person, DeciderSetError> {
    let members = Members::of("decider", entry, &["id", "keys", "roles", "tenants"], optional)?;
    let id: PersonId = members.read("id", "is not a person's id")?;
    let (roles, tenants) = read_grants(members)?;
    let earlier = match members.has("earlier") {
        true => members.array("earlier")?.iter().map(read_earlier).collect::<Result<_, _>>()?,
        false => Vec::new(),
    };
    let keys = members.array("keys")?.iter().map(|key| read_key(key, &id)).collect::<Result<_, _>>()?;
    Ok(Person { roles, tenants, earlier, removed_at: members.instant_or_absent("removedAt")?, keys, id })
}

fn read_earlier(entry: &Json) -> Result<Grants, DeciderSetError> {
    let members = Members::of("earlier", entry, &["roles", "tenants", "until"], &[])?;
    let (roles, tenants) = read_grants(members)?;
    Ok(Grants { roles, tenants, until: members.instant("until")? })
}

fn read_grants(members: Members<'_>) -> Result<(Vec<Role>, Vec<String>), DeciderSetError> {
    let text = |json: &Json, name: &str| {
        json.as_str()
            .map(String::from)
            .ok_or_else(|| ShapeError::new(name, "holds something else than strings"))
    };
    let role = |json: &Json| {
        text(json, "roles")?.parse().map_err(|_| ShapeError::new("roles", "holds something else than roles"))
    };
    let tenant = |json: &Json| text(json, "tenants");
    let roles = members.array("roles")?.iter().map(role).collect::<Result<_, _>>()?;
    Ok((roles, members.array("tenants")?.iter().map(tenant).collect::<Result<_, _>>()?))
}

fn read_key(entry: &Json, person: &PersonId) -> Result<DeciderKey, DeciderSetError> {
    let required = ["keyid", "kind", "publicKey", "validFrom"];
    let members =
        Members::of("key", entry, &required, &["passkey", "validUntil", "revokedAt", "compromisedAt"])?;
    let scheme = Scheme::from_signed(members.str("kind")?)
        .ok_or_else(|| ShapeError::new("kind", "is not a kind of key that is known here"))?;
    let record = match members.has("passkey") {
        true => Some(PasskeyRecord::from_json(members.get("passkey"))?),
        false => None,
    };
    let key = PublicKey::parse(scheme, members.str("publicKey")?, record.as_ref())
        .map_err(|error| DeciderSetError::PublicKey { person: person.clone(), error })?;
    if members.str("keyid")? != format!("{}", key.key_id()) {
        return Err(DeciderSetError::WrongKeyId(key.key_id()));
    }
    Ok(DeciderKey {
        key,
        valid_from: members.instant("validFrom")?,
        valid_until: members.instant_or_absent("validUntil")?,
        revoked_at: members.instant_or_absent("revokedAt")?,
        compromised_at: members.instant_or_absent("compromisedAt")?,
    })
}

fn write_person(person: &Person) -> Json {
    let mut object = Object::new();
    object.insert("id", person.id.as_str());
    write_grants(&mut object, &person.roles, &person.tenants);
    if !person.earlier.is_empty() {
        object.insert("earlier", person.earlier.iter().map(write_earlier).collect::<Vec<_>>());
    }
    object.insert("keys", person.keys.iter().map(write_key).collect::<Vec<_>>());
    instant(&mut object, "removedAt", person.removed_at);
    object.into()
}

fn write_earlier(earlier: &Grants) -> Json {
    let mut object = Object::new();
    write_grants(&mut object, &earlier.roles, &earlier.tenants);
    instant(&mut object, "until", Some(earlier.until));
    object.into()
}

fn write_grants(object: &mut Object, roles: &[Role], tenants: &[String]) {
    object.insert("roles", Json::array(roles.iter().map(|role| role.as_str())));
    object.insert("tenants", Json::array(tenants.iter().map(String::as_str)));
}

fn write_key(key: &DeciderKey) -> Json {
    let mut object = Object::new();
    object.insert("keyid", format!("{}", key.key.key_id()));
    object.insert("kind", key.key.scheme().as_str());
    object.insert("publicKey", key.key.to_base64());
    if let Some(passkey) = key.key.as_passkey() {
        object.insert("passkey", passkey.record().to_json());
    }
    instant(&mut object, "validFrom", Some(key.valid_from));
    instant(&mut object, "validUntil", key.valid_until);
    instant(&mut object, "revokedAt", key.revoked_at);
    instant(&mut object, "compromisedAt", key.compromised_at);
    object.into()
}

fn instant(object: &mut Object, name: &str, at: Option<Timestamp>) {
    if let Some(at) = at {
        object.insert(name, format!("{at}"));
    }
}
