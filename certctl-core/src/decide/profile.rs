//! Whether an order fits its profile and its issuer, and what the profile makes of it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::connector::IssuerCapabilities;
use crate::domain::{EnforcedTerms, KeyAlgorithm, Profile, SanKind, SubjectAltName, SubjectNames};

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct ProfileInput<'a> {
    /// The profile as written.
    pub profile: &'a Profile,
    /// What the issuer can do.
    pub capabilities: &'a IssuerCapabilities,
    /// The names to certify.
    pub names: &'a SubjectNames,
    /// The key, once it is known.
    pub key: Option<KeyAlgorithm>,
}

/// Why an order does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ProfileViolation {
    /// A stable word for the rule.
    pub rule: &'static str,
    /// What does not fit and what would.
    pub message: String,
}

type Rule = fn(&ProfileInput<'_>) -> Result<(), ProfileViolation>;

/// The rules in order; the first that is broken decides.
const RULES: &[Rule] =
    &[enabled, key_allowed, key_known_to_issuer, san_kinds, wildcards, san_patterns, spiffe_pattern, ekus];

/// Compares an order with its profile and its issuer.
///
/// # Errors
/// The first rule that is broken.
pub fn enforce(input: &ProfileInput<'_>) -> Result<EnforcedTerms, ProfileViolation> {
    RULES.iter().try_for_each(|rule| rule(input))?;
    let limits = [profile_lifetime(input.profile), input.capabilities.max_lifetime];
    Ok(EnforcedTerms {
        lifetime: limits.into_iter().flatten().min(),
        ekus: input.profile.allowed_ekus.iter().copied().collect(),
        must_staple: input.profile.must_staple,
    })
}

/// The profile's limit; `None` for none.
pub fn profile_lifetime(profile: &Profile) -> Option<Duration> {
    u64::try_from(profile.max_ttl_seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

fn violation(rule: &'static str, message: String) -> ProfileViolation {
    ProfileViolation { rule, message }
}

fn enabled(input: &ProfileInput<'_>) -> Result<(), ProfileViolation> {
    if input.profile.enabled {
        return Ok(());
    }
    Err(violation(
        "profile_enabled",
        format!("profile `{}` is disabled; enable it or choose another", input.profile.id),
    ))
}

fn key_allowed(input: &ProfileInput<'_>) -> Result<(), ProfileViolation> {
    let rules = &input.profile.allowed_key_algorithms.0;
    let Some(key) = input.key else { return Ok(()) };
    let fits = rules.iter().any(|rule| rule.algorithm == key.family() && key.bits() >= rule.min_size);
    if rules.is_empty() || fits {
        return Ok(());
    }
    let allowed: Vec<String> =
        rules.iter().map(|rule| format!("{} of {} bits or more", rule.algorithm, rule.min_size)).collect();
    let message =
        format!("profile `{}` does not allow a {key} key; it allows {}", input.profile.id, allowed.join(", "));
    Err(violation("key_algorithm", message))
}

fn key_known_to_issuer(input: &ProfileInput<'_>) -> Result<(), ProfileViolation> {
    match input.key {
        Some(key) if !input.capabilities.key_families.contains(&key.family()) => {
            Err(violation("issuer_key_algorithm", format!("the issuer does not certify {} keys", key.family())))
        }
        _ => Ok(()),
    }
}

fn san_kinds(input: &ProfileInput<'_>) -> Result<(), ProfileViolation> {
    let unknown = input.names.sans.iter().find(|san| !input.capabilities.san_kinds.contains(&kind(san)));
    unknown.map_or(Ok(()), |san| {
        Err(violation("issuer_san_kind", format!("the issuer does not certify {} names such as `{san}`", kind(san))))
    })
}

fn kind(san: &SubjectAltName) -> SanKind {
    match san {
        SubjectAltName::Dns(_) => SanKind::Dns,
        SubjectAltName::Email(_) => SanKind::Email,
        SubjectAltName::Ip(_) => SanKind::Ip,
        SubjectAltName::Uri(_) => SanKind::Uri,
    }
}

fn wildcards(input: &ProfileInput<'_>) -> Result<(), ProfileViolation> {
    let wildcard = input.names.sans.iter().find(|san| matches!(san, SubjectAltName::Dns(name) if name.is_wildcard()));
    match wildcard {
        Some(san) if !input.capabilities.wildcards => {
            Err(violation("issuer_wildcards", format!("the issuer does not certify wildcard names such as `{san}`")))
        }
        _ => Ok(()),
    }
}

/// SPIFFE URIs have a pattern of their own, where there is one.
fn san_patterns(input: &ProfileInput<'_>) -> Result<(), ProfileViolation> {
    let Profile { id, required_san_patterns: patterns, spiffe_uri_pattern, .. } = input.profile;
    if patterns.is_empty() {
        return Ok(());
    }
    let judged_here = |san: &&SubjectAltName| spiffe_uri_pattern.is_empty() || spiffe(san).is_none();
    let fits = |san: &SubjectAltName| patterns.iter().any(|pattern| fits_pattern(pattern, san));
    let Some(san) = input.names.sans.iter().filter(judged_here).find(|san| !fits(san)) else { return Ok(()) };
    let allowed = patterns.join(", ");
    Err(violation("san_pattern", format!("profile `{id}` does not allow the name `{san}`; it allows {allowed}")))
}

/// Case counts where it does in the name: not in host names, whose canonical form is lower case.
fn fits_pattern(pattern: &str, san: &SubjectAltName) -> bool {
    match san {
        SubjectAltName::Dns(name) => matches(&pattern.to_lowercase(), name.as_str()),
        SubjectAltName::Email(_) | SubjectAltName::Ip(_) | SubjectAltName::Uri(_) => matches(pattern, &san.to_string()),
    }
}

fn spiffe_pattern(input: &ProfileInput<'_>) -> Result<(), ProfileViolation> {
    let pattern = &input.profile.spiffe_uri_pattern;
    match input.names.sans.iter().filter_map(spiffe).find(|uri| !matches(pattern, uri)) {
        Some(uri) if !pattern.is_empty() => Err(violation(
            "spiffe_pattern",
            format!("profile `{}` does not allow `{uri}`; it allows `{pattern}`", input.profile.id),
        )),
        _ => Ok(()),
    }
}

/// The URI, if the name is a SPIFFE ID (SPIFFE ID §2).
fn spiffe(san: &SubjectAltName) -> Option<&str> {
    match san {
        SubjectAltName::Uri(uri) if uri.scheme() == "spiffe" => Some(uri.as_str()),
        _ => None,
    }
}

fn ekus(input: &ProfileInput<'_>) -> Result<(), ProfileViolation> {
    let known: &BTreeSet<_> = &input.capabilities.ekus;
    let unknown = input.profile.allowed_ekus.iter().find(|eku| !known.contains(eku));
    match unknown {
        Some(eku) if !known.is_empty() => {
            Err(violation("issuer_eku", format!("the issuer does not certify for {eku}")))
        }
        _ => Ok(()),
    }
}

/// Whether a name matches a pattern in which each `*` stands for any run of characters without `.` or `/`, also an empty
/// one. Takes time in proportion to the product of their lengths at most.
pub fn matches(pattern: &str, name: &str) -> bool {
    // A star never crosses a separator, so each part between separators is compared on its own.
    let separator = |c| c == '.' || c == '/';
    let separators = |text: &str| text.chars().filter(|c| separator(*c)).collect::<String>();
    separators(pattern) == separators(name)
        && pattern.split(separator).zip(name.split(separator)).all(|(pattern, label)| label_matches(pattern, label))
}

/// The same within a label: the last star that was met takes one more character whenever what follows it does not fit.
fn label_matches(pattern: &str, label: &str) -> bool {
    let (mut pattern, mut label) = (pattern.chars(), label.chars());
    // What follows the last star, and the label from where that star would take one more.
    let mut again: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let rest = label.clone();
        match (pattern.next(), label.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                label = rest.clone();
                again = Some((pattern.clone(), rest));
            }
            (Some(wanted), Some(found)) if wanted == found => {}
            _ => {
                let Some((after_star, from)) = &mut again else { return false };
                if from.next().is_none() {
                    return false;
                }
                (pattern, label) = (after_star.clone(), from.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_its_label() {
        for (pattern, name, fits) in [
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "example.com", false),
            ("example.com", "example.com", true),
            ("web-*.example.com", "web-12.example.com", true),
            ("web-*", "web-12", true),
            ("web-*", "web-12.example.com", false),
            ("spiffe://corp/ns/*/sa/*", "spiffe://corp/ns/a/sa/b", true),
            ("spiffe://corp/ns/*/sa/*", "spiffe://corp/ns/a/x/sa/b", false),
            ("*ab*b", "abab", true),
            ("a*b*c", "abcbc", true),
            ("a*b*c", "abcb", false),
            ("a*", "a", true),
            ("**", "", true),
            ("spiffe://corp/*", "spiffe://corp/", true),
            ("*.example.com", "*.example.com", true),
            ("*", "host", true),
            ("", "host", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_is_cheap() {
        let (pattern, name) = (format!("{}b", "a*".repeat(1_000)), "a".repeat(2_000));
        // Trying every way to spread the name over the stars would not end.
        assert!(!matches(&pattern, &name));
        assert!(matches(&pattern, &format!("{name}b")));
    }
}
