//! What an approver sees: a pure function of the request.
//!
//! The host's own facts come first. The workflow's words stand below them, each in quotation marks, escaped and cut, and under a line
//! that says whose words they are. A workflow never writes a headline. What is acted on, and with what, is never cut.

use crate::issuer::{Before, Governed, Request, ScriptFacts};
use policy::Novelty;
use receipt::{Digest, Json};
use std::fmt;
use unicode_security::MixedScript;
use workflow::{Clipped, Escaped, Quoted};

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "capability   {}", self.capability)?;
        writeln!(f, "resource     {}", Escaped(&self.resource))?;
        writeln!(f, "tenant       {}", self.tenant)?;
        write!(f, "actor        {}", self.actor)?;
        for (what, person) in [("operated", &self.operator), ("submitted", &self.submitter)] {
            person.iter().try_for_each(|person| write!(f, ", {what} by {person}"))?;
        }
        writeln!(f)?;
        writeln!(f, "instance     {}, call #{}", self.instance, self.call)?;
        writeln!(f, "code         sha256 {}{}", self.component, known(self.before.component))?;
        self.write_script(f)?;
        match &self.artifact {
            Some(artifact) => {
                writeln!(f, "artifact     {}, {} bytes", Escaped(&artifact.name), artifact.bytes)?;
                writeln!(f, "             sha256 {}{}", artifact.sha256, known(self.before.artifact))?;
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
            writeln!(f, "asked before {asked} times on this resource, denied {denied} times")?;
        }
        self.write_policy(f)?;
        writeln!(f, "lapses       {}", self.expires_at)?;
        self.write_warnings(f)?;
        writeln!(f, "written by the workflow, not checked by anybody:")?;
        writeln!(f, "  reason     {}", Quoted(&self.reason))?;
        write!(f, "  evidence   {}", Clipped(&self.evidence))
    }
}

impl Request {
    /// The digest of the exact text that an approver sees. It stands in what they sign.
    #[must_use]
    pub fn view_digest(&self) -> Digest {
        Digest::of(self.to_string().as_bytes())
    }

    /// What the code is made of, where it is source text.
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

    /// Whether the artifact is nothing but the evidence: the workflow named one and had no bytes of it.
    fn is_described_only(&self, artifact: &Digest) -> bool {
        let evidence = Json::parse(&self.evidence);
        evidence.is_ok_and(|evidence| Digest::of(evidence.canonical().as_bytes()) == *artifact)
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
