//! The closed vocabularies of a receipt's signed fields.

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* #[doc = concat!("\n\nSigned as `", $text, "`.")] $variant,)+
        }

        impl $name {
            /// The signed spelling.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Reads the signed spelling.
            pub fn from_signed(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use vocabulary;

vocabulary! {
    /// The decision. There is no third value: a hold, an expiry or an error is never signed.
    Decision {
        /// The action was authorised.
        Approved = "APPROVED",
        /// The action was refused, or an approval was withdrawn.
        Denied = "DENIED",
    }
}

vocabulary! {
    /// The environment that a receipt belongs to.
    Scope {
        /// Real decisions by accountable deciders.
        Production = "production",
        /// Anonymous decisions of a public demonstration. They prove nothing about production.
        Demo = "demo",
    }
}

vocabulary! {
    /// How dangerous the action was judged to be.
    RiskTier {
        /// Reads only.
        Readonly = "A_READONLY",
        /// Prepares, does not perform.
        Draft = "B_DRAFT",
        /// Performs, and needs an approval.
        ExecuteWithApproval = "C_EXECUTE_WITH_APPROVAL",
        /// The member is never allowed.
        Prohibited = "D_PROHIBITED",
    }
}

vocabulary! {
    /// How the decider was authenticated.
    AuthMethod {
        /// A signed-in human.
        Session = "session",
        /// A signed-in human who also gave a passkey assertion for this decision.
        SessionStepupWebauthn = "session_stepup_webauthn",
        /// A signed-in human who had signed in again shortly before.
        SessionReauth = "session_reauth",
        /// A machine credential.
        ApiKey = "api_key",
        /// The public demonstration: no particular person.
        AnonymousDemo = "anonymous_demo",
        /// A policy engine.
        Policy = "policy",
    }
}

vocabulary! {
    /// How a hold was resolved.
    Resolution {
        /// Allowed for this action.
        AllowOnce = "allow_once",
        /// Allowed for this action and ones like it.
        AllowAlways = "allow_always",
        /// Refused.
        Deny = "deny",
    }
}

vocabulary! {
    /// How firmly the decision is tied to the decider.
    Attribution {
        /// The decider authenticated at the moment of the decision, or is a named policy version.
        Credentialed = "credentialed",
        /// The identity was joined from a record when the receipt was signed.
        Heuristic = "heuristic",
        /// Anonymous. Only in the demo scope.
        Unattributed = "unattributed",
    }
}
