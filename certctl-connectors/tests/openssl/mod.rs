//! OpenSSL with a directory for its files.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

/// The program, with a directory for its files.
#[derive(Clone)]
pub(crate) struct Openssl {
    directory: Arc<tempfile::TempDir>,
}

impl Openssl {
    /// The program on the path, if there is one.
    pub(crate) fn find() -> Option<Self> {
        let answers = Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success());
        answers.then(|| Self { directory: Arc::new(tempfile::tempdir().unwrap()) })
    }

    /// A path in a directory that no other thread uses.
    pub(crate) fn path(&self, name: &str) -> String {
        let thread = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "");
        let directory = self.directory.path().join(thread);
        std::fs::create_dir_all(&directory).unwrap();
        directory.join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file and gives its path.
    pub(crate) fn file(&self, name: &str, contents: &str) -> String {
        let path = self.path(name);
        std::fs::write(Path::new(&path), contents).unwrap();
        path
    }

    /// What it prints, as text.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String, String> {
        self.run_raw(arguments).map(|output| String::from_utf8_lossy(&output).into_owned())
    }

    /// What it prints and what it reports, as text.
    pub(crate) fn run_both(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.output(arguments)?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() {
            return Ok(format!("{out}{err}"));
        }
        Err(format!("openssl {}: {out}{err}", arguments.join(" ")))
    }

    /// What it prints.
    pub(crate) fn run_raw(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        let output = self.output(arguments)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Err(format!("openssl {}: {out}{err}", arguments.join(" ")))
    }

    fn output(&self, arguments: &[&str]) -> Result<Output, String> {
        let mut command = Command::new("openssl");
        // Whatever it leaves behind stays in the directory.
        command.args(arguments).current_dir(self.directory.path());
        command.output().map_err(|error| error.to_string())
    }
}
