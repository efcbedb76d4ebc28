//! Credentials of external accounts, with which strangers make accounts at the ACME server (RFC 8555 §7.3.4).

mod create;
mod delete;
mod list;

pub use create::{Create, Created};
pub use delete::Delete;
pub use list::List;

use crate::domain::AcmeEab;
use crate::engine::Engine;
use crate::error::Error;

const PURPOSE: &str = "acme-eab-key";

impl Engine {
    /// The key of a credential.
    pub(crate) fn open_eab(&self, eab: &AcmeEab) -> Result<zeroize::Zeroizing<Vec<u8>>, Error> {
        self.sealer().open(PURPOSE, eab.id.as_str(), &eab.key).map_err(Error::internal)
    }
}
