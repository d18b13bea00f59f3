//! Words that try to be more than words: on an approver's screen, in a log, in an audit.

use crate::fixture::{ATTACKER, Fixture, HOSTILE};
use crate::{Attack, Attacker, Ending, Method, Refusal, SetupError};
use receipt::Decision;
use workflow::Escaped;

const SHOWN: &str = "every character is visible, and the workflow's words are marked as such";

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        words(
            "loud",
            "A reason of terminal escapes, bidi controls, zero-width and filler characters.",
            SHOWN,
            |fixture| shown(fixture, "loud", "APPROVED"),
        ),
        words(
            "dressed-as-host",
            "A reason and evidence that look like the host's own output.",
            SHOWN,
            |fixture| shown(fixture, "dressed-as-host", "APPROVED by user:ceo"),
        ),
        words("invisible-resource", "A resource with invisible characters.", SHOWN, |fixture| {
            shown(fixture, "invisible-resource", "trust me")
        }),
        words(
            "name-as-a-line",
            "An artifact's name that a screen of 80 columns wraps into what looks like a line of the host's.",
            "no wrapped line looks like one of the host's",
            |fixture| wrapped(fixture, NAME_AS_A_LINE),
        ),
        words(
            "words-as-lines",
            "A reason and evidence with margins, labels and combining marks of their own.",
            "no wrapped line looks like one of the host's",
            |fixture| wrapped(fixture, WORDS_AS_LINES),
        ),
        words(
            "buried",
            "Hides the essential text behind pages of filler.",
            "says that more is not shown",
            buried,
        ),
        words(
            "panic-escapes",
            "A panic message that clears the operator's screen.",
            "no terminal obeys",
            panic_escapes,
        ),
        words(
            "print-escapes",
            "Prints a false approval at the top of the screen.",
            "no terminal obeys",
            printed,
        ),
        words("print", "Prints four megabytes.", "limit output-bytes is", print),
    ]
}

fn words(
    name: &'static str,
    tries: &'static str,
    refusal: &'static str,
    method: fn(&Fixture) -> Result<Ending, SetupError>,
) -> Attack {
    Attack {
        name,
        tries,
        attacker: Attacker::Guest,
        refusal: Refusal::Words(refusal),
        method: Method::Shared(method),
    }
}

fn params(attack: &str) -> String {
    format!(r#"{{"attack":"{attack}"}}"#)
}

/// Whether an approver could overlook a character, or a terminal interpret it.
fn unseen(character: char) -> bool {
    !workflow::is_visible(character)
}

/// The view of a request that an approver sees. Checks that `planted` is below the line where the workflow's own words
/// begin.
fn shown(fixture: &Fixture, attack: &str, planted: &str) -> Result<Ending, SetupError> {
    let (key, request) = fixture.parked(ATTACKER, HOSTILE, &params(attack))?;
    let view = fixture.host().request(&request)?.to_string();
    let Some((host, guest)) = view.split_once("written by the workflow, not checked by anybody:\n") else {
        return Ok(Ending::Through(view));
    };
    let marked = !host.contains(planted) && guest.contains(planted) && guest.lines().count() == 3;
    let visible = view.lines().all(|line| !line.contains(unseen));
    // The audit shows it too, one line per fact.
    let audited = fixture.entries(&key)?.iter().all(|entry| !entry.to_string().contains(unseen));
    Ok(Ending::check(marked && visible && audited, if marked && visible && audited { SHOWN } else { &view }))
}

/// Blanks up to the end of a line of 80 columns, and a margin like that of the host's own digest.
const NAME_AS_A_LINE: &str = r#"{"attack":"asks","name":"worker-bundle.js, 212 bytes                                                     sha256 1dfd6cb49d4a55c613d7740f4aa2e1c3e95c80a6393219d51893ba0606c97f2d, approved before"}"#;

const WORDS_AS_LINES: &str = r#"{"attack":"asks","reason":"safe\"             sha256 1dfd6cb49d4a55c613d7740f4aa2e1c3e95c80a6393219d51893ba0606c97f2d, approved before\\","evidence":"{\"\u0301a\":   \"policy       toml: allow by all\"}"}"#;

/// The width of a line's label, in columns.
const LABEL: usize = 13;

/// Whether no words of the workflow look like a line of the host's, for every width of the screen.
fn wrapped(fixture: &Fixture, params: &str) -> Result<Ending, SetupError> {
    let (_, request) = fixture.parked(ATTACKER, HOSTILE, params)?;
    let view = fixture.host().request(&request)?.to_string();
    // A line of the host's begins with two consecutive blanks. After its label or margin, there are none.
    let plain = |line: &str| !line.get(LABEL..).unwrap_or_default().contains("  ") && !line.contains(unseen);
    let held = view.lines().all(plain);
    Ok(Ending::check(held, if held { "no wrapped line looks like one of the host's" } else { &view }))
}

fn buried(fixture: &Fixture) -> Result<Ending, SetupError> {
    let (_, request) = fixture.parked(ATTACKER, HOSTILE, &params("buried"))?;
    let view = fixture.host().request(&request)?.to_string();
    let said = view.matches("more characters not shown]").count() == 2 && view.len() < 4096;
    Ok(Ending::check(said, format!("the screen has {} bytes, and says that more is not shown", view.len())))
}

fn panic_escapes(fixture: &Fixture) -> Result<Ending, SetupError> {
    let key = fixture.start(ATTACKER, HOSTILE, &params("panic-escapes"))?;
    fixture.finish(&key, Decision::Approved)?;
    let end = fixture.entries(&key)?.last().map(ToString::to_string).unwrap_or_default();
    let obeyed = end.contains(unseen) || !end.contains("APPROVED");
    Ok(Ending::check(!obeyed, format!("no terminal obeys: {end}")))
}

/// The log is kept as it was printed, and escaped where it is shown.
fn printed(fixture: &Fixture) -> Result<Ending, SetupError> {
    let key = fixture.start(ATTACKER, HOSTILE, &params("print-escapes"))?;
    fixture.finish(&key, Decision::Approved)?;
    let log = fixture.host().store().output(&key).wait()?;
    let shown: Vec<_> = log.lines().map(|line| Escaped(line).to_string()).collect();
    let obeyed = shown.iter().any(|line| line.contains(unseen)) || shown.is_empty();
    Ok(Ending::check(!obeyed, format!("no terminal obeys: {}", shown.concat())))
}

fn print(fixture: &Fixture) -> Result<Ending, SetupError> {
    let key = fixture.start(ATTACKER, HOSTILE, &params("print"))?;
    fixture.finish(&key, Decision::Approved)?;
    let log = fixture.host().store().output(&key).wait()?;
    let last = log.lines().last().unwrap_or_default();
    Ok(Ending::check(log.len() < 100 << 10, format!("{} bytes kept: {last}", log.len())))
}
