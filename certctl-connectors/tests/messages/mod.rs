//! OpenSSL reads our messages, and we read OpenSSL's, also such as it streams.

use std::path::Path;
use std::sync::Arc;

use certctl_connectors::host::{SoftwareKeys, TokioSpawner};
use certctl_core::domain::pem;
use certctl_core::pki::cms::{
    ContentCipher, ContentType, EnvelopedData, Recipient, SignRequest, SignedData, Strength, bag, envelop, sign,
};
use certctl_core::pki::private_key;
use certctl_core::ports::{KeyTransport, Keys, Signer};
use certctl_core::testing::SeededRng;
use libtest_mimic::{Failed, Trial};

use crate::authorities::runtime;
use crate::openssl::Openssl;

/// A case: what it is called and what it does.
type Case = (&'static str, fn(&Openssl) -> Result<(), Failed>);

const CASES: &[Case] = &[
    ("messages_that_we_sign_verify", ours_verify),
    ("messages_that_openssl_signs_verify", theirs_verify),
    ("messages_that_we_encrypt_open", ours_open),
    ("messages_that_openssl_encrypts_open", theirs_open),
    ("bags_are_read_in_both_directions", bags_are_read),
];

pub(crate) fn trials(openssl: Option<&Openssl>) -> Vec<Trial> {
    let trial = |(name, case): &Case| {
        let (found, case) = (openssl.cloned(), *case);
        let run = move || found.map_or_else(|| Err("openssl is not installed".into()), |openssl| case(&openssl));
        Trial::test(*name, run).with_ignored_flag(openssl.is_none())
    };
    CASES.iter().map(trial).collect()
}

/// A key with a certificate, in files and in memory.
struct Party {
    key_file: String,
    certificate_file: String,
    certificate: Vec<u8>,
    signer: Arc<dyn Signer>,
}

fn party(openssl: &Openssl, key: &[&str]) -> Result<Party, Failed> {
    let (key_file, certificate_file) = (openssl.path("party.key"), openssl.path("party.pem"));
    let subject = ["-subj", "/O=Tests/CN=party", "-days", "30", "-keyout", &key_file, "-out", &certificate_file];
    openssl.run(&[&["req", "-x509", "-new", "-nodes", "-newkey"][..], key, &subject].concat())?;
    let certificate = pem::parse(&std::fs::read_to_string(&certificate_file)?, 1 << 16)?.remove(0).der;
    let pkcs8 = private_key::from_pem(&std::fs::read_to_string(&key_file)?)?;
    let signer = runtime().block_on(SoftwareKeys::new(Arc::new(TokioSpawner)).open(&pkcs8))?;
    Ok(Party { key_file, certificate_file, certificate, signer })
}

const RSA: &[&str] = &["rsa:2048"];
const KINDS: &[&[&str]] =
    &[RSA, &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"]];
const CONTENT: &[u8] = b"a content of more than one block of any cipher";

fn file(openssl: &Openssl, name: &str, octets: &[u8]) -> Result<String, Failed> {
    let path = openssl.path(name);
    std::fs::write(Path::new(&path), octets)?;
    Ok(path)
}

fn ours_verify(openssl: &Openssl) -> Result<(), Failed> {
    for kind in KINDS {
        let party = party(openssl, kind)?;
        for content in [Some(CONTENT), None] {
            let certificates = [party.certificate.as_slice()];
            let request =
                SignRequest { kind: ContentType::Data, content, certificates: &certificates, attributes: &[] };
            let message = runtime().block_on(sign(request, &*party.signer))?;
            let path = file(openssl, "message.der", &message)?;
            let empty = file(openssl, "empty", b"")?;
            let mut arguments =
                vec!["cms", "-verify", "-binary", "-inform", "DER", "-in", &path, "-CAfile", &party.certificate_file];
            // It is no certificate for mail, which is what OpenSSL looks for.
            arguments.extend(["-purpose", "any"]);
            if content.is_none() {
                arguments.extend(["-content", &empty]);
            }
            let read = openssl.run_raw(&arguments)?;
            if read != content.unwrap_or_default() {
                return Err(format!("{kind:?}: another content").into());
            }
        }
    }
    Ok(())
}

fn theirs_verify(openssl: &Openssl) -> Result<(), Failed> {
    let plain = file(openssl, "plain", CONTENT)?;
    for kind in KINDS {
        let party = party(openssl, kind)?;
        for (more, accepted) in [
            (&["-nodetach"][..], true),
            (&["-nodetach", "-md", "sha384"], true),
            (&["-nodetach", "-md", "sha512"], true),
            (&["-nodetach", "-stream"], true),
            (&["-nodetach", "-stream", "-keyid"], true),
            (&["-nodetach", "-md", "sha1"], false),
            // Without signed attributes nothing says what was signed.
            (&["-nodetach", "-noattr"], false),
            (&["-nodetach", "-nocerts"], false),
        ] {
            let arguments = [
                &["cms", "-sign", "-binary", "-outform", "DER", "-in", &plain, "-signer", &party.certificate_file][..],
                &["-inkey", &party.key_file],
                more,
            ];
            let message = openssl.run_raw(&arguments.concat())?;
            let read = SignedData::parse(&message)?;
            match read.verify(Strength::Modern) {
                Ok(verified) if accepted && verified.content == CONTENT => {}
                Err(_) if !accepted => {}
                other => return Err(format!("{kind:?} {more:?}: {:?}", other.map(|_| ())).into()),
            }
            let is_rsa = kind[0] == RSA[0];
            if more.contains(&"sha1") && is_rsa && read.verify(Strength::Legacy).is_err() {
                return Err("SHA-1 is not read where it is allowed".into());
            }
        }
    }
    Ok(())
}

fn ours_open(openssl: &Openssl) -> Result<(), Failed> {
    let party = party(openssl, RSA)?;
    for cipher in
        [ContentCipher::Aes128Cbc, ContentCipher::Aes192Cbc, ContentCipher::Aes256Cbc, ContentCipher::TripleDesCbc]
    {
        for transport in [KeyTransport::Pkcs1, KeyTransport::OaepSha1, KeyTransport::OaepSha256] {
            let recipient = Recipient::of(&party.certificate)?.by(transport);
            let message = envelop((ContentType::Data, CONTENT), &recipient, cipher, &SeededRng::new(1))?;
            let path = file(openssl, "message.der", &message)?;
            let arguments = ["cms", "-decrypt", "-binary", "-inform", "DER", "-in", &path, "-inkey", &party.key_file];
            let read = openssl.run_raw(&[&arguments[..], &["-recip", &party.certificate_file]].concat())?;
            if read != CONTENT {
                return Err(format!("{cipher:?} {transport:?}: another content").into());
            }
        }
    }
    Ok(())
}

fn theirs_open(openssl: &Openssl) -> Result<(), Failed> {
    let party = party(openssl, RSA)?;
    let plain = file(openssl, "plain", CONTENT)?;
    for cipher in ["-aes128", "-aes192", "-aes256"] {
        for more in [
            &[][..],
            &["-stream"],
            &["-keyid"],
            &["-keyopt", "rsa_padding_mode:oaep"],
            &["-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"],
        ] {
            let recipient = ["-recip", party.certificate_file.as_str()];
            let arguments =
                [&["cms", "-encrypt", "-binary", "-outform", "DER", "-in", &plain, cipher][..], &recipient, more];
            let message = EnvelopedData::parse(&openssl.run_raw(&arguments.concat())?, Strength::Modern)?;
            let decrypter = party.signer.decrypter().ok_or("no decrypter")?;
            let opened = runtime().block_on(message.decrypt(&party.certificate, decrypter, &SeededRng::new(2)))?;
            match opened {
                Ok(content) if *content == CONTENT => {}
                Ok(_) => return Err(format!("{cipher} {more:?}: another content").into()),
                Err(error) => return Err(format!("{cipher} {more:?}: {error}").into()),
            }
        }
    }
    let weak =
        ["cms", "-encrypt", "-binary", "-outform", "DER", "-in", &plain, "-des3", "-recip", &party.certificate_file];
    let weak = openssl.run_raw(&weak)?;
    if EnvelopedData::parse(&weak, Strength::Modern).is_ok() {
        return Err("triple DES is read".into());
    }
    let message = EnvelopedData::parse(&weak, Strength::Legacy)?;
    let decrypter = party.signer.decrypter().ok_or("no decrypter")?;
    match runtime().block_on(message.decrypt(&party.certificate, decrypter, &SeededRng::new(3)))? {
        Ok(content) if *content == CONTENT => Ok(()),
        _ => Err("triple DES is not read where it is allowed".into()),
    }
}

fn bags_are_read(openssl: &Openssl) -> Result<(), Failed> {
    let (one, other) = (party(openssl, RSA)?.certificate, party(openssl, KINDS[1])?.certificate);
    let path = file(openssl, "bag.p7b", &bag(&[&one, &other], &[]))?;
    let text = openssl.run(&["pkcs7", "-inform", "DER", "-in", &path, "-print_certs"])?;
    let read: Vec<Vec<u8>> = pem::parse(&text, 1 << 16)?.into_iter().map(|block| block.der).collect();
    if read != [one.clone(), other.clone()] {
        return Err("OpenSSL reads other certificates".into());
    }
    let all = openssl.file("all.pem", &(pem::encode("CERTIFICATE", &one) + &pem::encode("CERTIFICATE", &other)));
    let theirs = openssl.run_raw(&["crl2pkcs7", "-nocrl", "-certfile", &all, "-outform", "DER"])?;
    let mut read = SignedData::parse(&theirs)?.certificates().to_vec();
    read.sort();
    let mut expected = vec![one, other];
    expected.sort();
    if read == expected { Ok(()) } else { Err("the bag of OpenSSL is read otherwise".into()) }
}
