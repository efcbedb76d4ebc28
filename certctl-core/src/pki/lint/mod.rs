//! Lint before signing: a certificate that breaks a rule of RFC 5280, or where an issuer wants it a rule of public trust,
//! is never signed.

mod certificate;
mod extensions;
mod names;
mod public_trust;
mod rules;
mod usage;
mod validity;
mod view;

#[cfg(test)]
mod draft;
#[cfg(test)]
mod tests;

pub use rules::RULES;
use view::View;

use crate::pki;

/// Which rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The rules of RFC 5280 and what it builds on: for every certificate.
    Always,
    /// Also the Baseline Requirements of the CA/Browser Forum (BR) for TLS server certificates: for issuers that say
    /// `lint = "public_trust"`.
    PublicTrust,
}

/// One rule.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its stable name, in lower case with underscores.
    pub name: &'static str,
    /// Where it is written, such as `RFC 5280 §4.1.2.2`.
    pub section: &'static str,
    /// Where it holds.
    pub scope: Scope,
    check: fn(&View<'_>) -> Verdict,
}

/// A certificate breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// Where the rule is written.
    pub section: &'static str,
    /// What the certificate has instead.
    pub detail: String,
}

/// What a rule says: nothing, or what is wrong.
type Verdict = Result<(), String>;

/// The rule that a certificate which cannot be taken apart breaks.
const WELL_FORMED: &str = "well_formed";

/// Every rule of the scope that the DER TBSCertificate breaks, in the order of [`RULES`]; empty when it may be signed.
///
/// What cannot be taken apart breaks `well_formed` alone, because no other rule can be asked.
pub fn check(tbs: &[u8], scope: Scope) -> Vec<Finding> {
    let unreadable = |detail: String| -> Vec<Finding> {
        let rules = RULES.iter().filter(|rule| rule.name == WELL_FORMED);
        rules.map(|rule| Finding { rule: rule.name, section: rule.section, detail: detail.clone() }).collect()
    };
    if let Err(error) = pki::certificate::check_size(tbs) {
        return unreadable(error.to_string());
    }
    let view = match View::read(tbs) {
        Ok(view) => view,
        Err(damage) => return unreadable(damage.to_string()),
    };
    let held = RULES.iter().filter(|rule| rule.scope <= scope);
    held.filter_map(|rule| {
        let detail = (rule.check)(&view).err()?;
        Some(Finding { rule: rule.name, section: rule.section, detail })
    })
    .collect()
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.rule, self.section, self.detail)
    }
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule")
            .field("name", &self.name)
            .field("section", &self.section)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
