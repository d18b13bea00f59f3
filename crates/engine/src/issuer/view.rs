//! What an approver sees: a pure function of the request.
//!
//! The host's own facts come first. The workflow's words stand below them, each in quotation marks, escaped and cut, and under a line
//! that says whose words they are. A workflow never writes a headline. What is acted on, and with what, is never cut.
//!
//! A line of the host's begins with a label of up to twelve characters and at least one blank, or with a margin, and so has two blanks
//! in a row within its first fourteen columns. No words of a workflow have two blanks in a row. So no screen can wrap them into a line
//! that looks like one of the host's.

use crate::issuer::{Before, Governed, Request};
use policy::Novelty;
use receipt::{Digest, Json};
use std::fmt;
use unicode_security::MixedScript;
use workflow::{Clipped, Escaped, Quoted, QuotedWhole};

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "capability   {}", self.capability)?;
        writeln!(f, "resource     {}", QuotedWhole(&self.resource))?;
        writeln!(f, "tenant       {}", self.tenant)?;
        write!(f, "actor        {}", self.actor)?;
        for (what, person) in [("operated", &self.operator), ("submitted", &self.submitter)] {
            person.iter().try_for_each(|person| write!(f, ", {what} by {person}"))?;
        }
        writeln!(f)?;
        writeln!(f, "instance     {}, call #{}", self.instance, self.call)?;
        writeln!(f, "code         sha256 {}{}", self.component, known(self.before.component))?;
        match &self.artifact {
            Some(artifact) => {
                writeln!(f, "artifact     {} bytes", artifact.bytes)?;
                writeln!(f, "             sha256 {}{}", artifact.sha256, known(self.before.artifact))?;
            }
            None => writeln!(f, "artifact     none")?,
        }
        writeln!(f, "environment  {}, {}", self.environment.as_str(), self.reversibility.as_str())?;
        if self.before.asked > 0 {
            let Before { asked, denied, .. } = self.before;
            writeln!(f, "asked        {asked} times before on this resource, denied {denied} times")?;
        }
        self.write_policy(f)?;
        writeln!(f, "lapses       {}", self.expires_at)?;
        self.write_warnings(f)?;
        writeln!(f, "written by the workflow, not checked by anybody:")?;
        if let Some(artifact) = &self.artifact {
            writeln!(f, "  artifact   {}", QuotedWhole(&artifact.name))?;
        }
        writeln!(f, "  reason     {}", Quoted(&self.reason))?;
        // As it is signed, which brings its own quotation marks.
        match Json::parse(&self.evidence) {
            Ok(evidence) => write!(f, "  evidence   {}", Clipped(&evidence.canonical())),
            Err(_) => write!(f, "  evidence   {}", Quoted(&self.evidence)),
        }
    }
}

impl Request {
    /// The digest of the exact text that an approver sees. It stands in what they sign.
    #[must_use]
    pub fn view_digest(&self) -> Digest {
        Digest::of(self.to_string().as_bytes())
    }

    fn write_policy(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Governed { version, answer, rules, .. } = &self.governed;
        writeln!(
            f,
            "policy       {}: {} by {}",
            Escaped(version),
            Escaped(answer),
            Escaped(&rules.join(", "))
        )
    }

    /// Letters of several scripts in one word are how one name is made to look like another.
    fn write_warnings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let artifact = self.artifact.as_ref().map_or("", |artifact| &artifact.name);
        let texts = [
            ("resource", self.resource.as_str()),
            ("artifact's name", artifact),
            ("workflow's name", &self.workflow),
            ("reason", &self.reason),
            ("evidence", &self.evidence),
        ];
        let mixes =
            |text: &str| !text.split(|c: char| !c.is_alphanumeric()).all(MixedScript::is_single_script);
        for (what, _) in texts.into_iter().filter(|(_, text)| mixes(text)) {
            writeln!(f, "WARNING      the {what} mixes letters of several scripts in one word")?;
        }
        Ok(())
    }
}

fn known(novelty: Novelty) -> &'static str {
    match novelty {
        Novelty::Known => ", approved before",
        Novelty::New => ", not seen before",
    }
}
