//! Random JSON with the ugly cases in it.

use proptest::prelude::*;
use receipt::Json;
use receipt::json::Text;

/// Any value, a few levels deep.
pub(crate) fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        number().prop_map(Json::Number),
        text().prop_map(Json::String),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::Array),
            prop::collection::vec((text(), inner), 0..6).prop_map(Json::object),
        ]
    })
}

/// Small integers, every kind of float, and the edges where notation changes.
fn number() -> impl Strategy<Value = f64> {
    let edges = [
        0.0,
        -0.0,
        1e21,
        1e20,
        999_999_999_999_999_900_000.0,
        1e-6,
        1e-7,
        5e-324,
        f64::MAX,
        9_007_199_254_740_993.0,
    ];
    prop_oneof![
        any::<i32>().prop_map(f64::from),
        prop::num::f64::ANY.prop_filter("JSON has no word for it", |number| number.is_finite()),
        prop::sample::select(edges.to_vec()),
    ]
}

/// Strings and keys by code unit: controls, lone surrogates, astral characters, and names that JavaScript treats
/// specially.
fn text() -> impl Strategy<Value = Text> {
    let unit = prop_oneof![
        0_u16..0x20,
        0x20_u16..0x80,
        Just(u16::from(b'"')),
        Just(u16::from(b'\\')),
        prop::sample::select(vec![0x7F, 0xE9, 0x2028, 0x2029, 0xD7FF, 0xE000, 0xFEFF, 0xFFFF]),
        0xD800_u16..0xE000,
    ];
    prop_oneof![
        4 => prop::collection::vec(unit, 0..8).prop_map(Text::from_units),
        2 => "[a-c]{0,2}".prop_map(Text::from),
        1 => any::<char>().prop_map(|c| Text::from(c.to_string())),
        1 => prop::sample::select(vec!["__proto__", "constructor", "toString", "length", ""]).prop_map(Text::from),
    ]
}
