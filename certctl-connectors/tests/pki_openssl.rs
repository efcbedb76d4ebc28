//! OpenSSL as an independent judge of keys, requests and certificates. Without `openssl` every case shows as ignored.

#![expect(clippy::unwrap_used, reason = "a test's helper may fail the test")]
#![expect(clippy::disallowed_methods, reason = "OpenSSL is a process and reads files")]

mod authorities;
mod messages;
mod ocsp_responses;
mod openssl;
mod revocation_lists;
mod trust_stores;

use std::sync::Arc;

use authorities::{Authorities, EVERY_KEY, NOW, Profile, runtime};
use certctl_connectors::host::{SoftwareKeys, TokioSpawner};
use certctl_core::domain::{Chain, ExtendedKeyUsage, Fingerprint, KeyAlgorithm, SubjectNames};
use certctl_core::pki::csr::{self, CsrError};
use certctl_core::pki::{certificate, chain, private_key};
use certctl_core::ports::Keys;
use certctl_core::testing::SeededRng;
use libtest_mimic::{Arguments, Failed, Trial};
use openssl::Openssl;

/// A case: what it is called and what it does.
type Case = (&'static str, fn(&Openssl) -> Result<(), Failed>);

const CASES: &[Case] = &[
    ("keys_are_keys_to_openssl", keys_are_keys),
    ("keys_of_openssl_are_read", keys_of_openssl_are_read),
    ("requests_verify", requests_verify),
    ("requests_of_openssl_are_read", requests_of_openssl_are_read),
    ("keys_that_are_not_certified_are_told", unsupported_keys_are_told),
    ("chains_of_other_authorities_are_checked", foreign_chains_are_checked),
    ("names_are_matched", names_are_matched),
    ("facts_are_the_same", facts_are_the_same),
];

fn main() {
    let arguments = Arguments::from_args();
    let openssl = Openssl::find();
    let absent = openssl.is_none();
    let run = |case: fn(&Openssl) -> Result<(), Failed>| {
        let openssl = openssl.clone();
        move || openssl.map_or_else(|| Err("openssl is not installed".into()), |openssl| case(&openssl))
    };
    let mut trials: Vec<Trial> =
        CASES.iter().map(|(name, case)| Trial::test(*name, run(*case)).with_ignored_flag(absent)).collect();
    for issuer in EVERY_KEY {
        let name = format!("certificates_of_{}_verify_strictly", issuer.to_string().replace([' ', '-'], "_"));
        let openssl = openssl.clone();
        let verify =
            move || openssl.map_or_else(|| Err("openssl is not installed".into()), |o| chains_verify(&o, issuer));
        trials.push(Trial::test(name, verify).with_ignored_flag(absent));
    }
    trials.extend(revocation_lists::trials(openssl.as_ref()));
    trials.extend(messages::trials(openssl.as_ref()));
    trials.extend(ocsp_responses::trials(openssl.as_ref()));
    trials.extend(trust_stores::trials());
    libtest_mimic::run(&arguments, trials).exit();
}

fn keys() -> SoftwareKeys {
    SoftwareKeys::new(Arc::new(TokioSpawner))
}

/// How `openssl verify -purpose` calls it; OpenSSL 3.0 has no name for code signing.
fn purpose(profile: Profile) -> Option<&'static str> {
    match profile {
        Profile::Tls | Profile::Nameless => Some("sslserver"),
        Profile::Client => Some("sslclient"),
        Profile::Mail => Some("smimesign"),
        Profile::Code => None,
        Profile::Time => Some("timestampsign"),
    }
}

/// Every kind of leaf key and every profile below one kind of authority.
fn chains_verify(openssl: &Openssl, issuer: KeyAlgorithm) -> Result<(), Failed> {
    let authorities = Authorities::new(issuer);
    let root = openssl.file("root.pem", &authorities.root_pem());
    let issuing = openssl.file("issuing.pem", &authorities.issuing_pem());
    let at = NOW.unix_seconds().to_string();
    for key in EVERY_KEY {
        for profile in Profile::ALL {
            let leaf = openssl.file("leaf.pem", &authorities.issue_pem(key, profile));
            let mut arguments =
                vec!["verify", "-x509_strict", "-attime", &at, "-CAfile", &root, "-untrusted", &issuing];
            arguments.extend(purpose(profile).map(|purpose| ["-purpose", purpose]).into_iter().flatten());
            arguments.push(&leaf);
            openssl.run(&arguments).map_err(|error| format!("{issuer} signs {key} for {profile:?}: {error}"))?;
        }
    }
    Ok(())
}

fn keys_are_keys(openssl: &Openssl) -> Result<(), Failed> {
    for algorithm in EVERY_KEY {
        let made = runtime().block_on(keys().generate(algorithm, &SeededRng::new(1)))?;
        let file = openssl.file("key.pem", &private_key::to_pem(&made.pkcs8));
        openssl.run(&["pkey", "-in", &file, "-check", "-noout"])?;
        let public = openssl.run_raw(&["pkey", "-in", &file, "-pubout", "-outform", "DER"])?;
        if public != made.signer.public_key() {
            return Err(format!("{algorithm}: the public halves differ").into());
        }
    }
    Ok(())
}

fn keys_of_openssl_are_read(openssl: &Openssl) -> Result<(), Failed> {
    for (arguments, algorithm) in [
        (&["ecparam", "-name", "prime256v1", "-genkey"][..], KeyAlgorithm::EcdsaP256),
        (&["ecparam", "-name", "secp384r1", "-genkey", "-noout"], KeyAlgorithm::EcdsaP384),
        (&["genrsa", "-traditional", "2048"], KeyAlgorithm::Rsa { bits: 2048 }),
        (&["genrsa", "3072"], KeyAlgorithm::Rsa { bits: 3072 }),
        (&["genpkey", "-algorithm", "ED25519"], KeyAlgorithm::Ed25519),
    ] {
        let pem = openssl.run(arguments)?;
        let file = openssl.file("key.pem", &pem);
        let public = openssl.run_raw(&["pkey", "-in", &file, "-pubout", "-outform", "DER"])?;
        let signer = runtime().block_on(keys().open(&private_key::from_pem(&pem)?))?;
        if signer.algorithm() != algorithm || signer.public_key() != public {
            return Err(format!("{arguments:?} was read as another key").into());
        }
    }
    let encrypted = openssl.run(&["genrsa", "-aes256", "-passout", "pass:secret", "2048"])?;
    match private_key::from_pem(&encrypted) {
        Err(error) if error.to_string().contains("decrypt it first") => Ok(()),
        other => Err(format!("an encrypted key: {:?}", other.map(drop)).into()),
    }
}

fn names() -> SubjectNames {
    let sans = ["*.shop.example.com", "192.0.2.7", "2001:db8::7", "ops@example.com", "spiffe://example.com/ns/a"];
    SubjectNames::new("shop.example.com", &sans.map(String::from)).unwrap()
}

fn requests_verify(openssl: &Openssl) -> Result<(), Failed> {
    for algorithm in EVERY_KEY {
        let key = runtime().block_on(keys().generate(algorithm, &SeededRng::new(1)))?;
        let csr = runtime().block_on(csr::build(&names(), &*key.signer))?;
        let file = openssl.file("csr.pem", &csr.to_pem());
        let text = openssl.run(&["req", "-in", &file, "-verify", "-noout", "-text"])?;
        for name in ["DNS:shop.example.com", "DNS:*.shop.example.com", "IP Address:192.0.2.7", "email:ops@example.com"]
        {
            if !text.contains(name) {
                return Err(format!("{algorithm}: {name} is not in {text}").into());
            }
        }
    }
    Ok(())
}

fn openssl_request(openssl: &Openssl, key: &[&str]) -> Result<String, Failed> {
    let out = openssl.path("new.key");
    let sans = "subjectAltName=DNS:*.shop.example.com,IP:192.0.2.7,IP:2001:db8::7,email:ops@example.com,\
                URI:spiffe://example.com/ns/a";
    let mut arguments = vec!["req", "-new", "-nodes", "-keyout", &out, "-subj", "/C=DE/O=x/CN=Shop.Example.com"];
    arguments.extend(["-addext", sans, "-newkey"]);
    arguments.extend(key);
    Ok(openssl.run(&arguments)?)
}

fn requests_of_openssl_are_read(openssl: &Openssl) -> Result<(), Failed> {
    for (arguments, algorithm) in [
        (&["rsa:2048", "-sha384"][..], KeyAlgorithm::Rsa { bits: 2048 }),
        (&["rsa:4096", "-sha512"], KeyAlgorithm::Rsa { bits: 4096 }),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], KeyAlgorithm::EcdsaP256),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-sha256"], KeyAlgorithm::EcdsaP384),
        (&["ed25519"], KeyAlgorithm::Ed25519),
    ] {
        let csr = csr::parse_pem(&openssl_request(openssl, arguments)?).map_err(|e| format!("{arguments:?}: {e}"))?;
        if csr.key_algorithm() != algorithm || *csr.names() != names() {
            return Err(format!("{arguments:?} was read as {csr:?}").into());
        }
    }
    Ok(())
}

fn unsupported_keys_are_told(openssl: &Openssl) -> Result<(), Failed> {
    for (arguments, text) in [
        (&["rsa:1024"][..], "RSA 1024"),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-521"], "1.3.132.0.35"),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"], "1.3.132.0.10"),
        (&["ed448"], "1.3.101.113"),
    ] {
        match csr::parse_pem(&openssl_request(openssl, arguments)?) {
            Err(CsrError::UnsupportedKey(error)) if error.to_string().contains(text) => {}
            other => return Err(format!("{arguments:?}: {other:?}").into()),
        }
    }
    match csr::parse_pem(&openssl_request(openssl, &["rsa:2048", "-sha1"])?) {
        Err(CsrError::UnsupportedSignature(_)) => Ok(()),
        other => Err(format!("SHA-1: {other:?}").into()),
    }
}

/// Authorities that sign with what certctl verifies but does not make.
fn foreign_chains_are_checked(openssl: &Openssl) -> Result<(), Failed> {
    let pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
    let kinds: [(&[&str], &[&str]); 6] = [
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-521"], &["-sha512"]),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-521"], &["-sha256"]),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], &["-sha512"]),
        (&["rsa:2048"], &["-sha512"]),
        (&["rsa:2048"], &[&["-sha256"][..], &pss].concat()),
        (&["rsa:3072"], &[&["-sha384"][..], &pss].concat()),
    ];
    for (key, signing) in kinds {
        let (ca_key, ca, request) = (openssl.path("ca.key"), openssl.path("ca.pem"), openssl.path("leaf.csr"));
        let subject = ["-subj", "/CN=Other CA", "-days", "30", "-keyout", &ca_key, "-out", &ca];
        openssl.run(&[&["req", "-x509", "-new", "-nodes", "-newkey"][..], key, signing, &subject].concat())?;
        std::fs::write(&request, openssl_request(openssl, &["ed25519"])?)?;
        let leaf = ["x509", "-req", "-in", &request, "-CA", &ca, "-CAkey", &ca_key, "-CAcreateserial", "-days", "1"];
        let leaf = openssl.run(&[&leaf[..], signing].concat())?;
        let certificates = Chain::from_pem(&(leaf + &std::fs::read_to_string(&ca)?))?;
        let now = certificate::parse(certificates.leaf())?.not_before;
        chain::check_links(&certificates, now).map_err(|error| format!("{key:?} {signing:?}: {error}"))?;
        let assembled = chain::assemble(certificates.leaf(), certificates.issuers(), chain::Root::Keep)?;
        let swapped = Chain::from_der(vec![certificates.leaf().to_vec(), damaged(certificates.leaf())])?;
        if assembled != certificates || chain::check_links(&swapped, now).is_ok() {
            return Err(format!("{key:?} {signing:?}: a wrong chain").into());
        }
    }
    Ok(())
}

fn damaged(der: &[u8]) -> Vec<u8> {
    let mut der = der.to_vec();
    if let Some(octet) = der.last_mut() {
        *octet ^= 1;
    }
    der
}

fn names_are_matched(openssl: &Openssl) -> Result<(), Failed> {
    let authorities = Authorities::new(KeyAlgorithm::EcdsaP256);
    let root = openssl.file("root.pem", &authorities.root_pem());
    let issuing = openssl.file("issuing.pem", &authorities.issuing_pem());
    let server = openssl.file("server.pem", &authorities.issue_pem(KeyAlgorithm::EcdsaP256, Profile::Tls));
    let mail = openssl.file("mail.pem", &authorities.issue_pem(KeyAlgorithm::EcdsaP256, Profile::Mail));
    let at = NOW.unix_seconds().to_string();
    let verify = |option: &str, value: &str, leaf: &str| {
        let chain = ["verify", "-x509_strict", "-attime", &at, "-CAfile", &root, "-untrusted", &issuing];
        openssl.run(&[&chain[..], &[option, value, leaf]].concat())
    };
    verify("-verify_hostname", "shop.example.com", &server)?;
    verify("-verify_hostname", "a.shop.example.com", &server)?;
    verify("-verify_ip", "192.0.2.7", &server)?;
    verify("-verify_ip", "2001:db8::7", &server)?;
    verify("-verify_email", "alice@example.com", &mail)?;
    match verify("-verify_hostname", "other.example.com", &server) {
        Err(_) => Ok(()),
        Ok(_) => Err("another host name was accepted".into()),
    }
}

fn facts_are_the_same(openssl: &Openssl) -> Result<(), Failed> {
    let authorities = Authorities::new(KeyAlgorithm::EcdsaP384);
    let pem = authorities.issue_pem(KeyAlgorithm::Ed25519, Profile::Tls);
    let facts = certificate::parse(Chain::from_pem(&pem)?.leaf())?;
    let file = openssl.file("leaf.pem", &pem);
    let text = openssl.run(&["x509", "-in", &file, "-noout", "-serial", "-fingerprint", "-sha256"])?;
    let serial = text.lines().find_map(|line| line.strip_prefix("serial=")).unwrap_or_default();
    let fingerprint = text.lines().find_map(|line| line.split_once("ingerprint=")).map(|(_, hex)| hex);
    if serial.parse().ok() != Some(facts.serial) {
        return Err(format!("serial: {text}").into());
    }
    if fingerprint.and_then(|hex| Fingerprint::parse(hex).ok()) != Some(facts.fingerprint) {
        return Err(format!("fingerprint: {text}").into());
    }
    let purposes: Vec<_> = facts.extended_key_usages.iter().filter_map(|oid| ExtendedKeyUsage::from_oid(oid)).collect();
    if purposes.len() == 2 { Ok(()) } else { Err(format!("purposes: {purposes:?}").into()) }
}
