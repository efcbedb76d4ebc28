//! The CA and the DNS that it asks.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use certctl_core::ports::Clock;
use certctl_core::testing::TestAuthority;
use serde_json::json;
use tempfile::TempDir;

pub(crate) const KEY_ID: &str = "kid-1";
pub(crate) const SHARED_KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

/// How the CA behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Every other nonce is refused, and what it looks at takes up to two seconds.
    Bad,
    /// Accounts must be bound.
    Bound,
}

pub(crate) struct Pebble {
    processes: Vec<Child>,
    pub(crate) directory: String,
    pub(crate) root_pem: String,
    /// Where it looks for answers over HTTP and TLS.
    pub(crate) http: u16,
    pub(crate) tls: u16,
    /// The DNS, and where records are made.
    pub(crate) dns: SocketAddr,
    pub(crate) management: String,
    _files: TempDir,
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

pub(crate) fn is_there() -> bool {
    ["pebble", "pebble-challtestsrv"].iter().all(|program| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).exists())
    })
}

/// A port that is free now.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Pebble {
    pub(crate) async fn start(manner: Manner) -> Self {
        let files = tempfile::tempdir().unwrap();
        let now = certctl_connectors::host::SystemClock::new().now();
        let authority = TestAuthority::new(1, now).await;
        let hour = Duration::from_secs(3_600);
        let own = authority.issue(&["localhost"], now - hour, now + hour * 24).await;
        let (certificate, key) = (files.path().join("certificate.pem"), files.path().join("key.pem"));
        std::fs::write(&certificate, own.chain.to_pem()).unwrap();
        std::fs::write(&key, own.key_pem.expose()).unwrap();
        let [listen, management, http, tls, dns, records] = std::array::from_fn(|_| port());
        let mut config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{listen}"), "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": certificate, "privateKey": key, "httpPort": http, "tlsPort": tls, "ocspResponderURL": "",
            "externalAccountBindingRequired": manner == Manner::Bound, "certificateValidityPeriod": 7_776_000,
        } });
        if manner == Manner::Bound {
            config["pebble"]["externalAccountMACKeys"] = json!({ KEY_ID: SHARED_KEY });
        }
        let file = files.path().join("pebble.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let local = |port: u16| format!("127.0.0.1:{port}");
        let names = Command::new("pebble-challtestsrv")
            .args([
                "-dns01",
                &local(dns),
                "-management",
                &local(records),
                "-http01",
                "",
                "-https01",
                "",
                "-tlsalpn01",
                "",
            ])
            .args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut command = Command::new("pebble");
        command.arg("-config").arg(&file).args(["-dnsserver", &local(dns)]);
        command.env("PEBBLE_AUTHZREUSE", "0").stdout(Stdio::null()).stderr(Stdio::null());
        match manner {
            Manner::Bad => command.env("PEBBLE_WFE_NONCEREJECT", "50").env("PEBBLE_VA_SLEEPTIME", "2"),
            Manner::Bound => command.env("PEBBLE_WFE_NONCEREJECT", "0").env("PEBBLE_VA_NOSLEEP", "1"),
        };
        let pebble = Self {
            processes: vec![names, command.spawn().unwrap()],
            directory: format!("https://localhost:{listen}/dir"),
            root_pem: authority.root_pem(),
            http,
            tls,
            dns: local(dns).parse().unwrap(),
            management: format!("http://{}", local(records)),
            _files: files,
        };
        for port in [listen, records] {
            for attempt in 0.. {
                if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                    break;
                }
                assert!(attempt < 200, "the CA did not start");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        pebble
    }
}
