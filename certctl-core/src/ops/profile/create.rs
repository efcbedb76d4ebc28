//! Creating a certificate profile.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AuditAction, ExtendedKeyUsage, KeyFamily, KeyRule, Profile, ProfileId};
use crate::entity::Json;
use crate::error::Error;
use crate::ops::{Access, Context, Operation, check};

/// Creates a certificate profile.
#[derive(Clone, Debug)]
pub struct Create {
    /// Kept when given.
    pub id: Option<ProfileId>,
    /// Unique; 1 to 255 characters.
    pub name: String,
    /// Free text of at most 2,000 characters.
    pub description: String,
    /// RSA from 2048 bits, ECDSA from 256; ECDSA 256 and RSA 2048 when absent.
    pub allowed_key_algorithms: Option<Vec<KeyRule>>,
    /// The longest lifetime in seconds, 0 for no limit; below 3,600 for short-lived profiles.
    pub max_ttl_seconds: i64,
    /// What certificates are for; serverAuth when absent.
    pub allowed_ekus: Option<Vec<ExtendedKeyUsage>>,
    /// Patterns of which each name must match one; `*` stands for what a label holds.
    pub required_san_patterns: Vec<String>,
    /// A pattern that each SPIFFE URI must match; empty allows all.
    pub spiffe_uri_pattern: String,
    /// Whether certificates are short-lived; needs `max_ttl_seconds` between 1 and 3,599.
    pub allow_short_lived: bool,
    /// Whether certificates ask for OCSP stapling (RFC 7633).
    pub must_staple: bool,
    /// Whether somebody else than the requester has to approve each issuance.
    pub requires_approval: bool,
    /// Whether it can be used.
    pub enabled: bool,
}

#[async_trait]
impl Operation for Create {
    type Output = Profile;
    const NAME: &'static str = "profile.create";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Profile, Error> {
        let id = self.id.clone().unwrap_or_else(|| ProfileId::generate(&*cx.ports().clock, &*cx.ports().rng));
        let now = cx.now();
        let default_keys = || {
            let rule = |algorithm, min_size| KeyRule { algorithm, min_size };
            vec![rule(KeyFamily::Ecdsa, 256), rule(KeyFamily::Rsa, 2048)]
        };
        let profile = Profile {
            id,
            name: self.name.clone(),
            description: self.description.clone(),
            allowed_key_algorithms: Json(self.allowed_key_algorithms.clone().unwrap_or_else(default_keys)),
            max_ttl_seconds: self.max_ttl_seconds,
            allowed_ekus: Json(self.allowed_ekus.clone().unwrap_or_else(|| vec![ExtendedKeyUsage::ServerAuth])),
            required_san_patterns: Json(self.required_san_patterns.clone()),
            spiffe_uri_pattern: self.spiffe_uri_pattern.clone(),
            allow_short_lived: self.allow_short_lived,
            must_staple: self.must_staple,
            requires_approval: self.requires_approval,
            enabled: self.enabled,
            created_at: now,
            updated_at: now,
        };
        check(&profile)?;
        cx.unit.insert(profile.clone());
        cx.audit(AuditAction::ProfileCreated, ("profile", profile.id.as_str()), json!({ "name": profile.name }));
        Ok(profile)
    }
}

/// What every profile must be.
pub(super) fn check(profile: &Profile) -> Result<(), Error> {
    check::name("/name", &profile.name, 255)?;
    check::text("/description", &profile.description, 2_000)?;
    check::within("/max_ttl_seconds", profile.max_ttl_seconds, 0..=315_360_000)?;
    check::text("/spiffe_uri_pattern", &profile.spiffe_uri_pattern, 2_048)?;
    let spiffe = &profile.spiffe_uri_pattern;
    if !spiffe.is_empty() && !spiffe.starts_with("spiffe://") {
        let detail = "a SPIFFE URI begins with `spiffe://`, and so must its pattern";
        return Err(Error::invalid_field("/spiffe_uri_pattern", "bad_pattern", detail));
    }
    if profile.required_san_patterns.len() > 100 {
        return Err(Error::invalid_field("/required_san_patterns", "too_many", "at most 100 patterns are kept"));
    }
    for (index, pattern) in profile.required_san_patterns.iter().enumerate() {
        let pointer = format!("/required_san_patterns/{index}");
        check::name(&pointer, pattern, 253)?;
        // What people write who mean a regular expression would silently match nothing.
        if pattern.contains(['\\', '^', '$', '(', '|']) {
            let detail = "write a name in which `*` stands for what a label holds; regular expressions are not read";
            return Err(Error::invalid_field(pointer, "bad_pattern", detail));
        }
    }
    if profile.allow_short_lived && !(1..3_600).contains(&profile.max_ttl_seconds) {
        let detail = "a short-lived profile needs a max_ttl_seconds of 1 to 3599";
        return Err(Error::invalid_field("/allow_short_lived", "out_of_range", detail));
    }
    for (index, rule) in profile.allowed_key_algorithms.iter().enumerate() {
        let smallest = if rule.algorithm == KeyFamily::Rsa { 2048 } else { 256 };
        // Ed25519 has one size, so none needs to be named.
        if rule.min_size < smallest && rule.algorithm != KeyFamily::Ed25519 {
            let pointer = format!("/allowed_key_algorithms/{index}/min_size");
            let detail = format!("{} keys need {smallest} bits or more", rule.algorithm);
            return Err(Error::invalid_field(pointer, "too_small", detail));
        }
    }
    Ok(())
}
