//! How each client is called.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use libtest_mimic::Failed;

use crate::{NAME, Proof, World};

/// A client with an account and one certificate.
pub(crate) trait Client: Sized {
    /// Whether it can be given no root to trust, and so calls a server without TLS.
    const PLAIN_HTTP: bool = false;
    /// Whether it only writes the file that http-01 asks for.
    const NEEDS_WEB_SERVER: bool = false;
    fn new(world: &World) -> Result<Self, Failed>;
    fn issue(&self) -> Result<(), Failed>;
    fn renew(&self) -> Result<(), Failed>;
    fn revoke(&self) -> Result<(), Failed>;
}

/// Runs it, and tells what it said if it failed.
fn run(command: &mut Command) -> Result<(), Failed> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    Err(format!("{command:?}: {}\n{said}", output.status).into())
}

/// A program of these lines.
fn script(world: &World, name: &str, lines: &str) -> Result<PathBuf, Failed> {
    let path = world.path(name);
    std::fs::write(&path, format!("#!/bin/sh\n{lines}\n"))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

fn text(path: PathBuf) -> String {
    path.to_str().unwrap().to_owned()
}

pub(crate) struct Certbot {
    usual: Vec<String>,
    ca: PathBuf,
    leaf: PathBuf,
    how: Vec<String>,
}

impl Certbot {
    fn run(&self, arguments: &[&str]) -> Result<(), Failed> {
        run(Command::new("certbot").args(arguments).args(&self.usual).env("REQUESTS_CA_BUNDLE", &self.ca))
    }
}

impl Client for Certbot {
    fn new(world: &World) -> Result<Self, Failed> {
        let place = |name: &str| text(world.path(&format!("certbot/{name}")));
        let usual = ["--server", &world.acme(), "--non-interactive"].map(str::to_owned).into_iter();
        let places = ["--config-dir", &place("config"), "--work-dir", &place("work"), "--logs-dir", &place("logs")];
        let usual = usual.chain(places.map(str::to_owned)).collect();
        let hook = format!(
            "echo \"$CERTBOT_VALIDATION\" >> {}/_acme-challenge.$CERTBOT_DOMAIN",
            text(world.zone.directory.clone())
        );
        let hook = text(script(world, "certbot-hook", &hook)?);
        let how = match world.proof {
            Proof::Dns => vec!["--manual", "--preferred-challenges", "dns", "--manual-auth-hook", &hook],
            _ => vec!["--standalone", "--preferred-challenges", "http"],
        };
        let mut how: Vec<String> = how.into_iter().map(str::to_owned).collect();
        how.extend(["--http-01-port".to_owned(), world.port.to_string()]);
        let leaf = world.path(&format!("certbot/config/live/{NAME}/cert.pem"));
        Ok(Self { usual, ca: world.server.ca.clone(), leaf, how })
    }

    fn issue(&self) -> Result<(), Failed> {
        let how: Vec<&str> = self.how.iter().map(String::as_str).collect();
        let mut arguments = vec!["certonly", "--agree-tos", "-m", "ops@example.com", "--no-eff-email", "-d", NAME];
        arguments.extend(how);
        self.run(&arguments)
    }

    fn renew(&self) -> Result<(), Failed> {
        self.run(&["renew", "--force-renewal", "--no-random-sleep-on-renew"])
    }

    fn revoke(&self) -> Result<(), Failed> {
        let leaf = text(self.leaf.clone());
        self.run(&["revoke", "--cert-path", &leaf, "--reason", "superseded", "--no-delete-after-revoke"])
    }
}

pub(crate) struct Lego {
    usual: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Lego {
    fn run(&self, more: &[&str], verb: &[&str]) -> Result<(), Failed> {
        let environment = self.environment.iter().map(|(name, value)| (*name, value.as_str()));
        run(Command::new("lego").args(&self.usual).args(more).args(verb).envs(environment))
    }

    pub(crate) fn issue_with(&self, more: &[&str]) -> Result<(), Failed> {
        self.run(more, &["run"])
    }
}

impl Client for Lego {
    fn new(world: &World) -> Result<Self, Failed> {
        let place = text(world.path("lego"));
        let listen = format!(":{}", world.port);
        let resolver = world.zone.address.to_string();
        let mut usual = vec!["--server".to_owned(), world.acme()];
        usual.extend(
            ["--accept-tos", "--email", "ops@example.com", "--path", &place, "--domains", NAME].map(str::to_owned),
        );
        let how: Vec<&str> = match world.proof {
            Proof::None | Proof::Http => vec!["--http", "--http.port", &listen],
            Proof::Tls => vec!["--tls", "--tls.port", &listen],
            Proof::Dns => vec!["--dns", "exec", "--dns.disable-cp", "--dns.resolvers", &resolver],
        };
        usual.extend(how.into_iter().map(str::to_owned));
        let hook = format!(
            "name=${{2%.}}; [ \"$1\" = present ] || exit 0; echo \"$3\" >> {}/$name",
            text(world.zone.directory.clone())
        );
        let hook = text(script(world, "lego-hook", &hook)?);
        let environment =
            vec![("LEGO_CA_CERTIFICATES", text(world.server.ca.clone())), ("EXEC_PATH", hook), ("HOME", place)];
        Ok(Self { usual, environment })
    }

    fn issue(&self) -> Result<(), Failed> {
        self.issue_with(&[])
    }

    fn renew(&self) -> Result<(), Failed> {
        self.run(&[], &["renew", "--days", "9999", "--no-random-sleep"])
    }

    fn revoke(&self) -> Result<(), Failed> {
        self.run(&[], &["revoke"])
    }
}

pub(crate) struct Uacme {
    usual: Vec<String>,
    leaf: String,
    /// Shakes hands for it, where it proves names so.
    _responder: Option<Responder>,
}

impl Uacme {
    fn run(&self, arguments: &[&str]) -> Result<(), Failed> {
        run(Command::new("uacme").args(&self.usual).args(arguments))
    }
}

impl Client for Uacme {
    const PLAIN_HTTP: bool = true;
    const NEEDS_WEB_SERVER: bool = true;

    fn new(world: &World) -> Result<Self, Failed> {
        let (zone, web) = (text(world.zone.directory.clone()), text(world.files.directory.clone()));
        let accepted = match world.proof {
            Proof::Dns => "dns-01",
            Proof::Tls => "tls-alpn-01",
            Proof::None | Proof::Http => "http-01",
        };
        let socket = text(world.path("ualpn.sock"));
        // METHOD TYPE IDENT TOKEN AUTH; what is not accepted is declined with 1.
        let hook = format!(
            "[ \"$1\" = begin ] || exit 0\n[ \"$2\" = {accepted} ] || exit 1\ncase $2 in\n\
             dns-01) echo \"$5\" >> {zone}/_acme-challenge.$3 ;;\nhttp-01) printf %s \"$5\" > {web}/$4 ;;\n\
             tls-alpn-01) [ \"$(echo \"auth $3 $5\" | ualpn -s {socket})\" = OK ] ;;\nesac"
        );
        let hook = text(script(world, "uacme-hook", &hook)?);
        let place = text(world.path("uacme"));
        let usual = ["-a", &world.acme(), "-c", &place, "-h", &hook, "-y"].map(str::to_owned).to_vec();
        let responder = if world.proof == Proof::Tls { Some(Responder::start(world, &socket)?) } else { None };
        let client = Self { usual, leaf: format!("{place}/{NAME}/cert.pem"), _responder: responder };
        client.run(&["new", "ops@example.com"])?;
        Ok(client)
    }

    fn issue(&self) -> Result<(), Failed> {
        self.run(&["issue", NAME])
    }

    fn renew(&self) -> Result<(), Failed> {
        self.run(&["-f", "issue", NAME])
    }

    fn revoke(&self) -> Result<(), Failed> {
        self.run(&["revoke", &self.leaf])
    }
}

/// `ualpn`, which shakes hands for uacme. What is no proof it hands on, to nobody.
struct Responder {
    child: Child,
    pid_file: String,
}

impl Responder {
    fn start(world: &World, socket: &str) -> Result<Self, Failed> {
        let pid_file = text(world.path("ualpn.pid"));
        let mut command = Command::new("ualpn");
        command.args(["-v", "-n", "1", "-c", "127.0.0.1@9", "-b", &format!("127.0.0.1@{}", world.port)]);
        let mut child = command.args(["-s", socket, "-p", &pid_file]).stderr(Stdio::piped()).spawn()?;
        let mut said = BufReader::new(child.stderr.take().ok_or("no standard error")?).lines();
        let listens = said.by_ref().any(|line| line.is_ok_and(|line| line.contains("frontend listening")));
        // It must not wait for a reader.
        std::thread::spawn(move || said.count());
        let responder = Self { child, pid_file };
        if listens { Ok(responder) } else { Err("ualpn does not listen".into()) }
    }
}

impl Drop for Responder {
    /// With its workers, which outlive it when it is killed.
    fn drop(&mut self) {
        let _ = Command::new("ualpn").args(["-t", "-p", &self.pid_file]).output();
        let _ = self.child.wait();
    }
}

pub(crate) struct Dehydrated {
    config: String,
    leaf: String,
}

impl Dehydrated {
    fn run(&self, arguments: &[&str]) -> Result<(), Failed> {
        run(Command::new("dehydrated").args(["-f", &self.config]).args(arguments))
    }
}

impl Client for Dehydrated {
    const NEEDS_WEB_SERVER: bool = true;

    fn new(world: &World) -> Result<Self, Failed> {
        let place = text(world.path("dehydrated"));
        std::fs::create_dir_all(&place)?;
        let (zone, web) = (text(world.zone.directory.clone()), text(world.files.directory.clone()));
        let hook = format!("[ \"$1\" = deploy_challenge ] || exit 0\necho \"$4\" >> {zone}/_acme-challenge.$2");
        let hook = text(script(world, "dehydrated-hook", &hook)?);
        let kind = if world.proof == Proof::Dns { format!("dns-01\nHOOK={hook}") } else { "http-01".into() };
        let ca = text(world.server.ca.clone());
        let config = format!(
            "CA={}\nBASEDIR={place}\nWELLKNOWN={web}\nCURL_OPTS=\"--cacert {ca}\"\nKEYSIZE=2048\nKEY_ALGO=prime256v1\n\
             CONTACT_EMAIL=ops@example.com\nCHALLENGETYPE={kind}\n",
            world.acme()
        );
        let path = world.path("dehydrated.config");
        std::fs::write(&path, config)?;
        let leaf = format!("{place}/certs/{NAME}/cert.pem");
        let client = Self { config: text(path), leaf };
        client.run(&["--register", "--accept-terms"])?;
        Ok(client)
    }

    fn issue(&self) -> Result<(), Failed> {
        self.run(&["-c", "-d", NAME])
    }

    fn renew(&self) -> Result<(), Failed> {
        self.run(&["-c", "-x", "-d", NAME])
    }

    fn revoke(&self) -> Result<(), Failed> {
        self.run(&["-r", &self.leaf])
    }
}
