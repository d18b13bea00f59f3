//! What an approver sees: a pure function of the request.
//!
//! The host's own facts come first. The workflow's words stand below them, each in quotation marks, escaped and cut, and under a line
//! that says whose words they are. A workflow never writes a headline. What is acted on, and with what, is never cut.

use crate::authority::Request;
use std::fmt;
use workflow::Clipped;
use workflow::Escaped;
use workflow::Quoted;

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "capability   {}", self.capability)?;
        writeln!(f, "resource     {}", Escaped(&self.resource))?;
        writeln!(f, "tenant       {}", self.tenant)?;
        writeln!(f, "actor        {}", self.actor)?;
        writeln!(f, "instance     {}, call #{}", self.instance, self.call)?;
        writeln!(f, "code         sha256 {}", self.component)?;
        match &self.artifact {
            Some(artifact) => {
                writeln!(f, "artifact     {}, {} bytes", Escaped(&artifact.name), artifact.bytes)?;
                writeln!(f, "             sha256 {}", artifact.sha256)?;
            }
            None => writeln!(f, "artifact     none")?,
        }
        writeln!(f, "environment  {}, {}", self.environment.as_str(), self.reversibility.as_str())?;
        writeln!(f, "lapses       {}", self.expires_at)?;
        writeln!(f, "written by the workflow, not checked by anybody:")?;
        writeln!(f, "  reason     {}", Quoted(&self.reason))?;
        write!(f, "  evidence   {}", Clipped(&self.evidence))
    }
}
