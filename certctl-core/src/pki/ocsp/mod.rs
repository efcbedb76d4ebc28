//! The Online Certificate Status Protocol (RFC 6960) as relying parties use it (RFC 5019), with nonces as RFC 9654 has them:
//! requests in, signed responses out.

mod cert_id;
mod request;
mod response;

pub use cert_id::{CertId, IdHash, IssuerHashes, Written};
pub use request::{MAX_NONCE_OCTETS, MAX_REQUEST_OCTETS, MAX_REQUESTED, OcspRequest, octets_of_url};
pub use response::{
    CertStatus, OcspError, Responder, ResponderError, ResponseData, SignedData, SingleResponse, archive_cutoff,
};
