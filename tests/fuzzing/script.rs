//! Programs of host calls for the puppet (`puppet.wat`), drawn from an input.
//!
//! Most drawn calls are valid: steps that end, requests that can be approved, receipts that are spent on what they
//! permit; a program that is wrong from its first call ends with it. The others are wrong in one place or in every
//! place: pointers, lengths, handles, discriminants, texts.

use arbitrary::{Result, Unstructured};

/// The address to which the puppet decodes its script.
const SCRIPT: u32 = 8192;

/// Bytes in a record.
const RECORD: u32 = 116;

/// The most records, including the one that ends the list.
const RECORDS: u32 = 34;

/// The address of the texts.
const TEXTS: u32 = SCRIPT + RECORD * RECORDS;

/// Room for texts.
const TEXT_BYTES: usize = 20 << 10;

/// The address of the first answer. Each answer has room of its own.
const ANSWERS: u32 = 4096;
const ANSWER: u32 = 64;

/// An argument of a call.
#[derive(Clone, Copy)]
enum Argument {
    /// This number.
    Is(u32),
    /// The number at that address when the call is made.
    At(u32),
    /// The step that was lent.
    Step,
}

use Argument::{At, Is, Step};

/// The calls, by the puppet's numbers.
#[derive(Clone, Copy)]
enum Call {
    Begin = 1,
    Complete = 2,
    Fail = 3,
    Approve = 4,
    ReceiptId = 5,
    ReceiptDocument = 6,
    Deploy = 7,
    DropStep = 8,
    DropAttempt = 9,
    DropReceipt = 10,
    Trap = 11,
    Return = 12,
    LeaveOut = 13,
    StartSleep = 14,
    First = 15,
    DropPending = 16,
}

const CALLS: [Call; 16] = [
    Call::Begin,
    Call::Complete,
    Call::Fail,
    Call::Approve,
    Call::ReceiptId,
    Call::ReceiptDocument,
    Call::Deploy,
    Call::DropStep,
    Call::DropAttempt,
    Call::DropReceipt,
    Call::Trap,
    Call::Return,
    Call::LeaveOut,
    Call::StartSleep,
    Call::First,
    Call::DropPending,
];

const CAPABILITIES: [&str; 4] = ["cloudflare.dynamic-worker.deploy", "harmless.log.write", "no-dot", ""];
const RESOURCES: [&str; 4] = ["cloudflare://workers/a/b", "cloudflare://workers/c/d", "a b", ""];
const JSON: [&str; 6] = ["{}", "[1,\"a\"]", "{\"a\":1,\"a\":2}", "1e400", "\"\\ud800\"", "{"];
const WORDS: [&str; 6] = ["build", "deploy", "", "a\u{1b}[2Jb", "\u{202e}\u{200b}\u{3164}", "é"];

/// A program of host calls.
pub struct Script {
    records: Vec<u8>,
    texts: Vec<u8>,
    /// The addresses of the answers to earlier beginnings and requests.
    attempts: Vec<u32>,
    receipts: Vec<u32>,
}

impl Script {
    /// Draws a program.
    pub fn draw(u: &mut Unstructured<'_>) -> Result<Self> {
        let mut script =
            Self { records: Vec::new(), texts: Vec::new(), attempts: Vec::new(), receipts: Vec::new() };
        for _ in 0..u.int_in_range(1..=10)? {
            match u.int_in_range(0..=31)? {
                0..=8 => script.step(u)?,
                9..=12 => script.sleep(u)?,
                13..=20 => script.deployment(u)?,
                21..=30 => script.single(u)?,
                _ => script.anything(u)?,
            }
        }
        // A borrowed handle has to be returned before the end.
        if !u.ratio(1, 16)? {
            script.push(Call::DropStep, &[Step]);
        }
        Ok(script)
    }

    /// The program as the puppet's parameters.
    pub fn params(&self) -> String {
        let mut bytes = self.records.clone();
        bytes.resize((TEXTS - SCRIPT) as usize, 0);
        bytes.extend_from_slice(&self.texts);
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("\"{digits}\"")
    }

    /// A step as it should be: begun, and ended unless it was done before.
    fn step(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let answer = self.begin(u)?;
        self.push(Call::LeaveOut, &[Is(answer), Is(1)]);
        self.end(u, At(answer + 8))
    }

    /// Starts a sleep and waits for its end: the list of handles is at the address of the start's answer.
    fn sleep(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (name, alarm, answer) = (self.of(u, &WORDS)?, u.int_in_range(0..=1)?, self.answer());
        let hours = if u.ratio(3, 4)? { 0 } else { u.arbitrary()? };
        self.push(Call::StartSleep, &[Step, name[0], name[1], Is(alarm), Is(hours), Is(answer)]);
        match u.int_in_range(0..=7)? {
            0 => {}
            1 => self.push(Call::DropPending, &[At(answer + 4)]),
            2 => self.push(Call::First, &[Is(answer), Is(u.int_in_range(0..=3)?), Is(self.answer())]),
            _ => self.push(Call::First, &[Is(answer + 4), Is(1), Is(self.answer())]),
        }
        Ok(())
    }

    /// A valid action: requested, and performed on the receipt, now and then on something else.
    fn deployment(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (resource, artifact) = (self.of(u, &RESOURCES)?, [self.of(u, &WORDS)?, self.of(u, &WORDS)?]);
        let answer = self.answer();
        let asked = [self.of(u, &CAPABILITIES)?, resource, self.of(u, &WORDS)?, self.of(u, &JSON)?];
        let some = [Is(1), artifact[0][0], artifact[0][1], artifact[1][0], artifact[1][1], Is(answer)];
        self.push(Call::Approve, &[&*asked.concat(), &some].concat());
        self.receipts.push(answer);
        if u.ratio(1, 4)? {
            self.push(Call::ReceiptDocument, &[At(answer + 4), Is(self.answer())]);
        }
        let resource = if u.ratio(1, 16)? { self.of(u, &RESOURCES)? } else { resource };
        let target = [&resource[..], &artifact.concat(), &[At(answer + 4), Is(self.answer())]].concat();
        self.push(Call::Deploy, &target);
        Ok(())
    }

    /// One call of the right form, on arbitrary handles.
    fn single(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (attempt, receipt) = (self.handle(u, Which::Attempt)?, self.handle(u, Which::Receipt)?);
        let answer = Is(self.answer());
        match u.int_in_range(0..=31)? {
            0..=7 => drop(self.begin(u)?),
            8..=13 => self.end(u, attempt)?,
            14..=16 => self.push(Call::ReceiptId, &[receipt, answer]),
            17..=19 => self.push(Call::ReceiptDocument, &[receipt, answer]),
            20..=21 => self.push(Call::DropAttempt, &[attempt]),
            22..=23 => self.push(Call::DropReceipt, &[receipt]),
            24 => self.push(Call::DropStep, &[Step]),
            25 => self.push(Call::Return, &[Is(u.arbitrary()?)]),
            _ => {
                let artifact = [self.of(u, &WORDS)?, self.of(u, &WORDS)?].concat();
                let target = [&self.of(u, &RESOURCES)?[..], &artifact, &[receipt, answer]].concat();
                self.push(Call::Deploy, &target);
            }
        }
        Ok(())
    }

    /// Any call with any numbers.
    fn anything(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let call = *u.choose(&CALLS)?;
        let mut arguments = [Is(0); 14];
        for argument in &mut arguments {
            *argument = match u.int_in_range(0..=5)? {
                0 => Step,
                1 => At(u.int_in_range(0..=0xffff)?),
                2 => Is(u.arbitrary()?),
                3 => Is(u.int_in_range(0..=16)?),
                _ => Is(u.int_in_range(SCRIPT..=0x2_0010)?),
            };
        }
        self.push(call, &arguments);
        Ok(())
    }

    fn begin(&mut self, u: &mut Unstructured<'_>) -> Result<u32> {
        let (name, answer) = (self.of(u, &WORDS)?, self.answer());
        self.push(Call::Begin, &[Step, name[0], name[1], Is(answer)]);
        self.attempts.push(answer);
        Ok(answer)
    }

    fn end(&mut self, u: &mut Unstructured<'_>, attempt: Argument) -> Result<()> {
        if u.ratio(1, 4)? {
            let (name, message, answer) = (self.of(u, &WORDS)?, self.of(u, &WORDS)?, Is(self.answer()));
            self.push(Call::Fail, &[attempt, name[0], name[1], message[0], message[1], answer]);
        } else {
            let (output, answer) = (self.of(u, &JSON)?, Is(self.answer()));
            self.push(Call::Complete, &[attempt, output[0], output[1], answer]);
        }
        Ok(())
    }

    /// A handle: usually one that the host has returned, now and then of the other kind, or invented.
    fn handle(&self, u: &mut Unstructured<'_>, which: Which) -> Result<Argument> {
        let attempt = |at: &u32| At(at + 8);
        let receipt = |at: &u32| At(at + 4);
        let (own, other) = match which {
            Which::Attempt => (self.attempts.last().map(attempt), self.receipts.last().map(receipt)),
            Which::Receipt => (self.receipts.last().map(receipt), self.attempts.last().map(attempt)),
        };
        Ok(match u.int_in_range(0..=31)? {
            0..=27 => own.unwrap_or(Is(1)),
            28..=29 => other.unwrap_or(Step),
            30 => Is(u.int_in_range(0..=8)?),
            _ => Is(u.arbitrary()?),
        })
    }

    /// A text as pointer and length: one of those, usually.
    fn of(&mut self, u: &mut Unstructured<'_>, texts: &[&str]) -> Result<[Argument; 2]> {
        Ok(match u.int_in_range(0..=127)? {
            0..=99 => self.text(texts[0].as_bytes()),
            100..=111 => self.text(u.choose(texts)?.as_bytes()),
            112..=121 => self.text(u.arbitrary::<&str>()?.as_bytes()),
            122..=124 => {
                let (byte, length) = (u.int_in_range(0x20..=0x7e)?, u.int_in_range(0..=6 << 10)?);
                self.text(&vec![byte; length])
            }
            125 => self.text(u.arbitrary()?),
            126 => [Is(u.arbitrary()?), Is(u.int_in_range(0..=64)?)],
            _ => [Is(TEXTS), Is(u.arbitrary()?)],
        })
    }

    fn text(&mut self, bytes: &[u8]) -> [Argument; 2] {
        let room = TEXT_BYTES.saturating_sub(self.texts.len());
        let (start, length) = (self.texts.len(), bytes.len().min(room));
        self.texts.extend_from_slice(&bytes[..length]);
        [Is(TEXTS + start as u32), Is(length as u32)]
    }

    /// The address of the next call's answer.
    fn answer(&self) -> u32 {
        ANSWERS + self.records.len() as u32 / RECORD * ANSWER
    }

    fn push(&mut self, call: Call, arguments: &[Argument]) {
        if self.records.len() as u32 >= RECORD * (RECORDS - 1) {
            return;
        }
        let mut words = vec![call as u32];
        for argument in arguments {
            words.extend(match *argument {
                Is(value) => [0, value],
                At(address) => [1, address],
                Step => [2, 0],
            });
        }
        words.resize(RECORD as usize / 4, 0);
        self.records.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    }
}

/// The kind of handle that the call expects.
#[derive(Clone, Copy)]
enum Which {
    Attempt,
    Receipt,
}
