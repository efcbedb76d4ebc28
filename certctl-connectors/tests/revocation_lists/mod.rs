//! OpenSSL reads and obeys our revocation lists.

use std::time::Duration;

use certctl_core::domain::{KeyAlgorithm, RevocationReason, Serial, pem};
use certctl_core::pki::certificate::{self, Authority};
use certctl_core::pki::crl::{CrlBuilder, CrlEntry, CrlRequest};
use libtest_mimic::{Failed, Trial};

use crate::authorities::{Authorities, EVERY_KEY, NOW, Profile};
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

/// A list of the issuing authority with these entries, for a day from [`NOW`] on.
fn list(authorities: &Authorities, number: u64, entries: &[(Serial, RevocationReason)]) -> Vec<u8> {
    let authority = Authority::from_certificate(&authorities.issuing).unwrap();
    let (this_update, next_update) = (NOW, NOW + Duration::from_hours(24));
    let request = CrlRequest { number, this_update, next_update, entries: entries.len() };
    let mut builder = CrlBuilder::new(&authority, request).unwrap();
    for (serial, reason) in entries {
        builder.add(CrlEntry { serial, revoked_at: NOW - Duration::from_mins(1), reason: *reason });
    }
    authorities.runtime.block_on(builder.finish().sign(&*authorities.issuing_key.signer)).unwrap()
}

fn obeyed(openssl: &Openssl, key: KeyAlgorithm) -> Result<(), Failed> {
    let authorities = Authorities::new(key);
    let root = openssl.file("root.pem", &authorities.root_pem());
    let issuing = openssl.file("issuing.pem", &authorities.issuing_pem());
    let (good, bad) = (authorities.issue_pem(key, Profile::Tls), authorities.issue_pem(key, Profile::Tls));
    let mut entries: Vec<(Serial, RevocationReason)> = RevocationReason::ALL
        .iter()
        .enumerate()
        .map(|(number, reason)| (Serial::from_magnitude(&[u8::try_from(number + 1).unwrap()]).unwrap(), *reason))
        .collect();
    entries.push((serial(&bad), RevocationReason::KeyCompromise));
    let listed = openssl.file("list.pem", &pem::encode("X509 CRL", &list(&authorities, 4_711, &entries)));
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
    // One without entries is obeyed as well.
    let empty = openssl.file("empty.pem", &pem::encode("X509 CRL", &list(&authorities, 1, &[])));
    check(&bad, &empty)?;
    Ok(())
}
