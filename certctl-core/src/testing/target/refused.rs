//! What is refused leaves everything as it was, byte for byte.

use super::{Bench, Site, Trouble};
use crate::connector::{DeployCause, DeployError};
use crate::domain::Chain;
use crate::testing::TestCertificate;

/// Deploys in vain over the old certificate, and over nothing.
fn in_vain(bench: &Bench<'_>, certificate: &TestCertificate, trouble: Option<Trouble>) -> Vec<DeployError> {
    let mut errors = Vec::new();
    for before in [None, Some(&bench.certificates.old)] {
        let site = bench.site(before);
        if trouble.is_some_and(|trouble| !site.host.trouble(trouble)) {
            return Vec::new();
        }
        let (material, served) = (site.host.material(), site.host.served());
        let error = site.deploy(certificate).expect_err("it cannot be deployed");
        assert!(error.rolled_back, "{error}");
        assert_eq!(site.host.material(), material, "{error}");
        assert_eq!(site.host.served(), served, "{error}");
        shows_no_key(&format!("{error:?} {error}"), certificate);
        works_again(&site);
        errors.push(error);
    }
    errors
}

fn works_again(site: &Site<'_>) {
    let next = &site.bench.certificates.new;
    site.deploy(next).expect("a failure does not hinder the next deployment");
    assert!(site.serves(next));
}

fn shows_no_key(text: &str, certificate: &TestCertificate) {
    let inner: Vec<&str> = certificate.key_pem.expose().lines().filter(|line| !line.starts_with("---")).collect();
    assert!(!inner.iter().any(|line| line.len() > 8 && text.contains(line)), "the key is shown");
}

fn causes(errors: &[DeployError]) -> Vec<(DeployCause, bool)> {
    errors.iter().map(|error| (error.cause, error.retryable)).collect()
}

pub(super) fn the_key_of_another_is_refused(bench: &Bench<'_>) {
    let swapped = TestCertificate { key_pem: bench.certificates.old.key_pem.clone(), ..bench.certificates.new.clone() };
    assert_eq!(causes(&in_vain(bench, &swapped, None)), [(DeployCause::KeyMismatch, false); 2]);
    let none = TestCertificate { key_pem: crate::ports::Secret::new("no key"), ..bench.certificates.new.clone() };
    assert_eq!(causes(&in_vain(bench, &none, None)), [(DeployCause::KeyMismatch, false); 2]);
}

pub(super) fn a_bad_chain_is_refused(bench: &Bench<'_>) {
    let mut reversed = bench.certificates.new.chain.certificates().to_vec();
    reversed.reverse();
    let chain = Chain::from_der(reversed).unwrap();
    let upside_down = TestCertificate { chain, ..bench.certificates.new.clone() };
    for bad in [&upside_down, &bench.certificates.expired] {
        assert_eq!(causes(&in_vain(bench, bad, None)), [(DeployCause::BadChain, false); 2]);
    }
}

pub(super) fn a_failed_test_changes_nothing(bench: &Bench<'_>) {
    let errors = in_vain(bench, &bench.certificates.new, Some(Trouble::ConfigTest));
    assert!(errors.iter().all(|error| error.cause == DeployCause::ConfigTest), "{errors:?}");
}

pub(super) fn a_failed_reload_changes_nothing(bench: &Bench<'_>) {
    let errors = in_vain(bench, &bench.certificates.new, Some(Trouble::Reload));
    assert!(errors.iter().all(|error| error.cause == DeployCause::Reload), "{errors:?}");
}

pub(super) fn building_touches_nothing(bench: &Bench<'_>) {
    let site = bench.site(Some(&bench.certificates.old));
    let (entries, commands) = (site.world.files.entries(), site.world.commands.calls().len());
    let target = site.target();
    let _ = target.probe_point();
    assert_eq!(site.world.files.entries(), entries);
    assert_eq!(site.world.commands.calls().len(), commands);
    assert!(site.world.tls.calls().is_empty() && site.world.http.calls().is_empty());
}

pub(super) fn the_key_is_never_shown(bench: &Bench<'_>) {
    let site = bench.site(None);
    let new = &bench.certificates.new;
    site.deploy(new).unwrap();
    let target = site.target();
    shows_no_key(&format!("{target:?} {target:#?}"), new);
    let told: Vec<String> = site.world.commands.calls().iter().map(|command| command.argv.join(" ")).collect();
    shows_no_key(&told.join(" "), new);
}
