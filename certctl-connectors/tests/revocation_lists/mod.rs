//! OpenSSL reads and obeys our revocation lists.

use certctl_core::domain::{KeyAlgorithm, RevocationReason, Serial, pem};
use certctl_core::pki::certificate;
use certctl_core::pki::crl::CrlExtent;
use libtest_mimic::{Failed, Trial};

use crate::authorities::{Authorities, EVERY_KEY, NOW, Profile, every_reason};
use crate::openssl::Openssl;

/// One trial for each kind of authority key.
pub(crate) fn trials(openssl: Option<&Openssl>) -> Vec<Trial> {
    let trial = |key: KeyAlgorithm| {
        let name = format!("revocation_lists_of_{}_are_obeyed", key.to_string().replace([' ', '-'], "_"));
        let found = openssl.cloned();
        let obeyed = move || found.map_or_else(|| Err("openssl is not installed".into()), |one| obeyed(&one, key));
        Trial::test(name, obeyed).with_ignored_flag(openssl.is_none())
    };
    EVERY_KEY.into_iter().map(trial).collect()
}

fn serial(text: &str) -> Serial {
    let blocks = pem::parse(text, 1 << 16).unwrap();
    certificate::parse(&blocks[0].der).unwrap().serial
}

fn obeyed(openssl: &Openssl, key: KeyAlgorithm) -> Result<(), Failed> {
    let authorities = Authorities::new(key);
    let root = openssl.file("root.pem", &authorities.root_pem());
    let issuing = openssl.file("issuing.pem", &authorities.issuing_pem());
    let (good, bad) = (authorities.issue_pem(key, Profile::Tls), authorities.issue_pem(key, Profile::Tls));
    let mut entries = every_reason();
    entries.push((serial(&bad), RevocationReason::KeyCompromise));
    let listed =
        openssl.file("list.pem", &pem::encode("X509 CRL", &authorities.list(4_711, CrlExtent::default(), &entries)));
    let verified = openssl.run_both(&["crl", "-in", &listed, "-CAfile", &issuing, "-noout", "-text"])?;
    let said = |text: &str| {
        if verified.contains(text) { Ok(()) } else { Err(Failed::from(format!("no `{text}` in {verified}"))) }
    };
    said("verify OK")?;
    said("Version 2 (0x1)")?;
    said("X509v3 Authority Key Identifier")?;
    said("X509v3 CRL Number")?;
    said("4711")?;
    // RFC 5280 §5.3.1: nobody writes `unspecified`.
    if verified.matches("X509v3 CRL Reason Code").count() != entries.len() - 1 {
        return Err(verified.into());
    }
    for reason in ["Key Compromise", "CA Compromise", "Affiliation Changed", "Superseded", "Certificate Hold"] {
        said(reason)?;
    }
    said("Cessation Of Operation")?;
    said("Privilege Withdrawn")?;

    let at = NOW.unix_seconds().to_string();
    let check = |leaf: &str, list: &str| {
        let leaf = openssl.file("leaf.pem", leaf);
        openssl.run(&[
            "verify",
            "-x509_strict",
            "-attime",
            &at,
            "-crl_check",
            "-CRLfile",
            list,
            "-CAfile",
            &root,
            "-untrusted",
            &issuing,
            &leaf,
        ])
    };
    check(&good, &listed)?;
    let refused = check(&bad, &listed).err().unwrap_or_default();
    if !refused.contains("certificate revoked") {
        return Err(format!("the revoked one was taken: {refused}").into());
    }
    // A list of changes says of what, and that one is not on hold any more.
    let changes = CrlExtent { base: Some(4_711), ..CrlExtent::default() };
    let changes = openssl.file("changes.pem", &pem::encode("X509 CRL", &authorities.list(4_712, changes, &entries)));
    let told = openssl.run_both(&["crl", "-in", &changes, "-CAfile", &issuing, "-noout", "-text"])?;
    for text in ["verify OK", "X509v3 Delta CRL Indicator: critical", "4711", "Remove From CRL"] {
        if !told.contains(text) {
            return Err(format!("no `{text}` in {told}").into());
        }
    }
    // The list of a shard is obeyed by certificates that name it, and by no others.
    let point =
        CrlExtent { distribution_point: Some("http://ca.example.com/issuing.crl".into()), ..CrlExtent::default() };
    let own = openssl.file("own.pem", &pem::encode("X509 CRL", &authorities.list(1, point, &[])));
    check(&good, &own)?;
    let point = CrlExtent { distribution_point: Some("http://ca.example.com/shard/1".into()), ..CrlExtent::default() };
    let other = openssl.file("other.pem", &pem::encode("X509 CRL", &authorities.list(1, point, &[])));
    let refused = check(&good, &other).err().unwrap_or_default();
    if !refused.contains("scope") {
        return Err(format!("the list of another shard was taken: {refused}").into());
    }
    // One without entries is obeyed as well.
    let empty = openssl.file("empty.pem", &pem::encode("X509 CRL", &authorities.list(1, CrlExtent::default(), &[])));
    check(&bad, &empty)?;
    Ok(())
}
