//! EST with clients that others wrote: curl and openssl, and strongSwan's `pki`. Where `pki` is missing its test shows as ignored.

#![expect(clippy::disallowed_methods, reason = "the test runs programs and looks at their files")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

#[expect(dead_code, reason = "other tests need more of it")]
mod program;

use std::path::Path;
use std::process::{Command, Output};

use libtest_mimic::{Arguments, Failed, Trial};
use program::Running;

const PASSWORD: &str = "a password for machines";

fn main() {
    let has_pki = Command::new("pki").arg("--help").output().is_ok();
    let trials = vec![
        Trial::test("curl_and_openssl_enrol_and_renew", curl_and_openssl),
        Trial::test("curl_shows_certificates_of_makers", makers),
        Trial::test("strongswan_enrols_and_renews", strongswan).with_ignored_flag(!has_pki),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn serve(directory: &Path) -> Running {
    let variables = [
        ("CERTCTL_API_KEYS_NAMED", &*format!("me:{}:admin", program::KEY)),
        ("CERTCTL_EST_ENABLED", "true"),
        ("CERTCTL_EST_ENROLLMENT_PASSWORD", PASSWORD),
        ("CERTCTL_EST_PROFILES", "routers"),
        ("CERTCTL_EST_PROFILE_ROUTERS_ENROLLMENT_PASSWORD", PASSWORD),
        ("CERTCTL_EST_PROFILE_ROUTERS_MTLS_ENABLED", "true"),
    ];
    Running::start(directory, &variables)
}

/// A program that must succeed; gives what it wrote.
fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    output.stdout
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn openssl(dir: &Path, arguments: &[&str]) -> String {
    String::from_utf8(run(Command::new("openssl").current_dir(dir).args(arguments))).unwrap()
}

/// The managed certificate of a name, by the server's own account.
fn inventory(server: &Running, name: &str) -> serde_json::Value {
    let listed = server.answer(&["certs", "list", "-o", "json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let all = listed.get("data").unwrap_or(&listed).as_array().unwrap().clone();
    let mut of_name = all.into_iter().filter(|one| one["common_name"] == name);
    let one = of_name.next().unwrap_or_else(|| panic!("there is no {name}"));
    assert!(of_name.next().is_none(), "{name} is there twice");
    one
}

fn serial(dir: &Path, certificate: &str, form: &str) -> String {
    let text = openssl(dir, &["x509", "-inform", form, "-in", certificate, "-noout", "-serial"]);
    text.trim().strip_prefix("serial=").unwrap().to_ascii_lowercase()
}

/// Serial numbers compare without leading zeros.
#[track_caller]
fn is_newest(server: &Running, name: &str, serial: &str) {
    let found = inventory(server, name)["serial_number"].as_str().unwrap().replace(':', "").to_ascii_lowercase();
    assert_eq!(found.trim_start_matches('0'), serial.trim_start_matches('0'), "{name}");
}

fn curl_and_openssl() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let dir = directory.path();
    let server = serve(&dir.join("data"));
    let url = format!("{}/.well-known/est/routers", server.url);
    let curl = |arguments: &[&str]| {
        let mut command = Command::new("curl");
        command.current_dir(dir).args(["-sS", "--fail-with-body", "--cacert"]).arg(&server.ca).args(arguments);
        command
    };
    // The CA, as openssl reads it.
    std::fs::write(dir.join("cacerts.b64"), run(&mut curl(&[&format!("{url}/cacerts")])))?;
    openssl(dir, &["base64", "-d", "-A", "-in", "cacerts.b64", "-out", "cacerts.p7"]);
    let pem = openssl(dir, &["pkcs7", "-inform", "DER", "-in", "cacerts.p7", "-print_certs"]);
    std::fs::write(dir.join("issuer.pem"), &pem)?;
    let attributes = run(&mut curl(&[&format!("{url}/csrattrs")]));
    std::fs::write(dir.join("attributes.b64"), attributes)?;
    openssl(dir, &["base64", "-d", "-A", "-in", "attributes.b64", "-out", "attributes.der"]);
    let parsed = openssl(dir, &["asn1parse", "-inform", "DER", "-in", "attributes.der"]);
    assert!(parsed.contains("id-ecPublicKey") && parsed.contains("rsaEncryption"), "{parsed}");

    let request = |number: u8| {
        let (key, csr, der) = (format!("key{number}.pem"), format!("{number}.csr"), format!("{number}.b64"));
        openssl(
            dir,
            &[
                "req",
                "-new",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-keyout",
                &key,
                "-subj",
                "/CN=router.example.com",
                "-addext",
                "subjectAltName=DNS:router.example.com,DNS:r.example.com",
                "-outform",
                "DER",
                "-out",
                &csr,
            ],
        );
        openssl(dir, &["base64", "-in", &csr, "-out", &der]);
        der
    };
    let post = |operation: &str, body: &str, more: &[&str]| {
        let (data, url) = (format!("@{body}"), format!("{url}/{operation}"));
        let mut command = curl(&["-H", "content-type: application/pkcs10", "--data-binary", &data, &url]);
        command.args(more);
        command
    };
    let take = |answer: &[u8], number: u8| {
        std::fs::write(dir.join("answer.b64"), answer).unwrap();
        openssl(dir, &["base64", "-d", "-A", "-in", "answer.b64", "-out", "answer.p7"]);
        let file = format!("{number}.pem");
        let all = openssl(dir, &["pkcs7", "-inform", "DER", "-in", "answer.p7", "-print_certs"]);
        std::fs::write(dir.join(&file), all).unwrap();
        let verified = openssl(dir, &["verify", "-x509_strict", "-CAfile", "issuer.pem", &file]);
        assert!(verified.contains("OK"), "{verified}");
        file
    };
    let user = format!("router:{PASSWORD}");
    let first = take(&run(&mut post("simpleenroll", &request(1), &["--user", &user])), 1);
    is_newest(&server, "router.example.com", &serial(dir, &first, "PEM"));
    let second = take(&run(&mut post("simplereenroll", &request(2), &["--cert", &first, "--key", "key1.pem"])), 2);
    assert_ne!(serial(dir, &first, "PEM"), serial(dir, &second, "PEM"));
    is_newest(&server, "router.example.com", &serial(dir, &second, "PEM"));
    // Without proof there is nothing, and the text says what is missing.
    for (operation, more, status) in [
        ("simpleenroll", &[][..], "401"),
        ("simpleenroll", &["--user", "router:wrong"], "401"),
        ("simplereenroll", &["--user", &user], "403"),
    ] {
        let output = post(operation, &request(3), more).args(["-w", "\n%{http_code}"]).output()?;
        let text = said(&output);
        assert!(!output.status.success() && text.contains(status), "{operation} {more:?}: {text}");
    }
    is_newest(&server, "router.example.com", &serial(dir, &second, "PEM"));
    // Revoked, it renews nothing.
    let id = inventory(&server, "router.example.com")["id"].as_str().unwrap().to_owned();
    server.answer(&["certs", "revoke", &id, "--reason", "keyCompromise"]);
    let output = post("simplereenroll", &request(4), &["--cert", &second, "--key", "key2.pem"]).output()?;
    assert!(!output.status.success() && said(&output).contains("it is revoked"), "{}", said(&output));
    server.terminate();
    Ok(())
}

/// A CA in `NAME.pem`, and a certificate for TLS clients of it in `NAME-device.pem`, with the key in `NAME-device.key`.
fn maker(dir: &Path, name: &str) {
    let at = |rest: &str| format!("{name}{rest}");
    let new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let (key, subject) = (at(".key"), format!("/CN={name}"));
    let root = ["req", "-x509", "-days", "30", "-subj", &subject, "-keyout", &key, "-out", &at(".pem")];
    openssl(dir, &[&root[..], &new].concat());
    let ca = at(".pem");
    let device = ["req", "-x509", "-days", "30", "-subj", "/CN=device", "-CA", &ca, "-CAkey", &key];
    let usage = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=clientAuth"];
    let files = ["-keyout", &at("-device.key"), "-out", &at("-device.pem")];
    openssl(dir, &[&device[..], &usage, &files, &new].concat());
}

/// Below `/.well-known/est-mtls` and `/scep-mtls` a certificate of a maker is asked for; of which one is read anew.
fn makers() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let dir = directory.path();
    for name in ["first", "second"] {
        maker(dir, name);
    }
    let bundle = dir.join("bundle.pem");
    std::fs::copy(dir.join("first.pem"), &bundle)?;
    let bundle = bundle.to_str().unwrap();
    let variables = [
        ("CERTCTL_API_KEYS_NAMED", &*format!("me:{}:admin", program::KEY)),
        ("CERTCTL_EST_PROFILES", "phones"),
        ("CERTCTL_EST_PROFILE_PHONES_ENROLLMENT_PASSWORD", PASSWORD),
        ("CERTCTL_EST_PROFILE_PHONES_MTLS_ENABLED", "true"),
        ("CERTCTL_EST_PROFILE_PHONES_MTLS_CLIENT_CA_TRUST_BUNDLE_PATH", bundle),
        ("CERTCTL_SCEP_ENABLED", "true"),
        ("CERTCTL_SCEP_CHALLENGE_PASSWORD", PASSWORD),
        ("CERTCTL_SCEP_MTLS_ENABLED", "true"),
        ("CERTCTL_SCEP_MTLS_CLIENT_CA_TRUST_BUNDLE_PATH", bundle),
    ];
    let server = Running::start(&dir.join("data"), &variables);
    let status = |path: &str, maker: &str, more: &[&str]| {
        let mut command = Command::new("curl");
        command.current_dir(dir).args(["-sS", "-o", "answer", "-w", "%{http_code}", "--cacert"]).arg(&server.ca);
        if !maker.is_empty() {
            command.args(["--cert", &format!("{maker}-device.pem"), "--key", &format!("{maker}-device.key")]);
        }
        String::from_utf8(run(command.args(more).arg(format!("{}{path}", server.url)))).unwrap()
    };
    let new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "own.key"];
    let request = ["req", "-new", "-subj", "/CN=phone.example.com", "-outform", "DER", "-out", "request.der"];
    openssl(dir, &[&request[..], &new].concat());
    let body = ["-H", "content-type: application/pkcs10", "--data-binary", "@request.der"];
    let user = format!("phone:{PASSWORD}");
    let by_password = [&body[..], &["--user", &user]].concat();
    let (below, enrol) = ("/.well-known/est-mtls/phones", "/.well-known/est-mtls/phones/simpleenroll");
    assert_eq!(status(&format!("{below}/cacerts"), "", &[]), "200");
    assert_eq!(status(enrol, "", &by_password), "403");
    assert_eq!(status(enrol, "second", &body), "403");
    assert_eq!(status(enrol, "first", &body), "200");
    let caps = "/scep-mtls?operation=GetCACaps";
    assert_eq!(["", "second", "first"].map(|maker| status(caps, maker, &[])), ["403", "403", "200"]);

    std::fs::copy(dir.join("second.pem"), bundle)?;
    let told: serde_json::Value = serde_json::from_str(&server.answer(&["est", "reload-trust", "-o", "json"]))?;
    assert_eq!((&told["total_changed"], &told["profiles"][0]["changed"]), (&1.into(), &true.into()), "{told}");
    assert_eq!((status(enrol, "first", &body), status(enrol, "second", &body)), ("403".into(), "200".into()));
    let listed: serde_json::Value = serde_json::from_str(&server.answer(&["est", "list", "-o", "json"]))?;
    let listed = listed.get("data").unwrap_or(&listed);
    assert_eq!(listed[0]["trusted_authorities"][0]["subject"], "CN=second", "{listed}");
    server.terminate();
    Ok(())
}

/// strongSwan speaks TLS 1.2 unless it is told otherwise.
const STRONGSWAN: &str =
    "pki {\n  load_modular = no\n  tls {\n    version_max = 1.3\n  }\n}\nlibtls {\n  version_max = 1.3\n}\n";

fn strongswan() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let dir = directory.path();
    let server = serve(&dir.join("data"));
    std::fs::write(dir.join("strongswan.conf"), STRONGSWAN)?;
    let pki = |arguments: &[&str]| {
        let mut command = Command::new("pki");
        command.current_dir(dir).env("STRONGSWAN_CONF", dir.join("strongswan.conf")).args(arguments);
        command
    };
    let url = server.url.replace("127.0.0.1", "localhost");
    let tls_ca = server.ca.to_str().unwrap().to_owned();
    run(&mut pki(&[
        "--estca",
        "--url",
        &url,
        "--cacert",
        &tls_ca,
        "--caout",
        "issuer.pem",
        "--outform",
        "pem",
        "--force",
    ]));
    let issuer = std::fs::read_dir(dir)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let issuer = issuer.into_iter().find(|name| name.starts_with("issuer")).unwrap();
    let request = |number: u8| {
        let key = format!("key{number}.pem");
        std::fs::write(
            dir.join(&key),
            run(&mut pki(&["--gen", "--type", "ecdsa", "--size", "256", "--outform", "pem"])),
        )
        .unwrap();
        let made = run(&mut pki(&[
            "--req",
            "--type",
            "priv",
            "--in",
            &key,
            "--dn",
            "CN=vpn.example.com",
            "--san",
            "vpn.example.com",
            "--outform",
            "der",
        ]));
        let csr = format!("{number}.csr");
        std::fs::write(dir.join(&csr), made).unwrap();
        csr
    };
    let user = format!("vpn:{PASSWORD}");
    let ours = ["--cacert", &tls_ca, "--cacert", &issuer, "--outform", "pem"];
    let enrol =
        |csr: &str, more: &[&str]| pki(&["--est", "--url", &url, "--in", csr]).args(ours).args(more).output().unwrap();
    let take = |output: &Output, number: u8| {
        assert!(output.status.success(), "{}", said(output));
        let file = format!("{number}.pem");
        std::fs::write(dir.join(&file), &output.stdout).unwrap();
        let verified = openssl(dir, &["verify", "-CAfile", &issuer, &file]);
        assert!(verified.contains("OK"), "{verified}");
        file
    };
    let refused = enrol(&request(0), &["--userpass", "vpn:wrong"]);
    assert!(!refused.status.success(), "{}", said(&refused));
    let first = take(&enrol(&request(1), &["--userpass", &user]), 1);
    is_newest(&server, "vpn.example.com", &serial(dir, &first, "PEM"));
    let second = take(&enrol(&request(2), &["--cert", &first, "--key", "key1.pem"]), 2);
    assert_ne!(serial(dir, &first, "PEM"), serial(dir, &second, "PEM"));
    is_newest(&server, "vpn.example.com", &serial(dir, &second, "PEM"));
    server.terminate();
    Ok(())
}
