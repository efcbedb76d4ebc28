//! OpenSSL and Java's keytool as independent readers of trust stores. Without a program its cases show as ignored.

use std::process::Command;

use certctl_core::domain::{Chain, KeyAlgorithm, pem};
use certctl_core::pki::pkcs12::{TrustedCertificate, trust_store};
use certctl_core::ports::Secret;
use certctl_core::testing::SeededRng;
use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;

use crate::authorities::{Authorities, Profile};

/// A case: what it is called, the program it needs, and what it does.
type Case = (&'static str, &'static str, fn(&Store) -> Result<(), Failed>);

const CASES: &[Case] = &[
    ("openssl_reads_the_same_certificates", "openssl", openssl_reads_the_same_certificates),
    ("openssl_sees_modern_algorithms", "openssl", openssl_sees_modern_algorithms),
    ("openssl_refuses_another_password", "openssl", openssl_refuses_another_password),
    ("openssl_refuses_a_changed_store", "openssl", openssl_refuses_a_changed_store),
    ("keytool_lists_trusted_certificates", "keytool", keytool_lists_trusted_certificates),
    ("keytool_refuses_another_password", "keytool", keytool_refuses_another_password),
];

/// Every printable character that a password may have would be too many; these are the awkward ones.
const PASSWORD: &str = r#"cha"nge it'~$%\"#;

/// The cases; those whose program is not installed are ignored.
pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    CASES.iter().map(|(name, program, case)| {
        let absent = Command::new(program).arg("-help").output().is_err();
        Trial::test(*name, || case(&Store::new(PASSWORD)?)).with_ignored_flag(absent)
    })
}

/// A trust store in a file.
struct Store {
    directory: TempDir,
    chain: Chain,
    octets: Vec<u8>,
}

impl Store {
    fn new(password: &str) -> Result<Self, Failed> {
        let authorities = Authorities::new(KeyAlgorithm::EcdsaP256);
        let pem = authorities.issue_pem(KeyAlgorithm::EcdsaP256, Profile::Tls)
            + &authorities.issuing_pem()
            + &authorities.root_pem();
        let chain = Chain::from_pem(&pem)?;
        let aliases = ["mc-shop", "mc-shop-issuer-1", "mc-shop-issuer-2"];
        let certificates: Vec<_> =
            aliases.iter().zip(chain.certificates()).map(|(alias, der)| TrustedCertificate { alias, der }).collect();
        let octets = trust_store(&certificates, &Secret::new(password), &SeededRng::new(1))?;
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("store.p12"), &octets)?;
        Ok(Self { directory, chain, octets })
    }

    /// What a program prints about the store; `STORE` stands for its path.
    fn ask(&self, program: &str, arguments: &[&str]) -> Result<String, Failed> {
        let path = self.directory.path().join("store.p12");
        let path = path.to_str().unwrap();
        let arguments = arguments.iter().map(|argument| if *argument == "STORE" { path } else { argument });
        let output = Command::new(program).args(arguments).output()?;
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        if output.status.success() { Ok(text) } else { Err(format!("{program}: {text}").into()) }
    }

    fn openssl(&self, password: &str, more: &[&str]) -> Result<String, Failed> {
        let password = format!("pass:{password}");
        self.ask("openssl", &[&["pkcs12", "-nokeys", "-in", "STORE", "-passin", &password], more].concat())
    }

    fn keytool(&self, password: &str) -> Result<String, Failed> {
        self.ask("keytool", &["-list", "-rfc", "-storetype", "PKCS12", "-keystore", "STORE", "-storepass", password])
    }

    /// Whether a text holds exactly the certificates of the chain, in any order.
    fn is_in(&self, text: &str) -> bool {
        let blocks = pem::parse(text, 1 << 20).unwrap();
        let mut found: Vec<Vec<u8>> = blocks.into_iter().map(|block| block.der).collect();
        let mut expected = self.chain.certificates().to_vec();
        found.sort();
        expected.sort();
        found == expected
    }
}

fn openssl_reads_the_same_certificates(store: &Store) -> Result<(), Failed> {
    let text = store.openssl(PASSWORD, &[])?;
    assert!(store.is_in(&text), "{text}");
    for alias in ["mc-shop", "mc-shop-issuer-1", "mc-shop-issuer-2"] {
        assert!(text.contains(&format!("friendlyName: {alias}\n")), "{text}");
    }
    let empty = Store::new("")?;
    assert!(empty.is_in(&empty.openssl("", &[])?));
    Ok(())
}

fn openssl_sees_modern_algorithms(store: &Store) -> Result<(), Failed> {
    let text = store.openssl(PASSWORD, &["-info", "-noout"])?.to_lowercase();
    for algorithm in ["mac: sha256, iteration 10000", "pbes2, pbkdf2, aes-256-cbc, iteration 10000, prf hmacwithsha256"]
    {
        assert!(text.contains(algorithm), "{text}");
    }
    Ok(())
}

fn openssl_refuses_another_password(store: &Store) -> Result<(), Failed> {
    refused(store.openssl("changeit", &[]))
}

fn openssl_refuses_a_changed_store(store: &Store) -> Result<(), Failed> {
    let mut changed = store.octets.clone();
    // Within the encrypted certificates, which the MAC covers.
    changed[store.octets.len() / 2] ^= 1;
    std::fs::write(store.directory.path().join("store.p12"), changed)?;
    refused(store.openssl(PASSWORD, &[]))
}

fn keytool_lists_trusted_certificates(store: &Store) -> Result<(), Failed> {
    let text = store.keytool(PASSWORD)?;
    assert_eq!(text.matches("trustedCertEntry").count(), 3, "{text}");
    assert!(store.is_in(&text), "{text}");
    for alias in ["mc-shop", "mc-shop-issuer-1", "mc-shop-issuer-2"] {
        assert!(text.contains(&format!("Alias name: {alias}\n")), "{text}");
    }
    Ok(())
}

fn keytool_refuses_another_password(store: &Store) -> Result<(), Failed> {
    refused(store.keytool("changeit"))
}

fn refused(answer: Result<String, Failed>) -> Result<(), Failed> {
    match answer {
        Ok(text) => Err(format!("it was read: {text}").into()),
        Err(_) => Ok(()),
    }
}
