//! One nginx of our own: its prefix, its port, its files.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use certctl_core::domain::Fingerprint;
use certctl_core::ports::{Egress, Endpoint, Ports, TlsProbeRequest};
use certctl_core::testing::TestCertificate;
use libtest_mimic::Failed;
use serde_json::{Value, json};

use super::ensure;

pub(crate) const NAME: &str = "shop.example.com";
pub(crate) const TARGET: &str = "tgt-nginx";

/// A running nginx, stopped when dropped.
pub(crate) struct Site {
    program: PathBuf,
    prefix: PathBuf,
    pub(crate) port: u16,
}

impl Site {
    /// Starts nginx with a certificate that somebody put there by hand.
    pub(crate) fn start(program: PathBuf, prefix: &Path, by_hand: &TestCertificate) -> Result<Self, Failed> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let site = Self { program, prefix: prefix.to_path_buf(), port };
        std::fs::create_dir_all(site.tls())?;
        std::fs::write(site.path("tls/site.pem"), by_hand.chain.to_pem())?;
        std::fs::write(site.path("tls/site.key"), by_hand.key_pem.expose())?;
        std::fs::set_permissions(site.path("tls/site.key"), std::fs::Permissions::from_mode(0o600))?;
        let reload = format!(
            "#!/bin/sh\nif [ -e '{}' ]; then echo 'no reload, as the test wants it' >&2; exit 1; fi\nexec {} -s reload\n",
            site.path("no-reload").display(),
            site.argv().map(|argument| format!("'{argument}'")).join(" "),
        );
        std::fs::write(site.path("reload.sh"), reload)?;
        std::fs::set_permissions(site.path("reload.sh"), std::fs::Permissions::from_mode(0o755))?;
        site.mend_configuration()?;
        site.nginx(&[])?;
        Ok(site)
    }

    pub(crate) fn tls(&self) -> PathBuf {
        self.path("tls")
    }

    /// The configuration of the target.
    pub(crate) fn target(&self) -> Value {
        let mut test = self.argv().to_vec();
        test.push("-t".to_owned());
        json!({
            "cert_path": self.path("tls/site.pem"),
            "key_path": self.path("tls/site.key"),
            "validate_command": test,
            "reload_command": [self.path("reload.sh")],
            "host": "127.0.0.1",
            "port": self.port,
            "server_name": NAME,
            "rollback_on_mismatch": true,
        })
    }

    /// What the agent's host allows.
    pub(crate) fn allowed_commands(&self) -> Vec<Vec<String>> {
        vec![self.argv().to_vec(), vec![self.path("reload.sh").display().to_string()]]
    }

    pub(crate) fn break_configuration(&self) -> Result<(), Failed> {
        Ok(std::fs::write(self.path("nginx.conf"), self.configuration() + "no_such_directive on;\n")?)
    }

    pub(crate) fn mend_configuration(&self) -> Result<(), Failed> {
        Ok(std::fs::write(self.path("nginx.conf"), self.configuration())?)
    }

    pub(crate) fn refuse_reloads(&self) -> Result<(), Failed> {
        Ok(std::fs::write(self.path("no-reload"), "")?)
    }

    pub(crate) fn allow_reloads(&self) -> Result<(), Failed> {
        Ok(std::fs::remove_file(self.path("no-reload"))?)
    }

    /// What nginx would load: the configured files byte for byte, and the release that they lead to.
    pub(crate) fn files(&self) -> Result<BTreeMap<&'static str, Vec<u8>>, Failed> {
        let mut files = BTreeMap::new();
        for name in ["tls/site.pem", "tls/site.key"] {
            files.insert(name, std::fs::read(self.path(name))?);
        }
        let current = self.path("tls/.certctl").join(TARGET).join("current");
        files.insert("current", std::fs::read_link(current)?.into_os_string().into_encoded_bytes());
        Ok(files)
    }

    /// That nginx would load what lies there now: certificate and key belong together.
    pub(crate) fn takes_files(&self) -> Result<(), Failed> {
        self.nginx(&["-t"])
    }

    /// The fingerprint of what nginx serves.
    pub(crate) async fn served(&self, ports: &Ports) -> Result<Fingerprint, Failed> {
        let request = TlsProbeRequest {
            endpoint: Endpoint { host: "127.0.0.1".to_owned(), port: self.port },
            server_name: Some(NAME.to_owned()),
            timeout: Duration::from_secs(30),
            egress: Egress::ControlPlane,
        };
        let seen = ports.tls.probe(&request).await?;
        Ok(Fingerprint::of(seen.chain.first().ok_or("no certificate was sent")?))
    }

    /// That no deployment is left half done.
    pub(crate) fn has_no_journal(&self) -> Result<(), Failed> {
        let journal = self.path("tls/.certctl").join(TARGET).join("journal.json");
        ensure(!journal.exists(), || "a journal is left".to_owned())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.prefix.join(name)
    }

    fn argv(&self) -> [String; 7] {
        let text = |path: &Path| path.display().to_string();
        let prefix = format!("{}/", self.prefix.display());
        ["", "-p", &prefix, "-e", "error.log", "-c", "nginx.conf"]
            .map(|argument| if argument.is_empty() { text(&self.program) } else { argument.to_owned() })
    }

    fn nginx(&self, arguments: &[&str]) -> Result<(), Failed> {
        let [program, fixed @ ..] = self.argv();
        let output = Command::new(program).args(fixed).args(arguments).output()?;
        ensure(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn configuration(&self) -> String {
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|kind| format!("    {kind}_temp_path tmp_{kind};\n")).concat();
        let (port, tls) = (self.port, self.tls().display().to_string());
        format!(
            "pid nginx.pid;\nworker_processes 1;\nevents {{}}\nhttp {{\n    access_log off;\n{temporary}    server {{\n        \
             listen 127.0.0.1:{port} ssl;\n        server_name {NAME};\n        ssl_protocols TLSv1.3;\n        \
             ssl_certificate {tls}/site.pem;\n        ssl_certificate_key {tls}/site.key;\n        return 204;\n    }}\n}}\n"
        )
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // Even a signal is only sent after the configuration was read, which fails where the key is another's.
        let _ = std::fs::write(self.path("nginx.conf"), "pid nginx.pid;\nevents {}\n");
        let _ = self.nginx(&["-s", "stop"]);
    }
}
