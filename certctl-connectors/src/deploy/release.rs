//! Releases: complete sets of files, each named by its contents.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use certctl_core::connector::Deployment;
use certctl_core::ports::WriteOptions;
use zeroize::Zeroizing;

use super::layout::{Layout, Part};

/// One file to be written.
#[derive(Clone)]
pub(super) struct Content {
    pub(super) part: Part,
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) options: WriteOptions,
}

/// A complete set of files.
#[derive(Clone)]
pub(super) struct Release {
    /// Follows from the contents: the same files are the same release.
    pub(super) id: String,
    pub(super) contents: Vec<Content>,
}

impl Release {
    /// The release that a deployment asks for.
    pub(super) fn of(layout: &Layout, deployment: &Deployment<'_>) -> Self {
        let contents = layout.parts().map(|part| Content {
            part,
            bytes: bytes(part, deployment),
            options: layout.options_of(part),
        });
        Self::new("", contents.collect())
    }

    /// A release of files that were there before this agent came.
    pub(super) fn adopted(contents: Vec<Content>) -> Self {
        Self::new("adopted-", contents)
    }

    fn new(prefix: &str, contents: Vec<Content>) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        for Content { part, bytes, options } in &contents {
            let owner = options.owner.as_ref().map(|(user, group)| format!("{user}:{group}")).unwrap_or_default();
            let header = format!("{}\n{:o}\n{owner}\n{}\n", part.file_name(), options.mode, bytes.len());
            hash.update(header.as_bytes());
            hash.update(bytes);
        }
        let mut id = prefix.to_owned();
        for octet in hash.finish().as_ref().iter().take(16) {
            let _ = write!(id, "{octet:02x}");
        }
        Self { id, contents }
    }
}

impl std::fmt::Debug for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Release").field("id", &self.id).finish_non_exhaustive()
    }
}

fn bytes(part: Part, deployment: &Deployment<'_>) -> Zeroizing<Vec<u8>> {
    let Deployment { chain, key_pem, .. } = deployment;
    let text = match part {
        Part::FullChain => chain.to_pem(),
        Part::Certificate => chain.leaf_pem(),
        Part::Issuers => chain.issuers_pem(),
        Part::Key => return Zeroizing::new(key_pem.expose().as_bytes().to_vec()),
        Part::Combined => {
            let chain = chain.to_pem();
            let mut bytes = Zeroizing::new(Vec::with_capacity(chain.len() + key_pem.expose().len()));
            bytes.extend_from_slice(chain.as_bytes());
            bytes.extend_from_slice(key_pem.expose().as_bytes());
            return bytes;
        }
    };
    Zeroizing::new(text.into_bytes())
}
