//! What must hold after every kill, and at the end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use certctl_connectors::host::{self, HostConfig};
use certctl_core::domain::{Chain, KeyId, pem};
use certctl_core::pki;
use libtest_mimic::Failed;

use super::child::SITES;

pub(crate) struct Verdict {
    dir: PathBuf,
    /// Fingerprints that a caller was told of.
    acknowledged: BTreeSet<String>,
}

impl Verdict {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.into(), acknowledged: BTreeSet::new() }
    }

    /// Takes down what a child said before it died; a line that it could not finish does not count.
    pub(crate) fn hear(&mut self, output: &[u8]) {
        let text = String::from_utf8_lossy(output);
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            if let Some((fingerprint, _)) = line.strip_prefix("VERSION ").and_then(|rest| rest.trim().split_once(' ')) {
                self.acknowledged.insert(fingerprint.to_owned());
            }
        }
    }

    /// What a server that reads the configured paths now would get: a certificate and its own key.
    pub(crate) fn look(&self) -> Result<(), Failed> {
        for site in 0..SITES {
            let dir = self.dir.join(format!("site-{site}"));
            let (Ok(chain), Ok(key)) =
                (std::fs::read_to_string(dir.join("fullchain.pem")), std::fs::read_to_string(dir.join("key.pem")))
            else {
                if dir.join("fullchain.pem").exists() != dir.join("key.pem").exists() {
                    return Err(format!("site {site} has one of certificate and key").into());
                }
                continue;
            };
            let chain = Chain::from_pem(&chain).map_err(|error| format!("site {site}: {error}"))?;
            let facts = pki::certificate::parse(chain.leaf()).map_err(|error| format!("site {site}: {error}"))?;
            if public_half(&key)? != facts.key_id {
                return Err(format!("site {site} serves a certificate beside another's key").into());
            }
        }
        Ok(())
    }

    /// Every job is finished, nothing that was acknowledged is lost, no serial is there twice.
    pub(crate) fn end(&self, output: &str) -> Result<(), Failed> {
        let (mut stored, mut serials, mut completed) = (BTreeSet::new(), BTreeSet::new(), 0);
        for line in output.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["STORED", fingerprint, serial] => {
                    stored.insert((*fingerprint).to_owned());
                    if !serials.insert((*serial).to_owned()) {
                        return Err(format!("serial {serial} is there twice").into());
                    }
                }
                ["JOB", _, "Completed", _] => completed += 1,
                ["JOB", _, "Cancelled", _] => {}
                ["JOB", kind, state, id] => return Err(format!("{kind} job {id} is {state} at the end").into()),
                _ => {}
            }
        }
        let lost: Vec<_> = self.acknowledged.difference(&stored).collect();
        if !lost.is_empty() {
            return Err(format!("acknowledged and lost: {lost:?}").into());
        }
        if completed == 0 || self.acknowledged.len() < SITES * 2 {
            return Err(format!("too little happened: {completed} jobs, {} versions", self.acknowledged.len()).into());
        }
        Ok(())
    }
}

fn public_half(key_pem: &str) -> Result<KeyId, Failed> {
    let blocks = pem::parse(key_pem, 64 << 10)?;
    let key = blocks.into_iter().find(|block| block.label == "PRIVATE KEY").ok_or("no private key in the key file")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ports = host::ports(&HostConfig::default())?;
    let signer = runtime.block_on(ports.keys.open(&key.der))?;
    Ok(KeyId::of(signer.public_key()))
}
