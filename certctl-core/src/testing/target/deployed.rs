//! What is deployed is in service.

use super::Bench;
use crate::connector::DeployOutcome;

pub(super) fn a_certificate_comes_into_service(bench: &Bench<'_>) {
    let site = bench.site(None);
    let new = &bench.certificates.new;
    let fingerprint = new.chain.fingerprint();
    assert_eq!(site.deploy(new), Ok(DeployOutcome::Deployed { fingerprint }));
    assert!(site.serves(new));
}

pub(super) fn a_certificate_follows_another(bench: &Bench<'_>) {
    let site = bench.site(Some(&bench.certificates.old));
    assert!(site.serves(&bench.certificates.old), "the host should serve what was installed");
    let places: Vec<String> = site.host.material().into_keys().collect();
    site.deploy(&bench.certificates.new).unwrap();
    assert!(site.serves(&bench.certificates.new));
    assert_eq!(site.host.material().into_keys().collect::<Vec<_>>(), places, "the server looks where it looked");
}

pub(super) fn the_same_again_is_unchanged(bench: &Bench<'_>) {
    let site = bench.site(None);
    let new = &bench.certificates.new;
    site.deploy(new).unwrap();
    let material = site.host.material();
    let fingerprint = new.chain.fingerprint();
    assert_eq!(site.deploy(new), Ok(DeployOutcome::Unchanged { fingerprint }));
    assert_eq!(site.host.material(), material);
    assert!(site.serves(new));
}

/// Somebody else overwrote what was deployed: the files are put right, and the server loads them.
pub(super) fn what_was_put_aside_is_put_back(bench: &Bench<'_>) {
    let site = bench.site(None);
    let new = &bench.certificates.new;
    site.deploy(new).unwrap();
    let host = bench.subject.install(&site.world, Some(&bench.certificates.old));
    let site = super::Site { host, ..site };
    assert!(site.serves(&bench.certificates.old));
    let fingerprint = new.chain.fingerprint();
    assert_eq!(site.deploy(new), Ok(DeployOutcome::Deployed { fingerprint }));
    assert!(site.serves(new));
}
