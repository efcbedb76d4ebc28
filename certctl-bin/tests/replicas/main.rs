//! Three servers on one PostgreSQL behave as one: one of them is stopped by a signal and goes on later, the database is
//! restarted again and again, and meanwhile certificates of ninety seconds are renewed, told of, summed up and searched for.

#![expect(clippy::disallowed_methods, reason = "the test runs programs, sends signals and looks at clocks")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

#[expect(dead_code, reason = "one server alone is for other tests")]
#[path = "../program/mod.rs"]
mod program;
mod sinks;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use certctl_core::domain::Timestamp;
use certctl_storage::testing::TemporaryPostgres;
use libtest_mimic::{Arguments, Trial};
use program::{KEY, Running, certctl};
use serde_json::Value;
use sinks::Sink;

/// How long certificates live, in seconds. They are renewed when about half of it is left.
const LIFETIME: u64 = 90;
/// No certificate is renewed twice within this time.
const APART: Duration = Duration::from_secs(20);
/// A digest comes each minute.
const DIGEST: Duration = Duration::from_secs(60);
/// How long the fleet may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much is done.
struct Extent {
    certificates: usize,
    scans: usize,
    stopped: Duration,
    restarts: u32,
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let postgres = if arguments.list { None } else { TemporaryPostgres::start() };
    let absent = postgres.is_none();
    let long = std::env::var_os("CERTCTL_TEST_LONG").is_some();
    let extent = if long {
        Extent { certificates: 40, scans: 10, stopped: Duration::from_secs(60), restarts: 5 }
    } else {
        // Longer than the leases, of thirty seconds.
        Extent { certificates: 12, scans: 3, stopped: Duration::from_secs(35), restarts: 2 }
    };
    let trial = Trial::test("three_servers_do_everything_once", move || {
        let told = Fleet::start(postgres.ok_or("there is no PostgreSQL")?, &extent).disturbed(&extent).judged(&extent);
        eprintln!("{told}");
        Ok(())
    });
    libtest_mimic::run(&arguments, vec![trial.with_ignored_flag(absent)]).exit_code()
}

/// Three servers, an agent that asks the first of them, and who is told.
struct Fleet {
    servers: Vec<Running>,
    agent: Child,
    hook: Sink,
    mail: Sink,
    postgres: TemporaryPostgres,
    began: Instant,
    _directory: tempfile::TempDir,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

impl Fleet {
    fn start(postgres: TemporaryPostgres, extent: &Extent) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (hook, mail) = (Sink::webhook().unwrap(), Sink::mail().unwrap());
        let url = postgres.database("replicas").unwrap();
        let (hook_url, mail_port) = (format!("http://127.0.0.1:{}/told", hook.port), mail.port.to_string());
        let (digest, keys) = (format!("{}s", DIGEST.as_secs()), format!("me:{KEY}:admin"));
        let variables = [
            ("CERTCTL_DATABASE_URL", url.as_str()),
            ("CERTCTL_API_KEYS_NAMED", &keys),
            ("CERTCTL_CONFIG_ENCRYPTION_KEY", "a passphrase that all of them know"),
            ("CERTCTL_EGRESS_ALLOW", "127.0.0.1"),
            // Nobody reads what they say until the end.
            ("CERTCTL_LOG_LEVEL", "error"),
            ("CERTCTL_WEBHOOK_URL", &hook_url),
            ("CERTCTL_SMTP_HOST", "127.0.0.1"),
            ("CERTCTL_SMTP_PORT", &mail_port),
            ("CERTCTL_SMTP_FROM_ADDRESS", "certctl@example.com"),
            ("CERTCTL_SMTP_USE_TLS", "false"),
            ("CERTCTL_DIGEST_ENABLED", "true"),
            ("CERTCTL_DIGEST_INTERVAL", &digest),
            ("CERTCTL_DIGEST_RECIPIENTS", "team@example.com"),
        ];
        let mut servers: Vec<Running> = Vec::new();
        for number in 0..3 {
            let data = directory.path().join(format!("server-{number}"));
            servers.push(Running::start(&data, &variables));
        }
        let first = &servers[0];
        let ttl = LIFETIME.to_string();
        let profile = ["--id", "prof-short", "--name", "short", "--allow-short-lived", "--max-ttl-seconds", &ttl];
        first.answer(&[&["profiles", "create"][..], &profile].concat());
        let token = first.answer(&["agents", "enrol-token", "--agent-id", "edge-1", "-o", "json"]);
        let token: Value = serde_json::from_str(&token).unwrap();
        let mut agent = certctl();
        agent.args(["agent", "--server", &first.url, "--agent-id", "edge-1", "--enrol-token"]);
        agent.arg(token["token"].as_str().unwrap()).arg("--ca").arg(&first.ca);
        agent.arg("--key-dir").arg(directory.path().join("agent")).stdout(Stdio::null()).stderr(Stdio::null());
        let agent = agent.spawn().unwrap();
        let fleet = Self { servers, agent, hook, mail, postgres, began: Instant::now(), _directory: directory };
        until("the agent is there", || fleet.servers[0].answer(&["agents", "list"]).contains("edge-1"));
        for number in 0..extent.certificates {
            let name = format!("{number}.example");
            let order = ["--id", &format!("mc-{number}"), "--common-name", &name, "--profile-id", "prof-short"];
            // Asked of whichever server.
            let server = &fleet.servers[number % 3];
            server.answer(&[&["certs", "create", "--agent-id", "edge-1"][..], &order].concat());
        }
        for number in 0..extent.scans {
            let (name, network) = (format!("net-{number}"), format!("10.255.{number}.0/32"));
            let target = ["--name", &name, "--cidrs", &network, "--ports", "[443]", "--timeout-ms", "500"];
            fleet.servers[0].answer(&[&["network-scan-targets", "create"][..], &target].concat());
        }
        fleet
    }

    /// One server sleeps and wakes, and the database is restarted now and then, most often while it sleeps.
    fn disturbed(self, extent: &Extent) -> Self {
        thread::sleep(Duration::from_secs(5));
        let asleep = &self.servers[1];
        asleep.signal("STOP");
        for _ in 0..extent.restarts {
            thread::sleep(extent.stopped / extent.restarts);
            self.postgres.restart().unwrap();
        }
        asleep.signal("CONT");
        // Time for a renewal of every certificate by all three.
        thread::sleep(Duration::from_secs(LIFETIME / 2));
        self
    }

    /// All objects of a list.
    fn all(&self, arguments: &[&str]) -> Vec<Value> {
        let mut all = Vec::new();
        for page in 1.. {
            let page = page.to_string();
            let paging = ["--per-page", "500", "--page", &page, "-o", "json"];
            let answer: Value = serde_json::from_str(&self.servers[2].answer(&[arguments, &paging].concat())).unwrap();
            let data = answer["data"].as_array().unwrap();
            if data.is_empty() {
                return all;
            }
            all.extend(data.iter().cloned());
        }
        unreachable!("pages end")
    }

    fn judged(mut self, extent: &Extent) -> String {
        for server in &self.servers {
            until("every server is well", || server.ask(&["status"]).status.success());
        }
        let mut renewals = 0;
        for number in 0..extent.certificates {
            let id = format!("mc-{number}");
            let is_served = || {
                let seen: Value =
                    serde_json::from_str(&self.servers[0].answer(&["certs", "get", &id, "-o", "json"])).unwrap();
                let ends: Timestamp = seen["expires_at"].as_str().unwrap().parse().unwrap();
                ends > now()
            };
            until("every certificate is valid", is_served);
            let versions = self.all(&["certs", "versions", &id]);
            let mut issued: Vec<Timestamp> =
                versions.iter().map(|version| version["created_at"].as_str().unwrap().parse().unwrap()).collect();
            issued.sort_unstable();
            assert!(issued.len() > 1, "{id} was never renewed");
            renewals += issued.len() - 1;
            for pair in issued.windows(2) {
                assert!(pair[1].since(pair[0]) >= APART, "{id} was renewed twice: {issued:?}");
            }
        }
        let jobs = self.all(&["jobs", "list"]);
        let once: BTreeMap<&str, usize> = jobs.iter().fold(BTreeMap::new(), |mut jobs, job| {
            *jobs.entry(job["status"].as_str().unwrap()).or_default() += 1;
            jobs
        });
        assert!(!once.contains_key("Failed"), "{once:?}");
        let told = self.told_once();
        let minutes = self.began.elapsed().as_secs() / DIGEST.as_secs();
        let digests = self.all(&["notifications", "list", "--type", "Digest"]).len() as u64;
        assert!((1..=minutes + 1).contains(&digests), "{digests} digests in {minutes} minutes");
        let scans = self.all(&["discovery-scans", "list"]);
        assert_eq!(scans.len(), extent.scans, "each network is searched once within the hour: {scans:?}");
        for server in std::mem::take(&mut self.servers) {
            server.terminate();
        }
        format!("{renewals} renewals, {told} notices, {digests} digests and {} searches, each once", scans.len())
    }

    /// Each notification is of another event, and came in once.
    fn told_once(&self) -> usize {
        let delivered = || self.all(&["notifications", "list"]).iter().all(|notice| notice["status"] == "sent");
        until("everything is told", delivered);
        let notices = self.all(&["notifications", "list"]);
        let events: BTreeSet<String> = notices
            .iter()
            .map(|notice| {
                let of = |member: &str| notice[member].to_string();
                let digest = if notice["type"] == "Digest" { of("created_at") } else { String::new() };
                format!("{} {} {} {} {digest}", of("type"), of("certificate_id"), of("channel"), of("message"))
            })
            .collect();
        assert_eq!(events.len(), notices.len(), "an event is told by two notifications: {notices:?}");
        assert_eq!((self.hook.repeated(), self.mail.repeated()), (Vec::new(), Vec::new()));
        let ids = |channel: &str| -> BTreeSet<&str> {
            let of = notices.iter().filter(|notice| notice["channel"] == channel);
            of.map(|notice| notice["id"].as_str().unwrap()).collect()
        };
        let heard = self.hook.seen();
        assert_eq!(ids("Webhook"), heard.keys().map(String::as_str).collect());
        assert_eq!(ids("Email").len(), self.mail.seen().len());
        notices.len()
    }
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "not in time: {what}");
        thread::sleep(Duration::from_millis(200));
    }
}

/// The clock of this machine is that of the fleet.
fn now() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_seconds(i64::try_from(now.as_secs()).unwrap())
}
