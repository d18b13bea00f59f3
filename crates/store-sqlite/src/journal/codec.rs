//! The encoding of texts: frequent words as one or two characters, and names and digests as bytes.
//!
//! JSON text has no control characters, so each of them can represent a word; a text without any represents itself.
//! There is no further compression: a workflow's own texts are readable in the database, and the table `words` and the
//! view `facts` decode the rest for a reader with `sqlite3` only.

use std::sync::LazyLock;

/// A digest: 64 digits, whose bytes are stored in a second column.
const DIGEST: u8 = 0x01;

/// The random part of a name: 24 digits, stored in the same way.
const NAME: u8 = 0x02;

/// The text of what an instance was loaded from, which all instances of one component have in common.
pub(crate) const LOADED: char = '\u{3}';

/// Between the entries of one row.
pub(crate) const NEXT: char = '\u{4}';

/// Marks a request that is completed from the journal.
pub(crate) const REST: char = '\u{5}';

/// The byte for each word, by its index.
const SINGLE: [u8; 22] = [
    0x06, 0x07, 0x08, 0x0b, 0x0c, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19,
    0x1a, 0x1b, 0x1c, 0x1d, 0x1e,
];

/// The prefix of a letter that represents a word, from `0` for the first word without a character of its own.
const LETTER: u8 = 0x1f;

/// Texts longer than this are stored unencoded: encoding would save little, and reading them unencoded is fast.
const LONGEST: usize = 1_024;

/// A released word is never edited or moved. More words need another format.
const WORDS: [&str; 88] = [
    r#"{"fact":"step-started","call":"#,
    r#"{"fact":"step-completed","call":"#,
    r#","name":""#,
    r#","output":""#,
    r#""}"#,
    r#"","#,
    r#"":""#,
    r#"":"#,
    r#"},""#,
    r#"null"#,
    r#"{\""#,
    r#"\"}"#,
    r#"\":"#,
    r#"\":\""#,
    r#"\",\""#,
    r#",\""#,
    r#"\""#,
    r#"\\\""#,
    r#"\\\",\\\""#,
    r#"\\\":\\\""#,
    r#"true"#,
    r#"false"#,
    r#"{"fact":"loaded","component":""#,
    r#"{"fact":"started","tenant":""#,
    r#"","actor":""#,
    r#"","workflow":""#,
    r#"","params":""#,
    r#"","seed":""#,
    r#"","operator":""#,
    r#"","submitter":""#,
    r#","config":{"retries":"#,
    r#","delay_ms":"#,
    r#","backoff":""#,
    r#","timeout_ms":"#,
    r#","manner":"beside"}"#,
    r#"{"fact":"attempt-started","call":"#,
    r#"{"fact":"attempt-failed","call":"#,
    r#"{"fact":"step-failed","call":"#,
    r#","attempt":"#,
    r#","failure":{"name":""#,
    r#"","message":""#,
    r#""},"retry_at":""#,
    r#"{"fact":"sleep-started","call":"#,
    r#"{"fact":"sleep-ended","call":"#,
    r#"","until":""#,
    r#"{"fact":"wait-started","call":"#,
    r#"{"fact":"wait-matched","call":"#,
    r#"{"fact":"wait-timed-out","call":"#,
    r#"{"fact":"event-received","event_type":""#,
    r#"","event_type":""#,
    r#","event":"#,
    r#"","payload":""#,
    r#"","at":""#,
    r#"{"fact":"awaiting","calls":["#,
    r#"{"fact":"told","call":"#,
    r#"{"fact":"rejected","call":"#,
    r#"{"fact":"requested","call":"#,
    r#","request":""#,
    r#"","asked":{"what":"approval","capability":""#,
    r#"cloudflare.dynamic-worker.deploy"#,
    r#"","resource":""#,
    r#"","action":""#,
    r#""},"artifact":{"name":""#,
    r#"","sha256":""#,
    r#"","bytes":"#,
    r#"},"input_hash":"sha256:"#,
    r#"","expires_at":""#,
    r#"{"fact":"signed","request":""#,
    r#"{"fact":"decided","request":""#,
    r#"{"fact":"issued","request":""#,
    r#"","decision":"APPROVED","#,
    r#"","decision":"DENIED","#,
    r#""decider":""#,
    r#"","reason":"#,
    r#"","receipt":""#,
    r#""key_id":""#,
    r#"","document":""#,
    r#","asked":{"what":"perform","capability":""#,
    r#"","artifact":{"name":""#,
    r#"{"fact":"redeemed","call":"#,
    r#"","idempotency_key":""#,
    r#"{"fact":"performed","call":"#,
    r#","receipt":""#,
    r#","effect":{"outcome":""#,
    r#"{"fact":"attested","call":"#,
    r#"{"fact":"completed","output":""#,
    r#"{"before":{"artifact":"new","asked":"#,
    r#","component":"new","denied":0},"created_at":""#,
];

/// The words by their first byte, the longest first, each with its second byte: two bytes distinguish most texts from most words.
static BY_BYTE: LazyLock<Vec<Vec<(u8, usize)>>> = LazyLock::new(|| {
    let mut by_byte = vec![Vec::new(); 256];
    for (place, word) in WORDS.iter().enumerate() {
        let [first, second, ..] = word.as_bytes() else { continue };
        by_byte[usize::from(*first)].push((*second, place));
    }
    for places in &mut by_byte {
        places.sort_by_key(|(_, place): &(u8, usize)| std::cmp::Reverse(WORDS[*place].len()));
    }
    by_byte
});

/// Whether a byte is a digit or begins a word. Most bytes of workflows' texts are neither.
static BEGINS: [bool; 256] = {
    let (mut begins, mut at) = ([false; 256], 0);
    while at < WORDS.len() {
        begins[WORDS[at].as_bytes()[0] as usize] = true;
        at += 1;
    }
    let mut byte = 0;
    while byte < 256 {
        begins[byte] = begins[byte] || is_digit(byte as u8);
        byte += 1;
    }
    begins
};

/// A text in shorthand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Encoded {
    /// The text.
    pub(crate) text: String,
    /// The bytes of the text's digests, followed by those of its names.
    pub(crate) bytes: Vec<u8>,
}

impl Encoded {
    /// Shortens a text of JSON, or several with [`NEXT`] between them. `None` if it has other characters that are not its own.
    pub(crate) fn of(texts: &str) -> Option<Self> {
        let (mut short, mut names) =
            (Self { text: String::with_capacity(texts.len()), bytes: Vec::new() }, Vec::new());
        for (place, text) in texts.split(NEXT).enumerate() {
            if place > 0 {
                short.text.push(NEXT);
            }
            match text {
                _ if text.bytes().any(is_taken) => return None,
                long if long.len() > LONGEST => short.text.push_str(long),
                _ => short.push(text, &mut names),
            }
        }
        short.bytes.append(&mut names);
        Some(short)
    }

    /// [`LOADED`], and after it these.
    pub(crate) fn after_loaded(texts: Option<&str>) -> Option<Self> {
        let Some(texts) = texts else { return Some(Self { text: LOADED.into(), bytes: Vec::new() }) };
        let Self { text, bytes } = Self::of(texts)?;
        Some(Self { text: format!("{LOADED}{NEXT}{text}"), bytes })
    }

    fn push(&mut self, text: &str, names: &mut Vec<u8>) {
        // The text up to `at` has been scanned; from `kept` on it has not been written.
        let (mut kept, mut at) = (0, 0);
        while at < text.len() {
            let rest = &text.as_bytes()[at..];
            if !BEGINS[usize::from(rest[0])] {
                at += 1;
                continue;
            }
            let found = match (digits(rest), word(rest)) {
                (64, _) => Encodable::Digits(DIGEST, 64, &mut self.bytes),
                (24, _) => Encodable::Digits(NAME, 24, names),
                (_, Some(place)) => Encodable::Word(place),
                (_, None) => {
                    at += 1;
                    continue;
                }
            };
            self.text.push_str(&text[kept..at]);
            at += match found {
                Encodable::Digits(mark, length, bytes) => {
                    self.text.push(char::from(mark));
                    pack(&rest[..length], bytes);
                    length
                }
                Encodable::Word(place) => {
                    push_code(place, &mut self.text);
                    WORDS[place].len()
                }
            };
            kept = at;
        }
        self.text.push_str(&text[kept..]);
    }
}

/// A part of a text that has an encoding.
enum Encodable<'a> {
    /// The mark, the number of digits, and the destination of their bytes.
    Digits(u8, usize, &'a mut Vec<u8>),
    /// The word of that place.
    Word(usize),
}

/// The decoded text. [`NEXT`] is left in it. `None` if the text is not a valid encoding.
pub(crate) fn expand(text: &str, bytes: &[u8], loaded: Option<&str>) -> Option<String> {
    let digests = text.bytes().filter(|byte| *byte == DIGEST).count();
    let (mut digests, mut names) = bytes.split_at_checked(digests * 32)?;
    let mut out = String::with_capacity(text.len() * 3);
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| is_taken(byte) && byte != NEXT as u8) {
        out.push_str(&rest[..at]);
        let mut taken = at + 1;
        match rest.as_bytes()[at] {
            DIGEST => unpack(&mut digests, 32, &mut out)?,
            NAME => unpack(&mut names, 12, &mut out)?,
            LETTER => {
                let letter = rest.as_bytes().get(at + 1)?.checked_sub(b'0')?;
                out.push_str(WORDS.get(SINGLE.len() + usize::from(letter))?);
                taken += 1;
            }
            byte if byte == LOADED as u8 => out.push_str(loaded?),
            byte => out.push_str(WORDS[SINGLE.iter().position(|single| *single == byte)?]),
        }
        rest = &rest[taken..];
    }
    out.push_str(rest);
    (digests.is_empty() && names.is_empty()).then_some(out)
}

/// The length of a row's entries as JSON text. A damaged row counts with its encoded length; reading the row reports
/// the damage.
pub(crate) fn expanded_length(text: &str, bytes: &[u8]) -> usize {
    match expand(text, bytes, None) {
        Some(expanded) => expanded.bytes().filter(|byte| *byte != NEXT as u8).count(),
        None => text.len(),
    }
}

/// The words, each with its code.
pub(crate) fn words() -> impl Iterator<Item = (String, &'static str)> {
    WORDS.into_iter().enumerate().map(|(place, word)| (code(place), word))
}

/// The number of hexadecimal digits that a text begins with, up to the longest that is encoded.
fn digits(text: &[u8]) -> usize {
    text.iter().take(65).take_while(|byte| is_digit(**byte)).count()
}

const fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// The longest word that a text begins with.
fn word(text: &[u8]) -> Option<usize> {
    let [first, second, ..] = text else { return None };
    let places = &BY_BYTE[usize::from(*first)];
    let begins = |(next, place): &&(u8, usize)| next == second && text.starts_with(WORDS[*place].as_bytes());
    places.iter().find(begins).map(|(_, place)| *place)
}

fn code(place: usize) -> String {
    let mut code = String::new();
    push_code(place, &mut code);
    code
}

fn push_code(place: usize, text: &mut String) {
    match SINGLE.get(place) {
        Some(single) => text.push(char::from(*single)),
        None => {
            let letter = u8::try_from(place - SINGLE.len()).unwrap_or_default();
            text.extend([char::from(LETTER), char::from(b'0' + letter)]);
        }
    }
}

fn is_taken(byte: u8) -> bool {
    byte < 0x20
}

fn pack(digits: &[u8], bytes: &mut Vec<u8>) {
    let value = |digit: u8| if digit <= b'9' { digit - b'0' } else { digit - b'a' + 10 };
    bytes.extend(digits.chunks_exact(2).map(|pair| value(pair[0]) << 4 | value(pair[1])));
}

fn unpack(bytes: &mut &[u8], length: usize, out: &mut String) -> Option<()> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let taken = bytes.split_off(..length)?;
    for byte in taken {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(texts: &[&str]) -> Encoded {
        let joined = texts.join(&NEXT.to_string());
        let short = Encoded::of(&joined).unwrap();
        assert_eq!(expand(&short.text, &short.bytes, None), Some(joined));
        short
    }

    #[test]
    fn what_journals_are_full_of_is_short() {
        let digest = "0123456789abcdef".repeat(4);
        let started = r#"{"fact":"step-started","call":7,"name":"build"}"#;
        let completed = format!(r#"{{"fact":"step-completed","call":7,"output":"\"{digest}\""}}"#);
        let short = check(&[started, &completed]);
        assert!(short.text.len() < 20 && short.bytes.len() == 32, "{short:?}");
    }

    #[test]
    fn nothing_else_is_taken_for_shorthand() {
        assert_eq!(Encoded::of("a\u{6}b"), None);
        assert_eq!(Encoded::of("a\nb"), None);
        let long = r#"{"fact":"step-started","call":"#.repeat(200);
        assert_eq!(check(&[&long]).text, long);
        for text in ["a".repeat(23), "A".repeat(24), "A".repeat(64)] {
            assert_eq!(check(&[&text]).text, text, "digits, but no digest");
        }
        for length in 24..130 {
            check(&[&"a".repeat(length)]);
        }
        check(&["falsetruenull", "", "ä\"},\"ö"]);
    }

    #[test]
    fn what_is_damaged_says_nothing() {
        let short = Encoded::of(&format!("{}{NEXT}{}", "a".repeat(64), "b".repeat(24))).unwrap();
        assert_eq!(expand(&short.text, &short.bytes[1..], None), None);
        assert_eq!(expand(&short.text[..1], &short.bytes, None), None);
        assert_eq!(expand("\u{1f}", &[], None), None);
        assert_eq!(expand("\u{1f}~", &[], None), None);
        assert_eq!(expand("\u{3}", &[], None), None);
        assert_eq!(expand("\n", &[], None), None);
        assert_eq!(expand("\u{3}", &[], Some("x")).as_deref(), Some("x"));
    }

    #[test]
    fn words_differ_and_stand_for_themselves() {
        for (place, one) in WORDS.iter().enumerate() {
            assert_eq!(word(one.as_bytes()), Some(place), "{one}");
            check(&[one]);
        }
    }

    proptest! {
        #[test]
        fn every_text_comes_back(parts in proptest::collection::vec((0..WORDS.len(), "[^\\x00-\\x1f]{0,30}", "[0-9a-f]{0,70}"), 0..8)) {
            let text: String = parts.iter().map(|(place, text, digits)| format!("{}{text}{digits}", WORDS[*place])).collect();
            check(&[&text, &text]);
        }
    }
}
