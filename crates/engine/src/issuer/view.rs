//! The approver's text: a pure function of the request, and of the part of its code and bytes that is still known.
//!
//! The host's own facts come first. The workflow's words come after them, each in quotation marks, escaped and
//! shortened, under a line that says that they are the workflow's. A workflow cannot write a headline. The resource and
//! the parameters of the action are never shortened.
//!
//! A line of the host's begins with a label of up to twelve characters and at least one blank, or with a margin, and so
//! has two consecutive blanks within its first fourteen columns. No words of a workflow have two consecutive blanks. So
//! no screen can wrap them into a line that looks like one of the host's.

use crate::issuer::{Before, Governed, Performer, Request, ScriptFacts};
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
        writeln!(
            f,
            "code         sha256 {}{}",
            self.component,
            self.approved(self.before.component, &self.component)
        )?;
        self.write_script(f)?;
        match &self.artifact {
            Some(artifact) => {
                writeln!(f, "artifact     {} bytes", artifact.bytes)?;
                let approved = self.approved(self.before.artifact, &artifact.sha256);
                writeln!(f, "             sha256 {}{approved}", artifact.sha256)?;
                if self.is_described_only(&artifact.sha256) {
                    writeln!(
                        f,
                        "             there are no other bytes: this is the evidence below, as canonical JSON"
                    )?;
                }
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
        // As it is signed, with the quotation marks of the JSON text.
        match Json::parse(&self.evidence) {
            Ok(evidence) => write!(f, "  evidence   {}", Clipped(&evidence.canonical())),
            Err(_) => write!(f, "  evidence   {}", Quoted(&self.evidence)),
        }
    }
}

impl Request {
    /// The digest of the exact text that an approver sees. Signed statements contain it.
    #[must_use]
    pub fn view_digest(&self) -> Digest {
        Digest::of(self.to_string().as_bytes())
    }

    /// Whether code or bytes were approved before, when the request was made and now.
    fn approved(&self, before: Novelty, digest: &Digest) -> &'static str {
        match (before, self.known.novelty_of(digest)) {
            (Novelty::New, _) => ", not approved before",
            (Novelty::Known, Novelty::Known) => ", approved before",
            (Novelty::Known, Novelty::New) => ", APPROVAL BEFORE NO LONGER COUNTS",
        }
    }

    /// The parts of the code, if it is source text.
    fn write_script(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(ScriptFacts { engine, main, modules, .. }) = &self.script else { return Ok(()) };
        let count = match modules.len() {
            1 => "one module".to_owned(),
            more => format!("{more} modules"),
        };
        writeln!(f, "             a script of {count}, on engine sha256 {engine}")?;
        for module in modules {
            let role = if module.name == *main { "main module" } else { "module" };
            writeln!(f, "             {role} {}, {} bytes", Escaped(&module.name), module.bytes)?;
            writeln!(f, "               sha256 {}", module.sha256)?;
        }
        Ok(())
    }

    /// Whether there is only evidence and no artifact: the workflow named one without its bytes.
    fn is_described_only(&self, artifact: &Digest) -> bool {
        let evidence = Json::parse(&self.evidence);
        evidence.is_ok_and(|evidence| Digest::of(evidence.canonical().as_bytes()) == *artifact)
    }

    fn write_policy(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Governed { version, answer, rules, .. } = &self.governed;
        write!(f, "policy       {}: {}", Escaped(version), Escaped(answer))?;
        match rules.is_empty() {
            true => writeln!(f),
            false => writeln!(f, " by {}", Escaped(&rules.join(", "))),
        }
    }

    /// Warns of what an approval would allow, and of deceptive text: letters of several scripts in one word make one
    /// name look like another.
    fn write_warnings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.performer {
            Performer::Here => {}
            Performer::NoCapability => writeln!(
                f,
                "WARNING      this host has no capability of that name: nothing here can act on an approval"
            )?,
            Performer::NoTarget => writeln!(
                f,
                "WARNING      the capability does not act on that resource: nothing here can act on an approval"
            )?,
        }
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
