//! How EST is served at one path.

use std::fmt::{Debug, Formatter};

use certctl_core::enrol::EnrolTerms;
use certctl_core::ports::Secret;

use crate::public::trust::TrustBundle;

/// One EST server (RFC 7030 §3.2.2): `/.well-known/est/…`, or `/.well-known/est/NAME/…`.
#[derive(Clone, Debug)]
pub struct EstProfile {
    /// The label in the path; the server without one when absent. 1 to 64 of the characters `A-Z a-z 0-9 . _ -`, and no name of
    /// an operation.
    pub name: Option<String>,
    /// Who issues, by what profile, and who answers for the certificates.
    pub terms: EnrolTerms,
    /// How machines prove who they are when they enrol for the first time. A renewal is always proven by the certificate that is
    /// renewed.
    pub access: EstAccess,
    /// Whether requests must be bound to their TLS connection (RFC 9266), which takes TLS 1.3.
    pub channel_binding_required: bool,
    /// How many certificates one machine may have in 24 hours; as many as it likes when absent. Machines are told apart by the
    /// certificate that they show, or else by the names that they ask for.
    pub per_day: Option<u32>,
    /// Whether keys are made for machines that ask for one (RFC 7030 §4.4).
    pub server_keygen: bool,
}

impl EstProfile {
    /// What the server without a label is called in logs and the audit trail.
    pub const DEFAULT: &'static str = "default";

    /// A server whose clients know a password, with what a fresh store holds. Change what differs.
    pub fn with_password(password: Secret) -> Self {
        Self {
            name: None,
            terms: EnrolTerms::default(),
            access: EstAccess::Password(password),
            channel_binding_required: false,
            per_day: None,
            server_keygen: false,
        }
    }

    /// What it is called.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(Self::DEFAULT)
    }

    /// Whether a text can be the label of a path.
    pub fn is_label(text: &str) -> bool {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        (1..=64).contains(&text.len())
            && text.chars().all(allowed)
            && super::Operation::ALL.iter().all(|operation| operation.name() != text)
            && !matches!(text, "." | ".." | "fullcmc" | Self::DEFAULT)
    }
}

/// How machines prove who they are.
#[derive(Clone)]
pub enum EstAccess {
    /// By a password (RFC 7030 §3.2.3); the name that is sent with it is not looked at.
    Password(Secret),
    /// By a TLS client certificate (RFC 7030 §3.3.2).
    Certificate(EstTrust),
    /// By either.
    Either(Secret, EstTrust),
    /// By both.
    Both(Secret, EstTrust),
}

impl EstAccess {
    /// Whose certificates count, where any do.
    pub(crate) fn trust(&self) -> Option<&EstTrust> {
        match self {
            Self::Certificate(trust) | Self::Either(_, trust) | Self::Both(_, trust) => Some(trust),
            Self::Password(_) => None,
        }
    }
}

impl Debug for EstAccess {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password",
            Self::Certificate(_) => "Certificate",
            Self::Either(..) => "Either",
            Self::Both(..) => "Both",
        })
    }
}

/// Whose client certificates count.
#[derive(Clone, Debug)]
pub enum EstTrust {
    /// Those of the server's own issuer: each for the names that it has.
    Issuer,
    /// Those of these CAs, such as a manufacturer's: for any names that the profile allows. Those of the server's own issuer count
    /// as well.
    Bundle(TrustBundle),
}
