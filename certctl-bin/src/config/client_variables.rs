//! Variables that are no settings of the server, each once.

/// A variable of the agent or the command line, which is also a flag of theirs.
pub(crate) struct ClientVariable {
    /// Without `CERTCTL_`.
    pub(crate) name: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "the reference page is made by a test"))]
    pub(crate) flag: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "the reference page is made by a test"))]
    pub(crate) meaning: &'static str,
}

pub(crate) const CLIENT_VARIABLES: &[ClientVariable] = &[
    ClientVariable { name: "CONFIG", flag: "serve, migrate: --config", meaning: "The configuration file." },
    ClientVariable {
        name: "SERVER_URL",
        flag: "--server",
        meaning: "The server, such as `https://certctl.example:8443`.",
    },
    ClientVariable {
        name: "SERVER_CA_BUNDLE_PATH",
        flag: "--ca",
        meaning: "The server's root (PEM): a copy of `DIR/ca.pem`.",
    },
    ClientVariable {
        name: "API_KEY",
        flag: "--api-key",
        meaning: "The key that is sent: of a person, or an agent's credential.",
    },
    ClientVariable { name: "AGENT_ID", flag: "agent: --agent-id", meaning: "The agent's id." },
    ClientVariable {
        name: "AGENT_NAME",
        flag: "agent: --name",
        meaning: "What people call the agent; its id when absent. Used when it enrols.",
    },
    ClientVariable {
        name: "KEY_DIR",
        flag: "agent: --key-dir",
        meaning: "The agent's own directory: keys, journal, credential.",
    },
    ClientVariable {
        name: "ENROL_TOKEN",
        flag: "agent: --enrol-token",
        meaning: "The token with which the agent enrols at its first start.",
    },
    ClientVariable {
        name: "ALLOW_COMMAND",
        flag: "agent: --allow-command",
        meaning: "Beginnings of commands that targets may run besides those built into their connectors, separated by \
                  commas. A beginning that has a comma needs the flag.",
    },
    ClientVariable {
        name: "ALLOW_PATH",
        flag: "agent: --allow-path",
        meaning: "Directories below which targets may put certificates besides those built into their connectors, \
                  separated by commas.",
    },
    ClientVariable {
        name: "DISCOVERY_DIRS",
        flag: "agent: --discovery-dirs",
        meaning: "Directories that the agent searches for certificates at its start and every six hours, separated by commas.",
    },
];
