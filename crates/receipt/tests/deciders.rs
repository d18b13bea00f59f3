//! Sets of deciders: strict reading, and whose key counts when.

use crate::common::{alice, at, json, person, with};
use receipt::{
    DeciderKey, DeciderSet, DeciderSetError, Ed25519StatementSigner, Json, KeyId, MAX_KEYS, MAX_PEOPLE,
    NotCounted, Person, PersonId, PublicKey, Role, StatementSigner as _, Timestamp,
};

fn signer(seed: u8) -> Ed25519StatementSigner {
    Ed25519StatementSigner::from_seed(&[seed; 32]).unwrap()
}

fn key(seed: u8) -> PublicKey {
    signer(seed).public_key()
}

/// Alice with everything that an entry can have, and Bob with as little as it can.
fn set() -> DeciderSet {
    let mut set = DeciderSet::new();
    let day = |day: u32| at(&format!("2026-11-{day:02}T00:00:00.000Z"));
    let mut all = DeciderKey::new(alice().public_key(), day(1));
    (all.valid_until, all.revoked_at, all.compromised_at) = (Some(day(20)), Some(day(15)), Some(day(10)));
    let mut full = person("alice", &signer(2));
    full.roles.push("break-glass".parse().unwrap());
    full.tenants = vec!["acme".to_owned(), "umbrella".to_owned()];
    full.removed_at = Some(day(25));
    full.keys.push(all);
    set.insert(full).unwrap();
    let nothing = Person { roles: vec![], keys: vec![], ..person("bob@acme.example", &alice()) };
    set.insert(nothing).unwrap();
    set
}

#[test]
fn a_set_survives_being_written() {
    let text = set().to_json();
    assert_eq!(DeciderSet::parse(&text), Ok(set()));
    assert_eq!(DeciderSet::parse(&format!(" {text}\n")), Ok(set()));
    assert_eq!(DeciderSet::parse(r#"{"deciders":[],"version":1}"#), Ok(DeciderSet::new()));
    let pem =
        text.replace(&alice().public_key().to_base64(), &alice().public_key().to_pem().replace('\n', "\\n"));
    assert_ne!(pem, text);
    assert_eq!(DeciderSet::parse(&pem), Ok(set()));
}

#[test]
fn anything_odd_in_a_set_is_an_error() {
    let text = set().to_json();
    let id = alice().public_key().key_id().to_string();
    let cases = [
        (r#""version":1"#, r#""version":3"#),
        (r#""version":1"#, r#""version":"1""#),
        (r#""version":1"#, r#""version":1,"more":1"#),
        (r#""version":1"#, r#""versions":1"#),
        (r#""version":1"#, r#""version":1,"version":1"#),
        (r#""id":"alice""#, r#""id":"Alice""#),
        (r#""id":"alice""#, r#""id":"""#),
        (r#""id":"alice""#, r#""id":"user:alice""#),
        (r#""id":"alice""#, r#""id":"bob@acme.example""#),
        (r#""id":"alice""#, r#""id":"alice","email":"a@b""#),
        (r#""roles":[]"#, r#""roles":[""]"#),
        (r#""roles":[]"#, r#""roles":[1]"#),
        (r#""roles":[]"#, r#""roles":"release""#),
        (r#""roles":[]"#, r#""roles":["release","release"]"#),
        (r#""tenants":["acme","umbrella"]"#, r#""tenants":["acme","acme"]"#),
        (r#""tenants":["acme","umbrella"]"#, r#""tenants":[""]"#),
        (r#""tenants":["acme","umbrella"]"#, r#""tenants":null"#),
        (r#""tenants":["acme","umbrella"]"#, r#""tenants":["acme"]"#),
        (r#""kind":"ed25519""#, r#""kind":"sk-ssh-ed25519""#),
        (r#""kind":"ed25519""#, r#""kind":"ED25519""#),
        (id.as_str(), &key(9).key_id().to_string()),
        (id.as_str(), "alice"),
        (&alice().public_key().to_base64(), &key(9).to_base64()),
        (&alice().public_key().to_base64(), "AAAA"),
        (r#""removedAt":"2026-11-25T00:00:00.000Z""#, r#""removedAt":null"#),
        (r#""removedAt":"2026-11-25T00:00:00.000Z""#, r#""removedAt":"2026-11-25T00:00:00Z""#),
        (r#""removedAt":"2026-11-25T00:00:00.000Z""#, r#""removedAt":"2026-11-31T00:00:00.000Z""#),
        (r#""validFrom":"2026-11-01T00:00:00.000Z""#, r#""validFrom":null"#),
        (r#""validFrom":"2026-11-01T00:00:00.000Z""#, r#""validFrom":"2026-11-20T00:00:00.000Z""#),
        (r#""revokedAt""#, r#""revoked""#),
    ];
    for (from, to) in cases {
        assert!(text.contains(from), "{from}");
        let result = DeciderSet::parse(&text.replacen(from, to, 1));
        // One of the cases is a valid set, which shows that the substitution works.
        assert_eq!(result.is_ok(), to == r#""tenants":["acme"]"#, "{from} {to}: {result:?}");
    }
    let entry = json(&text).get("deciders").unwrap().as_array().unwrap()[0].clone();
    for member in ["id", "keys", "roles", "tenants"] {
        let set = Json::object([
            ("deciders", Json::array([with(&entry, member, None)])),
            ("version", 1_u32.into()),
        ]);
        assert!(matches!(DeciderSet::parse(&set.canonical()), Err(DeciderSetError::Shape(_))), "{member}");
    }
    for text in ["", "[]", "null", "{}", r#"{"deciders":{},"version":1}"#] {
        assert!(DeciderSet::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_name_is_of_one_person_and_a_key_too() {
    let mut set = set();
    let again = person("alice", &signer(3));
    assert_eq!(set.insert(again), Err(DeciderSetError::DuplicatePerson("alice".parse().unwrap())));
    let stolen = person("carol", &alice());
    let duplicate = DeciderSetError::DuplicateKey {
        key: alice().public_key().key_id(),
        person: "alice".parse().unwrap(),
    };
    assert_eq!(set.insert(stolen), Err(duplicate.clone()));
    let (bob, day): (PersonId, Timestamp) =
        ("bob@acme.example".parse().unwrap(), at("2026-11-01T00:00:00.000Z"));
    assert_eq!(set.add_key(&bob, DeciderKey::new(alice().public_key(), day)), Err(duplicate));
    let mut twice = person("carol", &signer(4));
    twice.keys.push(twice.keys[0].clone());
    assert!(matches!(set.insert(twice), Err(DeciderSetError::DuplicateKey { .. })));
    assert_eq!(set.add_key(&bob, DeciderKey::new(key(5), day)), Ok(()));
    let nobody: PersonId = "nobody".parse().unwrap();
    let missing = Err(DeciderSetError::NoSuchPerson(nobody.clone()));
    assert_eq!(set.add_key(&nobody, DeciderKey::new(key(6), day)), missing);
    assert_eq!(set.remove(&nobody, day), missing);
    assert_eq!(set.revoke_key(key(7).key_id(), day), Err(DeciderSetError::NoSuchKey(key(7).key_id())));
}

#[test]
fn a_set_is_bounded() {
    let mut many = DeciderSet::new();
    let nobody = Person { keys: vec![], ..person("x", &alice()) };
    for index in 0..MAX_PEOPLE {
        many.insert(Person { id: format!("p{index}").parse().unwrap(), ..nobody.clone() }).unwrap();
    }
    assert!(matches!(many.insert(nobody.clone()), Err(DeciderSetError::TooMany { what: "people", .. })));
    let start = at("2026-01-01T00:00:00.000Z");
    let numbered = |index: usize| {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&index.to_le_bytes());
        DeciderKey::new(Ed25519StatementSigner::from_seed(&seed).unwrap().public_key(), start)
    };
    let keys: Vec<_> = (0..=MAX_KEYS).map(numbered).collect();
    let mut set = DeciderSet::new();
    let too_many = Person { keys: keys.clone(), ..nobody.clone() };
    assert!(matches!(set.insert(too_many), Err(DeciderSetError::TooMany { what: "keys", .. })));
    set.insert(Person { keys: keys[..MAX_KEYS].to_vec(), ..nobody.clone() }).unwrap();
    let one_more = set.add_key(&"x".parse().unwrap(), keys[MAX_KEYS].clone());
    assert!(matches!(one_more, Err(DeciderSetError::TooMany { what: "keys", .. })));
    let roles = (0..33).map(|index| format!("r{index}").parse().unwrap()).collect();
    let much = Person { id: "y".parse().unwrap(), roles, ..nobody.clone() };
    assert!(matches!(set.insert(much), Err(DeciderSetError::TooMany { what: "roles", .. })));
    let tenants = (0..1025).map(|index| format!("t{index}")).collect();
    let wide = Person { id: "y".parse().unwrap(), tenants, ..nobody };
    assert!(matches!(set.insert(wide), Err(DeciderSetError::TooMany { what: "tenants", .. })));
}

#[test]
fn names_are_plain() {
    for name in ["a", "alice", "alice@acme.example", "0", "a-b_c.d", &"a".repeat(64)] {
        assert_eq!(name.parse::<PersonId>().unwrap().as_str(), name);
    }
    for name in
        ["", "Alice", "alice ", " a", "-a", "@a", "a/b", "a:b", "аlice", "a\n", "a\u{200b}", &"a".repeat(65)]
    {
        assert!(name.parse::<PersonId>().is_err(), "{name}");
        assert!(name.parse::<Role>().is_err(), "{name}");
    }
    assert!("a@b".parse::<Role>().is_err());
    assert!("break-glass".parse::<Role>().unwrap().is_break_glass());
}

const DECIDED: &str = "2026-11-23T09:00:00.000Z";
const BEFORE: &str = "2026-11-23T08:59:59.999Z";
const AFTER: &str = "2026-11-23T09:00:00.001Z";
const MUCH_LATER: &str = "2027-11-23T09:00:00.000Z";

/// The moments of a key and its person, all about the time of the decision.
type Change = fn(&mut Person, Timestamp);
type Reason = fn(Timestamp) -> NotCounted;

fn validity(change: Change, moment: &str) -> (Option<NotCounted>, Option<NotCounted>) {
    let mut set = DeciderSet::new();
    let mut alice = person("alice", &alice());
    change(&mut alice, at(moment));
    let id: KeyId = alice.keys[0].key.key_id();
    set.insert(alice).unwrap();
    let as_decided = set.counted_as_decided(id, at(DECIDED)).err();
    (as_decided, set.counted_as_known(id, at(DECIDED), at(MUCH_LATER)).err())
}

#[test]
fn a_key_signs_while_it_is_valid() {
    let from: Change = |person, at| person.keys[0].valid_from = at;
    let until: Change = |person, at| person.keys[0].valid_until = Some(at);
    for moment in [BEFORE, DECIDED] {
        assert_eq!(validity(from, moment), (None, None));
        let over = Some(NotCounted::NoLongerValid(at(moment)));
        assert_eq!(validity(until, moment), (over.clone(), over));
    }
    let early = Some(NotCounted::NotYetValid(at(AFTER)));
    assert_eq!(validity(from, AFTER), (early.clone(), early));
    assert_eq!(validity(until, AFTER), (None, None), "what it signed before stays good");
}

/// The two questions differ only in what happened after the decision.
#[test]
fn what_is_withdrawn_later_counted_then_and_does_not_count_now() {
    let cases: [(Change, Reason); 3] = [
        (|person, at| person.keys[0].revoked_at = Some(at), NotCounted::Revoked),
        (|person, at| person.keys[0].compromised_at = Some(at), NotCounted::Compromised),
        (
            |person, at| person.removed_at = Some(at),
            |at| NotCounted::Removed { person: "alice".parse().unwrap(), at },
        ),
    ];
    for (change, refusal) in cases {
        for moment in [BEFORE, DECIDED] {
            let refused = Some(refusal(at(moment)));
            assert_eq!(validity(change, moment), (refused.clone(), refused), "{moment}");
        }
        for moment in [AFTER, MUCH_LATER] {
            assert_eq!(validity(change, moment), (None, Some(refusal(at(moment)))), "{moment}");
        }
        assert_eq!(validity(change, "2027-11-23T09:00:00.001Z"), (None, None), "not yet");
    }
}

#[test]
fn a_key_of_no_person_does_not_count() {
    let id = key(8).key_id();
    assert_eq!(set().counted_as_decided(id, at(DECIDED)), Err(NotCounted::UnknownKey(id)));
    assert!(set().key(id).is_none());
    assert_eq!(set().key(alice().public_key().key_id()).unwrap().person.id.as_str(), "alice");
}

#[test]
fn what_was_withdrawn_once_is_not_withdrawn_later() {
    let mut set = DeciderSet::new();
    set.insert(person("alice", &alice())).unwrap();
    let (id, name) = (alice().public_key().key_id(), "alice".parse().unwrap());
    for moment in [DECIDED, AFTER, BEFORE, DECIDED] {
        set.revoke_key(id, at(moment)).unwrap();
        set.mark_compromised(id, at(moment)).unwrap();
        set.remove(&name, at(moment)).unwrap();
    }
    let alice = set.person(&name).unwrap();
    assert_eq!(alice.removed_at, Some(at(BEFORE)));
    assert_eq!(
        (alice.keys[0].revoked_at, alice.keys[0].compromised_at),
        (Some(at(BEFORE)), Some(at(BEFORE)))
    );
    assert_eq!(DeciderSet::parse(&set.to_json()), Ok(set));
}
