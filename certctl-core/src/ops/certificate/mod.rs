//! Managed certificates.

mod archive;
mod create;
mod deploy;
mod deployments;
mod get;
mod list;
mod renew;
mod submit_csr;
mod targets;
mod update;
mod versions;

pub use archive::Archive;
pub use create::Create;
pub use deploy::{Deploy, Deploying};
pub use deployments::Deployments;
pub use get::{CertificateView, Get};
pub use list::{CertificateSort, List, ListFilter};
pub use renew::{Renew, Renewing};
pub use submit_csr::{CsrOutcome, SubmitCsr};
pub(crate) use submit_csr::{accept, parse};
pub use update::Update;
pub use versions::Versions;
