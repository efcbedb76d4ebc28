//! Managed certificates.

mod accept_shape;
mod archive;
mod create;
mod deploy;
mod deployments;
mod explain;
mod export;
mod export_pem;
mod export_pkcs12;
mod get;
mod list;
mod renew;
mod submit_csr;
mod targets;
mod update;
mod versions;

pub use accept_shape::AcceptShape;
pub use archive::Archive;
pub use create::Create;
pub use deploy::{Deploy, Deploying};
pub use deployments::Deployments;
pub use explain::{Explain, Explanation};
pub use export_pem::ExportPem;
pub use export_pkcs12::ExportPkcs12;
pub use get::{Beside, CertificateView, Get};
pub use list::{CertificateSort, List, ListFilter};
pub use renew::{Renew, Renewing};
pub use submit_csr::{CsrOutcome, SubmitCsr};
pub(crate) use submit_csr::{accept, parse};
pub use update::Update;
pub use versions::Versions;
