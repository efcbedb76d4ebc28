//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::cli::Noun;
use crate::failure::EXIT_CODES;
use crate::mcp::McpArguments;

/// Issues, deploys, verifies and renews TLS certificates.
#[derive(Debug, Parser)]
#[command(name = "certctl", version, propagate_version = true, max_term_width = 110, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server: REST API, renewals, jobs, notifications
    Serve(ServeArguments),
    /// Run an agent: makes keys and deploys certificates on its host
    Agent(AgentArguments),
    /// Show a certificate's life: issued, deployed, renewed, redeployed
    Demo(DemoArguments),
    /// Bring the database up to date
    Migrate(MigrateArguments),
    /// Say what would happen to a store's certificates within the next days
    Simulate(SimulateArguments),
    /// Print the OpenAPI document of the REST API
    Openapi(OpenapiArguments),
    /// Serve the API to assistants: Model Context Protocol over standard input and output
    Mcp(McpArguments),
    /// Print the version
    Version,
    /// Print a script that completes commands, for a shell
    Completions { shell: Shell },
    /// Write man pages into a directory
    Man { dir: PathBuf },
    #[command(flatten)]
    Client(Noun),
}

/// `certctl serve`.
#[derive(Debug, Default, Args)]
pub(crate) struct ServeArguments {
    /// Configuration file (TOML) [env: CERTCTL_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the server keeps its files [env: CERTCTL_DATA_DIR] [default: ./certctl-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one [env: CERTCTL_LISTEN] [default: 127.0.0.1:8443]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
    /// Plain HTTP instead of TLS, on loopback only [env: CERTCTL_INSECURE_HTTP]
    #[arg(long)]
    pub(crate) insecure_http: bool,
}

/// `certctl agent`.
#[derive(Debug, Args)]
pub(crate) struct AgentArguments {
    /// The server, such as `https://certctl.example:8443` [env: CERTCTL_SERVER_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// This agent's id [env: CERTCTL_AGENT_ID]
    #[arg(long, value_name = "ID")]
    pub(crate) agent_id: Option<String>,
    /// This agent's own directory: keys, journal, credential [env: CERTCTL_KEY_DIR] [default: /var/lib/certctl/keys]
    #[arg(long, value_name = "DIR")]
    pub(crate) key_dir: Option<PathBuf>,
    /// The server's root (PEM), a copy of its DIR/ca.pem [env: CERTCTL_SERVER_CA_BUNDLE_PATH]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Enrol with this token at the first start; the credential is kept in KEY_DIR/credential [env: CERTCTL_ENROL_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    pub(crate) enrol_token: Option<String>,
    /// What people call this agent, used when it enrols [env: CERTCTL_AGENT_NAME] [default: the agent's id]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// A command that targets may run besides those built in, with its first arguments: "systemctl reload nginx"
    /// [env: CERTCTL_ALLOW_COMMAND, separated by commas]
    #[arg(long, value_name = "COMMAND")]
    pub(crate) allow_command: Vec<String>,
    /// A directory below which targets may put certificates besides those built in, such as `/srv/tls`
    /// [env: CERTCTL_ALLOW_PATH, separated by commas]
    #[arg(long, value_name = "DIR")]
    pub(crate) allow_path: Vec<PathBuf>,
    /// A directory that is searched for certificates at the start and every six hours, such as `/etc/ssl`
    /// [env: CERTCTL_DISCOVERY_DIRS, separated by commas]
    #[arg(long, value_name = "DIR", value_delimiter = ',')]
    pub(crate) discovery_dirs: Vec<PathBuf>,
}

/// `certctl demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// End when it was shown; the exit code says whether all went well
    #[arg(long)]
    pub(crate) once: bool,
    /// Show the log of server and agent too
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// `certctl migrate`.
#[derive(Debug, Args)]
pub(crate) struct MigrateArguments {
    #[command(flatten)]
    pub(crate) home: Home,
    /// Only say how the database stands
    #[arg(long)]
    pub(crate) status: bool,
    /// Undo the last STEPS migrations, and with them what is in their tables
    #[arg(long, value_name = "STEPS", conflicts_with = "status")]
    pub(crate) down: Option<u32>,
}

/// Where the configuration and the data are.
#[derive(Debug, Args)]
pub(crate) struct Home {
    /// Configuration file (TOML) [env: CERTCTL_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the server keeps its files [env: CERTCTL_DATA_DIR] [default: ./certctl-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// `certctl simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateArguments {
    /// The store, which is only read: a server's data directory, a SQLite file, or a database's URL
    #[arg(long, value_name = "DIR|FILE|URL")]
    pub(crate) from: String,
    /// How many days, up to ten years
    #[arg(long, value_name = "N")]
    pub(crate) days: u32,
    /// Everything that is random follows from it: the same seed gives the same report
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The first moment (RFC 3339), or `now` [default: the last one that the store recorded]
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// As if no CA issued for longer, such as 47
    #[arg(long, value_name = "DAYS")]
    pub(crate) lifetime_days: Option<u32>,
    /// As if this issuer or agent were not there; can be given several times
    #[arg(long, value_name = "ID")]
    pub(crate) down: Vec<String>,
    /// The whole report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `certctl openapi`.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(crate) struct OpenapiArguments {
    #[arg(long, value_enum, default_value_t = DocumentFormat::Json)]
    pub(crate) format: DocumentFormat,
    /// Of OpenAPI; 3.0 for generators that read nothing newer
    #[arg(long = "version", value_enum, default_value_t = OpenapiVersion::V31)]
    pub(crate) openapi_version: OpenapiVersion,
    /// With one type of answer per operation, for generators that know no more, such as progenitor
    #[arg(long)]
    pub(crate) one_answer: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DocumentFormat {
    Json,
    Yaml,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OpenapiVersion {
    #[value(name = "3.1")]
    V31,
    #[value(name = "3.0")]
    V30,
}

/// Which server is talked to.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// A store instead of a server, as its administrator: a data directory that no server uses, or a database's URL
    #[arg(long, value_name = "DIR|URL", global = true, conflicts_with_all = ["server", "api_key", "ca"])]
    pub(crate) store: Option<String>,
    /// The server [env: CERTCTL_SERVER_URL] [default: `https://127.0.0.1:8443`]
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) server: Option<String>,
    /// The key to send [env: CERTCTL_API_KEY]
    #[arg(long, value_name = "KEY", global = true)]
    pub(crate) api_key: Option<String>,
    /// The server's root (PEM), a copy of its DIR/ca.pem [env: CERTCTL_SERVER_CA_BUNDLE_PATH]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) ca: Option<PathBuf>,
}

/// Which server the command line talks to, and how it answers.
#[derive(Debug, Args)]
pub(crate) struct Connection {
    #[command(flatten)]
    pub(crate) place: Place,
    /// How results are written
    #[arg(short, long, visible_alias = "format", value_enum, default_value_t = OutputFormat::Table, global = true)]
    pub(crate) output: OutputFormat,
    /// Ask nothing, also when a person is there
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    Table,
    Json,
    Yaml,
    /// Ids alone, one a line
    Name,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
