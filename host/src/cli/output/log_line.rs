//! The filter of a log, and the length of the texts in its lines.

use serde_json::Value;
use std::str::FromStr;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// The longest text in a line. Longer ones are cut.
const LONGEST: usize = 2_048;

/// The targets that log, as a filter names them.
pub(super) const TARGETS: [&str; 3] = ["engine", "server", "host"];

/// The level of each target.
#[derive(Debug, Clone)]
pub(super) struct LogFilter(pub(super) Targets);

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Libraries log warnings and errors only: at the lower levels they may log texts of guests.
        let (mut levels, mut others) = (TARGETS.map(|_| LevelFilter::INFO), LevelFilter::WARN);
        let mut words: Vec<&str> = text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
        // The level of all targets first: a target's own level counts wherever it is in the list.
        words.sort_by_key(|word| word.contains('='));
        for word in words {
            let (target, level) =
                word.split_once('=').map_or((None, word), |(target, level)| (Some(target), level));
            let found: LevelFilter = match level {
                "off" | "error" | "warn" | "info" | "debug" | "trace" => level.parse().ok(),
                _ => None,
            }
            .ok_or_else(|| format!("{level} is not a level: off, error, warn, info, debug or trace"))?;
            match target.map(|target| TARGETS.iter().position(|known| *known == target)) {
                None => (levels, others) = (TARGETS.map(|_| found), found.min(LevelFilter::WARN)),
                Some(Some(place)) => levels[place] = found,
                Some(None) => return Err(format!("the targets that log are {}", TARGETS.join(", "))),
            }
        }
        Ok(Self(Targets::new().with_default(others).with_targets(TARGETS.into_iter().zip(levels))))
    }
}

/// The line with each of its texts cut if it is too long.
pub(super) fn bounded(line: &str) -> String {
    if line.len() <= LONGEST {
        return line.to_owned();
    }
    serde_json::from_str(line).map_or_else(|_| cut(line), |value| shortened(value).to_string())
}

fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) => cut(&text).into(),
        Value::Array(values) => values.into_iter().map(shortened).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, shortened(value))).collect(),
        other => other,
    }
}

pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}[{} more bytes]", &text[..end], text.len() - end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn long_texts_are_cut_and_the_line_stays_an_object() {
        let long = "x".repeat(LONGEST + 7);
        let line =
            serde_json::json!({ "message": long, "spans": [{ "name": long }], "number": 7 }).to_string();
        let shown: Value = serde_json::from_str(&bounded(&line)).unwrap();
        let cut = "x".repeat(LONGEST) + "[7 more bytes]";
        assert_eq!(shown, serde_json::json!({ "message": cut, "spans": [{ "name": cut }], "number": 7 }));
        assert_eq!(bounded("{}"), "{}");
    }

    #[test]
    fn a_filter_is_a_level_or_levels_of_targets() {
        let enabled = |filter: &str, target: &str, level: Level| {
            filter.parse::<LogFilter>().unwrap().0.would_enable(target, &level)
        };
        assert!(enabled("info", "engine::drive", Level::INFO));
        assert!(!enabled("info", "engine::drive", Level::DEBUG));
        assert!(enabled("warn,server=debug", "server::http", Level::DEBUG));
        assert!(!enabled("warn,server=debug", "engine", Level::INFO));
        assert!(enabled("server=debug,warn", "server::http", Level::DEBUG), "in any order");
        assert!(
            !enabled("trace", "wasmtime_wasi", Level::INFO),
            "other people's code may log texts of guests"
        );
        assert!(enabled("trace", "wasmtime_wasi", Level::WARN));
        assert!(!enabled("off", "engine", Level::ERROR));
    }
}
