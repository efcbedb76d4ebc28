//! In what a new version differs from the one before it, and what became of that.

use serde::{Deserialize, Serialize};

use crate::text_enum;

text_enum! {
    /// What the comparison with the version before came to.
    pub enum ShapeState {
        /// Somebody accepted what differs.
        Accepted = "accepted",
        /// Nothing differs that matters, or it is the first.
        Fits = "fits",
        /// It is not deployed until somebody accepts it.
        Held = "held",
        /// It is deployed, and people are told what differs.
        Noted = "noted",
    }
}

text_enum! {
    /// What is compared.
    pub enum ShapeRule {
        /// clientAuth is gone (RFC 5280 §4.2.1.12).
        ClientAuthLost = "client_auth_lost",
        /// The family of the key is another one, or the key is smaller.
        KeyChanged = "key_changed",
        /// A key usage is gone (RFC 5280 §4.2.1.3).
        KeyUsageLost = "key_usage_lost",
        /// It is valid for less than half as long, or more than twice as long.
        LifetimeChanged = "lifetime_changed",
        /// Names came or went (RFC 5280 §4.2.1.6).
        NamesChanged = "names_changed",
        /// It chains to another root.
        RootChanged = "root_changed",
        /// serverAuth is gone (RFC 5280 §4.2.1.12).
        ServerAuthLost = "server_auth_lost",
        /// Another extended key usage came or went.
        UsagesChanged = "usages_changed",
    }
}

text_enum! {
    /// What a difference means.
    pub enum ShapeSeverity {
        /// It is not deployed until somebody accepts it.
        Block = "block",
        /// People are told.
        Warn = "warn",
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShapeFinding {
    /// What differs.
    pub rule: ShapeRule,
    /// What that means.
    pub severity: ShapeSeverity,
    /// How it differs, for people.
    pub detail: String,
}
