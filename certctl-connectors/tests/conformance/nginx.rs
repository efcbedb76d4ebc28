//! NGINX: a server that reads its two files when it is told to, and serves what it has read.

#![expect(clippy::unwrap_used, reason = "a subject that cannot be set up fails its cases")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use certctl_core::domain::Chain;
use certctl_core::ports::CommandOutput;
use certctl_core::testing::target::{Host, Subject, Trouble, Unusable};
use certctl_core::testing::{FakePorts, MemoryFiles, ScriptedCommands, TestCertificate};
use serde_json::{Value, json};

pub(crate) struct Nginx;

const CERTIFICATE: &str = "/etc/nginx/tls/shop.pem";
const KEY: &str = "/etc/nginx/tls/shop.key";

impl Subject for Nginx {
    fn config(&self) -> Value {
        json!({"cert_path": CERTIFICATE, "key_path": KEY, "host": "192.0.2.1", "server_name": "shop.example.com"})
    }

    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    fn unusable(&self) -> Vec<Unusable> {
        vec![
            Unusable::at("/cert_path", json!({"cert_path": "shop.pem"})),
            Unusable::at("/key_path", json!({"cert_path": CERTIFICATE, "key_path": "../shop.key"})),
            Unusable::at("/reload_command", json!({"cert_path": CERTIFICATE, "reload_command": "nginx -s reload; id"})),
            Unusable::at("/key_mode", json!({"cert_path": CERTIFICATE, "key_mode": "0644"})),
        ]
    }

    fn config_below(&self, directory: &Path) -> Option<Value> {
        Some(json!({"cert_path": directory.join("shop.pem"), "key_path": directory.join("shop.key")}))
    }

    fn install(&self, world: &FakePorts, before: Option<&TestCertificate>) -> Box<dyn Host> {
        let server = Server { files: world.files.clone(), state: Arc::default() };
        if let Some(before) = before {
            // An administrator replaces the names, not what they may be links to.
            world.files.insert(CERTIFICATE, before.chain.to_pem(), 0o644);
            world.files.insert(KEY, before.key_pem.expose(), 0o600);
            server.load();
        }
        world.commands.clear();
        let running = server.clone();
        world.commands.handle(move |command| Some(Ok(running.run(&command.argv))));
        world.tls.clear();
        let serving = server.clone();
        world.tls.handle(move |_| serving.state().loaded.as_ref().map(|chain| Ok(chain.certificates().to_vec())));
        Box::new(server)
    }
}

#[derive(Clone)]
struct Server {
    files: MemoryFiles,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    loaded: Option<Chain>,
    trouble: Option<Trouble>,
}

impl Server {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn load(&self) {
        let text = self.files.contents(CERTIFICATE).map(|bytes| String::from_utf8(bytes).unwrap());
        self.state().loaded = text.map(|pem| Chain::from_pem(&pem).unwrap());
    }

    fn run(&self, argv: &[String]) -> CommandOutput {
        let meets = |trouble| self.state().trouble.take_if(|coming| *coming == trouble).is_some();
        let refused = ScriptedCommands::output(1, "", "nginx: [emerg] no");
        match argv.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["nginx", "-t"] if meets(Trouble::ConfigTest) => refused,
            ["nginx", "-s", "reload"] if meets(Trouble::Reload) => refused,
            ["nginx", "-t"] => ScriptedCommands::output(0, "", ""),
            ["nginx", "-s", "reload"] => {
                self.load();
                ScriptedCommands::output(0, "", "")
            }
            _ => ScriptedCommands::output(127, "", "not found"),
        }
    }
}

impl Host for Server {
    fn served(&self) -> Option<Vec<u8>> {
        self.state().loaded.as_ref().map(|chain| chain.leaf().to_vec())
    }

    fn material(&self) -> BTreeMap<String, Vec<u8>> {
        let contents = |path: &str| self.files.contents(path).map(|bytes| (path.to_owned(), bytes));
        [CERTIFICATE, KEY].into_iter().filter_map(contents).collect()
    }

    fn trouble(&self, trouble: Trouble) -> bool {
        self.state().trouble = Some(trouble);
        true
    }
}
