//! Whether an order names the version before it as the one that it replaces (RFC 9773 §5).
//!
//! A CA refuses an order that names a certificate of another account or another CA, or one that was replaced already. None of that
//! may stop a renewal: the order goes out without it, and why is kept with the version.

use crate::domain::{IssuerId, IssuingAccount, Version};

/// What decides about it.
#[derive(Clone, Copy, Debug)]
pub struct LineageInput<'a> {
    /// The newest version of the key holder; `None` for the first.
    pub predecessor: Option<&'a Version>,
    /// Who is asked now.
    pub issuer: &'a IssuerId,
    /// Under which account; `None` where the issuer offers no renewal information, or has no account yet.
    pub account: Option<&'a IssuingAccount>,
    /// Why the CA refused to hear of the predecessor, if it did.
    pub refused: Option<&'a str>,
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lineage {
    /// There is nothing that it replaces.
    First,
    /// It replaces the version before it.
    Continues,
    /// It replaces the version before it, but does not say so, and why.
    Broken(String),
}

/// The rules in order; the first that has an answer decides.
const RULES: &[fn(&LineageInput<'_>, &Version) -> Option<String>] =
    &[refused, other_issuer, other_directory, other_account];

/// Whether the order names its predecessor.
pub fn decide(input: &LineageInput<'_>) -> Lineage {
    let Some(predecessor) = input.predecessor else { return Lineage::First };
    match RULES.iter().find_map(|rule| rule(input, predecessor)) {
        Some(why) => Lineage::Broken(why),
        None => Lineage::Continues,
    }
}

/// It was replaced already, or the CA has other reasons (RFC 9773 §5, `alreadyReplaced`).
fn refused(input: &LineageInput<'_>, _: &Version) -> Option<String> {
    input.refused.map(|why| format!("the CA refused to hear of it: {why}"))
}

/// Of an issuer that tells no account nothing is known but its id.
fn other_issuer(input: &LineageInput<'_>, predecessor: &Version) -> Option<String> {
    (input.account.is_none() && predecessor.issuer_id != *input.issuer)
        .then(|| format!("the version before it is of issuer `{}`", predecessor.issuer_id))
}

/// A CA knows its own certificates only. Two issuers may be one CA, and one issuer may be another CA today.
fn other_directory(input: &LineageInput<'_>, predecessor: &Version) -> Option<String> {
    let account = input.account?;
    match &predecessor.directory {
        Some(directory) if *directory == account.directory => None,
        Some(directory) => Some(format!("the version before it is of another CA, {directory}")),
        None => Some("it is not known which CA the version before it is of".to_owned()),
    }
}

/// A CA takes it from the account that ordered the predecessor only.
fn other_account(input: &LineageInput<'_>, predecessor: &Version) -> Option<String> {
    let account = input.account?;
    let before = predecessor.account.as_ref()?;
    (*before != account.account).then(|| format!("the version before it was ordered by another account, {before}"))
}
