//! Instants as `Date.prototype.toISOString` writes them, and digests as they are spelled.

use proptest::prelude::*;
use receipt::{Digest, Salt, Timestamp};

#[test]
fn instants_are_written_as_javascript_writes_them() {
    for (millis, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_795_510_800_001, "2026-11-24T09:00:00.001Z"),
        (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
        (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
        (8_640_000_000_000_000, "+275760-09-13T00:00:00.000Z"),
        (-8_640_000_000_000_000, "-271821-04-20T00:00:00.000Z"),
    ] {
        assert_eq!(Timestamp::from_millis(millis).to_string(), text);
        assert_eq!(text.parse(), Ok(Timestamp::from_millis(millis)), "{text}");
    }
    assert_eq!(Timestamp::from_millis(i64::MAX), Timestamp::from_millis(8_640_000_000_000_000));
    assert_eq!(Timestamp::from_millis(i64::MIN), Timestamp::from_millis(-8_640_000_000_000_000));
}

#[test]
fn only_that_spelling_is_read() {
    for text in [
        "",
        "2026",
        "2026-11-23",
        "2026-11-23T09:00:00Z",
        "2026-11-23T09:00:00.0Z",
        "2026-11-23T09:00:00.0000Z",
        "2026-11-23T09:00:00.000",
        "2026-11-23T09:00:00.000z",
        "2026-11-23t09:00:00.000Z",
        "2026-11-23 09:00:00.000Z",
        "2026-11-23T09:00:00.000+00:00",
        "2026-02-29T00:00:00.000Z",
        "2100-02-29T00:00:00.000Z",
        "2026-04-31T00:00:00.000Z",
        "2026-00-01T00:00:00.000Z",
        "2026-13-01T00:00:00.000Z",
        "2026-01-00T00:00:00.000Z",
        "2026-01-32T00:00:00.000Z",
        "2026-01-01T24:00:00.000Z",
        "2026-01-01T00:60:00.000Z",
        "2026-01-01T00:00:60.000Z",
        "+002026-01-01T00:00:00.000Z",
        "-000000-01-01T00:00:00.000Z",
        "+275760-09-13T00:00:00.001Z",
        "-271821-04-19T23:59:59.999Z",
        " 2026-01-01T00:00:00.000Z",
        "2026-01-01T00:00:00.000Z ",
        "2026-01-01T00:00:00,000Z",
        "２026-01-01T00:00:00.000Z",
        "2026-01-01T00:00:-1.000Z",
        "+1",
    ] {
        assert!(text.parse::<Timestamp>().is_err(), "{text}");
    }
}

#[test]
fn serde_uses_the_same_spelling() {
    let (at, digest) = (Timestamp::from_millis(1), Digest::of(b""));
    let text = serde_json::to_string(&(at, digest)).unwrap_or_default();
    assert_eq!(
        text,
        r#"["1970-01-01T00:00:00.001Z","e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]"#
    );
    assert_eq!(serde_json::from_str::<(Timestamp, Digest)>(&text).ok(), Some((at, digest)));
    assert!(serde_json::from_str::<Timestamp>("\"now\"").is_err());
    assert!(serde_json::from_str::<Digest>("\"E3\"").is_err());
}

#[test]
fn digests_have_one_spelling_and_salts_two() {
    let hex = "0123456789abcdef".repeat(4);
    let digest: Digest = hex.parse().unwrap();
    assert_eq!((digest.to_string(), digest.tagged()), (hex.clone(), format!("sha256:{hex}")));
    assert_eq!(Digest::from_tagged(&digest.tagged()), Ok(digest));
    assert_eq!(Digest::from_bytes(*digest.as_bytes()), digest);
    assert_eq!(format!("{digest:?}"), format!("Digest({hex})"));
    for text in [
        &hex[1..],
        &format!("{hex}0"),
        &hex.to_uppercase(),
        &hex.replace('f', "g"),
        &hex.replace('0', "/"),
        "",
    ] {
        assert!(text.parse::<Digest>().is_err(), "{text}");
        assert!(Digest::from_tagged(text).is_err(), "{text}");
    }
    assert!(Digest::from_tagged(&hex).is_err());
    assert_eq!(hex.to_uppercase().parse::<Salt>(), hex.parse());
    assert_eq!(hex.parse::<Salt>().map(|salt| *salt.as_bytes()), Ok(*digest.as_bytes()));
    assert!(hex[1..].parse::<Salt>().is_err());
}

proptest! {
    #[test]
    fn every_instant_is_read_back(millis in -8_640_000_000_000_000_i64..=8_640_000_000_000_000) {
        let at = Timestamp::from_millis(millis);
        prop_assert_eq!(at.to_string().parse(), Ok(at));
        prop_assert_eq!(at.as_millis(), millis);
    }
}
