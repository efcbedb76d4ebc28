//! Extended key usages by object identifier (RFC 5280 §4.2.1.12).

use super::ExtendedKeyUsage;

impl ExtendedKeyUsage {
    /// The object identifier in dots.
    pub const fn oid(self) -> &'static str {
        match self {
            Self::ServerAuth => "1.3.6.1.5.5.7.3.1",
            Self::ClientAuth => "1.3.6.1.5.5.7.3.2",
            Self::CodeSigning => "1.3.6.1.5.5.7.3.3",
            Self::EmailProtection => "1.3.6.1.5.5.7.3.4",
            Self::TimeStamping => "1.3.6.1.5.5.7.3.8",
        }
    }

    /// The usage with this object identifier in dots, if profiles know it.
    pub fn from_oid(oid: &str) -> Option<Self> {
        Self::ALL.iter().find(|usage| usage.oid() == oid).copied()
    }
}
