//! For readers with `sqlite3` only: the words of the [codec](crate::journal::codec), and views that decode everything.
//!
//! The host itself reads neither. They are slow; a test compares them with the host's own reading.

use crate::journal::codec::words;

/// Makes the views `facts` and `asked`.
pub(crate) fn create() -> String {
    facts() + &asked()
}

/// Makes the table `words`.
pub(crate) fn words_table() -> String {
    let row = |(place, (code, word)): (usize, (String, &str))| {
        let code: Vec<_> = code.bytes().map(|byte| format!("char({byte})")).collect();
        format!("({}, {}, '{}')", place + 1, code.join(" || "), word.replace('\'', "''"))
    };
    let rows: Vec<_> = words().enumerate().map(row).collect();
    format!(
        "CREATE TABLE words (id INTEGER PRIMARY KEY, code TEXT NOT NULL, word TEXT NOT NULL) STRICT;
        INSERT INTO words VALUES {};",
        rows.join(",\n")
    )
}

/// Every fact: `of` is the row of the fact's instance, `row` the row of the entries that it was appended with.
fn facts() -> String {
    let text = spelt("e.body", "e.bytes");
    format!(
        "CREATE VIEW facts AS
        SELECT e.seq + j.key AS seq, e.at, i.tenant, i.instance, e.idx + j.key AS idx, j.value AS body, e.instance AS of, e.seq AS row
        FROM entries e JOIN instances i ON i.id = e.instance LEFT JOIN texts t ON t.id = i.loaded,
            json_each('[' || replace(replace({text}, char(4), ','), char(3), coalesce(t.body, 'null')) || ']') j;"
    )
}

/// Every request, completed from the journal.
fn asked() -> String {
    let (whole, rest) = (spelt("r.body", "r.bytes"), spelt("substr(r.body, 2)", "r.bytes"));
    format!(
        "CREATE VIEW asked AS
        SELECT r.seq, r.id, i.tenant, i.instance, r.open, r.outcome,
            CASE WHEN substr(r.body, 1, 1) <> char(5) THEN {whole} ELSE (
                SELECT json_insert(json_patch({rest}, c.body), '$.instance', i.instance,
                    '$.tenant', s.body ->> 'tenant', '$.actor', s.body ->> 'actor', '$.operator', s.body ->> 'operator',
                    '$.submitter', s.body ->> 'submitter', '$.workflow', s.body ->> 'workflow',
                    '$.id', r.id, '$.call', q.body ->> 'call', '$.capability', q.body ->> '$.asked.capability',
                    '$.resource', q.body ->> '$.asked.resource', '$.artifact', json(q.body -> 'artifact'),
                    '$.expires_at', q.body ->> 'expires_at')
                FROM facts s, facts q
                WHERE s.row = (SELECT e.seq FROM entries e WHERE e.seq >= i.first AND e.instance = i.id AND e.idx + e.count > 1 ORDER BY e.seq LIMIT 1)
                    AND s.idx = 1
                    AND q.row = (SELECT e.seq FROM entries e WHERE e.seq <= r.seq ORDER BY e.seq DESC LIMIT 1) AND q.seq = r.seq
            ) END AS body
        FROM requests r JOIN instances i ON i.id = r.instance LEFT JOIN texts c ON c.id = r.common;"
    )
}

/// The decoded text of a row's two columns: first the digits, then each word in turn.
fn spelt(text: &str, bytes: &str) -> String {
    format!(
        "(WITH RECURSIVE
            packed(text, bytes) AS (
                SELECT {text}, {bytes}
                UNION ALL SELECT substr(text, 1, instr(text, mark) - 1) || lower(hex(substr(bytes, 1, length))) || substr(text, instr(text, mark) + 1),
                        substr(bytes, length + 1)
                    FROM packed, (SELECT char(1) AS mark, 32 AS length, 1 AS place UNION ALL SELECT char(2), 12, 2)
                    WHERE instr(text, mark) > 0 AND (place = 1 OR instr(text, char(1)) = 0)),
            worded(id, text) AS (
                SELECT 0, text FROM packed WHERE instr(text, char(1)) = 0 AND instr(text, char(2)) = 0
                UNION ALL SELECT words.id, replace(text, code, word) FROM worded JOIN words ON words.id = worded.id + 1)
            SELECT text FROM worded ORDER BY id DESC LIMIT 1)"
    )
}
