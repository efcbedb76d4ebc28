//! The configuration page of the documentation, made from the table of settings.

use std::fmt::Write as _;
use std::path::Path;

use super::client_variables::CLIENT_VARIABLES;
use super::settings;

fn page() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         <!-- Made from certctl-bin/src/config/settings.rs; a test compares. To renew: CERTCTL_UPDATE_DOCS=1 cargo test -p certctl-bin reference -->\n\n\
         `certctl serve` reads, each over the one before: defaults, the TOML file of `--config`, `CERTCTL_*` variables, flags.\n\
         An unknown key or variable is an error that names the nearest; a variable that only the predecessor had is a warning\n\
         that names its replacement. An empty variable counts as unset. `DIR` is the data directory.\n\n\
         ## Server\n\n\
         | TOML | variable | flag | default | meaning |\n|---|---|---|---|---|\n",
    );
    for setting in settings::all() {
        let key = if setting.key.is_empty() { String::new() } else { format!("`{}`", setting.key) };
        let flag = if setting.flag.is_empty() { String::new() } else { format!("`{}`", setting.flag) };
        let (variable, default, meaning) = (setting.variable, setting.default, setting.meaning);
        writeln!(page, "| {key} | `CERTCTL_{variable}` | {flag} | {default} | {meaning} |").unwrap();
    }
    page.push_str(
        "\nNotifiers are tables of their own, and so are the routes that lead events to them:\n\n\
         ```toml\n[[notifier]]\nname = \"on-call\"\nkind = \"PagerDuty\"\nconfig = { routing_key = \"0123456789abcdef0123456789abcdef\" }\n\n\
         [[notifier]]\nname = \"owners\"\nkind = \"Email\"\nconfig = { smtp_host = \"mail.example\", from_address = \"certctl@example.com\" }\n\n\
         [[route]]\nevents = [\"RenewalFailure\", \"DeploymentFailure\"]\nnotifiers = [\"on-call\", \"owners\"]\n\n\
         [[route]]\nseverities = [\"warning\"]\nnotifiers = [\"owners\"]\n```\n\n\
         [Notifications](notifications.md) says what the kinds are and what is told to whom without routes.\n\n\
         ## Agent and command line\n\n| variable | flag | meaning |\n|---|---|---|\n",
    );
    for variable in CLIENT_VARIABLES {
        writeln!(page, "| `CERTCTL_{}` | `{}` | {} |", variable.name, variable.flag, variable.meaning).unwrap();
    }
    page.push_str(
        "\n## Files in the data directory\n\n| file | mode | what |\n|---|---|---|\n\
         | `certctl.db` (and `-wal`, `-shm`, `.lock`) | 0600 | the records, with SQLite |\n\
         | `sealing.key` | 0600 | seals secrets in the database; without it they are lost, so back it up elsewhere |\n\
         | `setup-token` | 0600 | until the first administrator's key is made, for a day |\n\
         | `ca.pem` | 0644 | the root of the server's own certificate: what agents and clients trust |\n\
         | `server.key` | 0600 | the server's TLS key; its certificate is made at start and renewed while it runs |\n",
    );
    page
}

#[test]
fn the_reference_page_says_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/configuration.md");
    if std::env::var_os("CERTCTL_UPDATE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page(),
        "docs/src/configuration.md is old: CERTCTL_UPDATE_DOCS=1 cargo test -p certctl-bin reference"
    );
}
