//! `pp-host.toml`: any text at all.

use engine::limits;
use engine::limits::{Origin, Settings};
use std::path::Path;

/// Accepted settings determine every tenant's limits, and are in range. Refused settings give an error that names the
/// file and a line of it.
pub fn stand(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let lines = text.matches('\n').count() + 1;
    match Settings::parse(Path::new("pp-host.toml"), text) {
        Ok(settings) => understood(&settings, lines),
        Err(error) => {
            assert!((1..=lines).contains(&error.line.unwrap()), "{error}");
            let message = error.to_string();
            assert!(message.starts_with("pp-host.toml:") && message.len() < 10_000, "{message}");
        }
    }
    argument(text);
}

fn understood(settings: &Settings, lines: usize) {
    let largest = settings.largest();
    for tenant in ["acme", "globex", "anybody"].map(|name| name.parse().unwrap()) {
        let own = settings.of(&tenant);
        for resolved in settings.resolve(Some(&tenant)) {
            assert_eq!(resolved.limit.check(resolved.value), Ok(resolved.value));
            assert_eq!(resolved.limit.get(&own), resolved.value);
            assert!(resolved.limit.get(&largest) >= resolved.value);
            if let Origin::File { line, .. } = resolved.origin {
                assert!((1..=lines).contains(&line));
            }
        }
    }
}

/// `--limit NAME=N`.
fn argument(text: &str) {
    let Some((name, value)) = text.split_once('=') else { return };
    match limits::find(name) {
        Ok(limit) => {
            if let Ok(value) = limit.parse(value) {
                assert!(limit.unit.parse(&value.to_string()).is_ok());
                let mut settings = Settings::default();
                settings.override_limit(limit, value).unwrap();
                assert_eq!(limit.get(&settings.of(&"acme".parse().unwrap())), value);
            }
        }
        Err(unknown) => assert!(limits::find(unknown.nearest).is_ok()),
    }
}
