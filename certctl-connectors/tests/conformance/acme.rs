//! An ACME CA in memory, with answers over HTTP and over the DNS.

use certctl_core::testing::issuer::{Subject, Unusable, World};
use certctl_core::testing::{AcmeCa, ScriptedCommands, ScriptedHttp};
use serde_json::{Value, json};

/// How it is shown that names are ours.
#[derive(Clone, Copy)]
pub(crate) enum Acme {
    Http,
    Dns,
}

const SHARED: &str = "dGhlLWtleS1vZi1hbi1leHRlcm5hbC1hY2NvdW50";
/// A record that stands for a CA that is away for one request.
const AWAY: &str = "away.test";

impl Subject for Acme {
    fn config(&self) -> Value {
        let mut config = json!({
            "directory_url": AcmeCa::DIRECTORY, "email": "ops@example.com", "eab_kid": "kid-1", "eab_hmac": SHARED,
            "request_lifetime": true, "ari_enabled": true,
        });
        if matches!(self, Self::Dns) {
            config["challenge_type"] = json!("dns-01");
            config["dns_present_script"] = json!("/opt/dns add");
        }
        config
    }

    fn secrets(&self) -> Vec<String> {
        vec![SHARED.to_owned()]
    }

    fn unusable(&self) -> Vec<Unusable> {
        let with = |more: Value| {
            let mut config = self.config();
            let members =
                config.as_object_mut().map(|members| members.extend(more.as_object().cloned().unwrap_or_default()));
            debug_assert!(members.is_some());
            config
        };
        let update = |more: Value| {
            let mut update =
                json!({ "server": "ns.example", "zones": ["example"], "key_name": "k", "key_secret": "c2VjcmV0" });
            for (name, value) in more.as_object().into_iter().flatten() {
                update[name] = value.clone();
            }
            json!({ "directory_url": AcmeCa::DIRECTORY, "email": "ops@example.com", "dns_update": update })
        };
        vec![
            Unusable::at("/directory_url", json!({ "email": "ops@example.com" })),
            Unusable::at("/directory_url", with(json!({ "directory_url": "http://ca.example/directory" }))),
            Unusable::at("/email", with(json!({ "email": "nobody" }))),
            Unusable::at("/email", with(json!({ "email": "a@example.com, b@example.com" }))),
            Unusable::at("/eab_hmac", with(json!({ "eab_hmac": "!" }))),
            Unusable::at("/eab_hmac", with(json!({ "eab_hmac": "" }))),
            Unusable::at("/eab_kid", with(json!({ "eab_kid": "" }))),
            Unusable::at("/insecure", with(json!({ "insecure": true }))),
            Unusable::at("/http_port", with(json!({ "http_port": 8080 }))),
            Unusable::at("/roots_pem", with(json!({ "roots_pem": "no PEM" }))),
            Unusable::at("/poll_max_wait_seconds", with(json!({ "poll_max_wait_seconds": 1 }))),
            Unusable::at("/dns_propagation_wait", with(json!({ "dns_propagation_wait": 100_000 }))),
            Unusable::at("/dns_servers/0", with(json!({ "dns_servers": ["ns.example"] }))),
            Unusable::at("/dns_present_script", with(json!({ "dns_present_script": "/opt/dns add; rm -rf /" }))),
            Unusable::at("/dns_present_script", with(json!({ "dns_present_script": "dns add" }))),
            Unusable::at("/dns_persist_issuer_domain", with(json!({ "challenge_type": "dns-persist-01" }))),
            Unusable::at(
                "/challenge_type",
                json!({ "directory_url": AcmeCa::DIRECTORY, "email": "ops@example.com", "challenge_type": "dns-01" }),
            ),
            Unusable::at(
                "/zerossl_api_key",
                json!({ "directory_url": AcmeCa::DIRECTORY, "email": "ops@example.com", "zerossl_api_key": "key" }),
            ),
            Unusable::at("/dns_update/server", update(json!({ "server": "" }))),
            Unusable::at("/dns_update/zones", update(json!({ "zones": [] }))),
            Unusable::at("/dns_update/zones/0", update(json!({ "zones": ["a b"] }))),
            Unusable::at("/dns_update/key_secret", update(json!({ "key_secret": "?" }))),
        ]
    }

    fn prepare(&self, world: &World) {
        let names = world.fakes.names.clone();
        world.fakes.http.handle(move |_, _| {
            let away = certctl_core::testing::block_on(certctl_core::ports::Resolver::txt(&names, AWAY, &[]));
            let is_away = away.is_ok_and(|records| !records.is_empty());
            names.remove(AWAY);
            is_away.then(|| Ok(ScriptedHttp::response(503, "")))
        });
        let ca = AcmeCa::new(1, &world.fakes.clock, &world.challenges, &world.fakes.names);
        ca.mood(|mood| mood.bound_to = Some("kid-1".to_owned()));
        ca.attach(&world.fakes.http);
        let names = world.fakes.names.clone();
        world.fakes.commands.handle(move |command| {
            let value = |name: &str| {
                command
                    .environment
                    .iter()
                    .find(|(key, _)| key == name)
                    .map(|(_, value)| value.clone())
                    .unwrap_or_default()
            };
            names.add(&value("CERTCTL_DNS_FQDN"), &value("CERTCTL_DNS_VALUE"));
            Some(Ok(ScriptedCommands::output(0, "", "")))
        });
    }

    fn fail_once(&self, world: &World) {
        world.fakes.names.add(AWAY, "for one request");
    }
}
