//! JSON as JavaScript has it, and the three stricter rules.

use crate::strategies;
use proptest::prelude::*;
use receipt::json::{MAX_DEPTH, MAX_LEN, MAX_SAFE_INTEGER, Object, Text, UnsafeInteger};
use receipt::{Json, JsonError};

/// Parses `text`, and writes it.
fn canonical(text: &str) -> Result<String, JsonError> {
    Json::parse(text).map(|json| json.canonical())
}

#[test]
fn texts_are_written_as_javascript_writes_them() {
    for (text, expected) in [
        (" [ 1 , 2 ] ", "[1,2]"),
        ("\t\r\n{ \"b\" : 1 , \"a\" : { } }", r#"{"a":{},"b":1}"#),
        ("-0", "0"),
        ("0.0", "0"),
        ("-0.0e5", "0"),
        ("1e21", "1e+21"),
        ("1e20", "100000000000000000000"),
        ("123456789012345678901234567890", "1.2345678901234568e+29"),
        ("9007199254740993", "9007199254740992"),
        ("0.000001", "0.000001"),
        ("1e-7", "1e-7"),
        ("5e-324", "5e-324"),
        ("1e-400", "0"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("1e400", "null"),
        ("-1e400", "null"),
        ("1E+2", "100"),
        (r#""\/""#, r#""/""#),
        (r#""\u0041\u00e9""#, r#""Aé""#),
        (r#""\u0000\u001f\u007f\b\f\n\r\t\"\\""#, "\"\\u0000\\u001f\u{7f}\\b\\f\\n\\r\\t\\\"\\\\\""),
        ("\"\u{2028}\u{2029}\u{feff}\"", "\"\u{2028}\u{2029}\u{feff}\""),
        (r#""\ud83d\ude00""#, r#""😀""#),
        (r#""\uD83D\uDE00""#, r#""😀""#),
        (r#""\uD800""#, r#""\ud800""#),
        (r#""\udc00\ud800""#, r#""\udc00\ud800""#),
        (r#""a\ud800b😀\ud83d\ude00c""#, r#""a\ud800b😀😀c""#),
        (r#""\ud800\ud83d\ude00""#, r#""\ud800😀""#),
        (r#""\ud83d\n\ude00""#, r#""\ud83d\n\ude00""#),
        (r#"{"__proto__":1,"constructor":2}"#, r#"{"__proto__":1,"constructor":2}"#),
        ("{\"\u{e000}\":1,\"😀\":2,\"\u{7f}\":3,\"\":4}", "{\"\":4,\"\u{7f}\":3,\"😀\":2,\"\u{e000}\":1}"),
        (
            r#"{"\ud800":1,"\ud7ff":2,"\ue000":3,"😀":4}"#,
            "{\"\u{d7ff}\":2,\"\\ud800\":1,\"😀\":4,\"\u{e000}\":3}",
        ),
        (r#"{"10":1,"9":2,"a":3}"#, r#"{"10":1,"9":2,"a":3}"#),
    ] {
        assert_eq!(canonical(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn a_number_that_would_come_back_as_another_is_refused_where_it_has_to_be_exact() {
    for (text, kept) in [
        ("9007199254740993", "9007199254740992"),
        ("-9007199254740993", "-9007199254740992"),
        ("1e400", "null"),
        ("-1e400", "null"),
        ("1e99999999999999999999", "null"),
        ("1e-400", "0"),
        ("1e-99999999999999999999", "0"),
        ("0.1000000000000000055511151231257827", "0.1"),
        ("123456789012345678901234567890", "1.2345678901234568e+29"),
        ("1.00000000000000000000000000001", "1"),
    ] {
        let inexact = JsonError::Inexact { number: text.to_owned(), kept: kept.to_owned(), at: 6 };
        assert_eq!(Json::parse_exact(&format!(r#"{{"a": {text}}}"#)), Err(inexact.clone()), "{text}");
        assert!(inexact.to_string().contains(&format!("the number {text} at byte 6 comes back as {kept}")));
        assert!(Json::parse(text).is_ok(), "{text} is JSON");
    }
    let long = format!("1.{}1", "0".repeat(100_000));
    assert!(Json::parse_exact(&long).unwrap_err().to_string().len() < 300);
}

#[test]
fn a_number_that_comes_back_as_its_value_is_exact_however_it_is_written() {
    for (text, kept) in [
        ("0", "0"),
        ("-0", "0"),
        ("-0.00e-5", "0"),
        ("1.0", "1"),
        ("0.10", "0.1"),
        ("100e-2", "1"),
        ("1E+2", "100"),
        ("0.1e1", "1"),
        ("9007199254740992", "9007199254740992"),
        ("9007199254740994", "9007199254740994"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("1e21", "1e+21"),
        ("5e-324", "5e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
    ] {
        assert_eq!(Json::parse_exact(text).map(|json| json.canonical()).as_deref(), Ok(kept), "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_written_here_is_exact(json in strategies::json()) {
        let text = json.canonical();
        prop_assert_eq!(Json::parse_exact(&text), Ok(json));
    }

    #[test]
    fn what_is_exact_has_the_digits_that_were_written(digits in "[1-9][0-9]{0,20}") {
        let exact = Json::parse_exact(&digits);
        match digits.parse::<u128>().unwrap() {
            number if number <= MAX_SAFE_INTEGER.into() => prop_assert_eq!(exact.unwrap().canonical(), digits),
            number => prop_assert_eq!(exact.is_ok(), Json::Number(number as f64).canonical() == digits),
        }
    }
}

#[test]
fn over_several_lines_it_is_the_same_value() {
    let json = Json::parse(r#"{"b":[1,{"c":[]},{}],"a":"x y\ud800","d":{"e":9007199254740992}}"#).unwrap();
    let text = json.indented();
    assert_eq!(
        text,
        "{\n  \"a\": \"x y\\ud800\",\n  \"b\": [\n    1,\n    {\n      \"c\": []\n    },\n    {}\n  ],\n  \
         \"d\": {\n    \"e\": 9007199254740992\n  }\n}"
    );
    assert_eq!(Json::parse(&text), Ok(json));
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        " ",
        "\u{feff}1",
        "\u{a0}1",
        "nul",
        "nulll",
        "True",
        "undefined",
        "NaN",
        "Infinity",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".1",
        "1e",
        "1e+",
        "0x1",
        "1_0",
        "1 2",
        "[1,]",
        "[,1]",
        "[1",
        "[1}",
        "]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1",
        "{1:1}",
        "{,}",
        "\"",
        "\"\\\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"\\ud800\\u12\"",
        "\"\n\"",
        "\"\u{0}\"",
        "\"\u{1f}\"",
        "\u{0}",
        "1\u{0}",
        "// c\n1",
        "/**/1",
        "'a'",
    ] {
        let error = canonical(text).unwrap_err();
        assert!(matches!(error, JsonError::Syntax { at, .. } if at <= text.len()), "{text:?}: {error}");
    }
    assert_eq!(
        canonical("[1 2]").unwrap_err().to_string(),
        "not JSON at byte 3: expected a comma or the end of the array"
    );
}

#[test]
fn duplicate_keys_are_refused_anywhere() {
    for (text, key) in [
        (r#"{"a":1,"a":1}"#, "a"),
        (r#"{"b":1,"a":2,"b":3}"#, "b"),
        (r#"[{"x":{"a":1,"\u0061":2}}]"#, "a"),
        (r#"{"\ud800":1,"\ud800":2}"#, "\u{fffd}"),
        (r#"{"__proto__":1,"__proto__":2}"#, "__proto__"),
    ] {
        let error = Json::parse(text).unwrap_err();
        assert!(
            matches!(&error, JsonError::DuplicateKey { key: found, .. } if found == key),
            "{text}: {error}"
        );
    }
}

#[test]
fn depth_and_length_are_bounded() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert!(Json::parse(&nested(MAX_DEPTH)).is_ok());
        assert!(matches!(Json::parse(&nested(MAX_DEPTH + 1)), Err(JsonError::TooDeep { .. })));
    }
    // Depth counts the open brackets only.
    assert!(Json::parse(&format!("[{}]", vec!["[[]]"; 500].join(","))).is_ok());
    let text = format!("\"{}\"", "a".repeat(MAX_LEN - 2));
    assert!(Json::parse(&text).is_ok());
    assert_eq!(Json::parse(&format!("{text} ")), Err(JsonError::TooLong { len: MAX_LEN + 1 }));
}

#[test]
fn values_are_built_and_taken_apart() {
    let json = Json::object([
        ("n", 7_u32.into()),
        ("t", true.into()),
        ("s", "x".into()),
        ("a", Json::array(["y", "z"])),
    ]);
    assert_eq!(json.canonical(), r#"{"a":["y","z"],"n":7,"s":"x","t":true}"#);
    assert_eq!(json.get("n").and_then(Json::as_u64), Some(7));
    assert_eq!(json.get("n").and_then(Json::as_f64), Some(7.0));
    assert_eq!(json.get("t").and_then(Json::as_bool), Some(true));
    assert_eq!(json.get("s").and_then(Json::as_str), Some("x"));
    assert_eq!(json.get("a").and_then(Json::as_array).map(<[Json]>::len), Some(2));
    assert_eq!(json.as_object().map(Object::len), Some(4));
    assert_eq!((json.get("none"), json.get("s").and_then(|text| text.get("s"))), (None, None));
    assert!(Json::Null.is_scalar() && !json.is_scalar() && !Json::Array(vec![]).is_scalar());
    let (text, number) = (Json::from("1"), Json::from(1_u32));
    assert_eq!((text.as_f64(), text.as_bool(), text.as_array(), text.as_object()), (None, None, None, None));
    assert_eq!((number.as_str(), number.as_bool()), (None, None));
    assert_eq!(Json::from(Some(-1)).canonical(), "-1");
    assert_eq!(Json::from(None::<bool>), Json::Null);
    assert_eq!(Json::from(Vec::new()).canonical(), "[]");
    assert_eq!(Json::object([("k", Json::Null), ("k", true.into())]).canonical(), r#"{"k":true}"#);
    let mut object = Object::new();
    assert!(object.is_empty() && object.insert("b", 1_u32).is_none() && object.insert("a", 2_u32).is_none());
    assert_eq!(object.insert("b", 3_u32), Some(1_u32.into()));
    assert_eq!(Json::from(object).canonical(), r#"{"a":2,"b":3}"#);
    assert_eq!(Text::from_units(vec![0x61, 0xD800]).to_string_lossy(), "a\u{fffd}");
}

#[test]
fn integers_are_exact_or_refused() {
    assert_eq!(
        Json::try_from(MAX_SAFE_INTEGER).map(|json| json.canonical()).as_deref(),
        Ok("9007199254740991")
    );
    assert_eq!(Json::try_from(MAX_SAFE_INTEGER + 1), Err(UnsafeInteger(MAX_SAFE_INTEGER + 1)));
    assert_eq!(Json::Number(9_007_199_254_740_991.0).as_u64(), Some(MAX_SAFE_INTEGER));
    for number in [-1.0, 0.5, 9_007_199_254_740_992.0, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Json::Number(number).as_u64(), None, "{number}");
    }
    assert_eq!(Json::Number(-0.0).as_u64(), Some(0));
}

proptest! {
    /// A written text reads back as the same value, and is canonical.
    #[test]
    fn writing_and_reading_agree(json in strategies::json()) {
        let text = json.canonical();
        let read = Json::parse(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(read.canonical(), text);
    }

    /// Every accepted text has a canonical form that is a fixed point, and no text causes a panic.
    #[test]
    fn any_text_is_refused_or_has_a_fixed_point(text in "[\\[\\]{}\",:0-9eE+\\-. \\\\utrnfalsd\u{0}-\u{1f}é😀]{0,40}") {
        if let Ok(json) = Json::parse(&text) {
            let canonical = json.canonical();
            prop_assert_eq!(Json::parse(&canonical).map(|json| json.canonical()), Ok(canonical));
        }
    }

    /// Serde's own parser accepts and refuses the same, as long as no string leaves Unicode and no key repeats.
    #[test]
    fn another_parser_agrees_on_what_is_json(text in "[\\[\\]{}\",:0-9eE+\\-. \\\\tnu]{0,24}") {
        let ours = Json::parse(&text);
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match ours {
            Ok(json) if json.canonical().contains("\\ud") || json.canonical().contains("null") => {}
            Ok(_) => prop_assert!(theirs.is_ok(), "{text:?} {theirs:?}"),
            Err(JsonError::DuplicateKey { .. }) => {}
            Err(error) => prop_assert!(theirs.is_err(), "{text:?} {error}"),
        }
    }
}
