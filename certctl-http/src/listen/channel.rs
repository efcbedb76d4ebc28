//! What a TLS connection proves of the client, for routes that ask: its certificates, and a value that no other connection has.

use std::sync::Arc;

use certctl_core::pki::est::BINDING_LABEL;
use rustls::{ProtocolVersion, ServerConnection};
use rustls_pki_types::CertificateDer;

/// What the client of a TLS connection has proven. Whether its certificate is trusted is for the routes to say; that the client
/// holds its key was proven in the handshake.
#[derive(Debug)]
pub(crate) struct TlsChannel {
    /// The client's certificate, then those that it sent with it; empty when it sent none.
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    /// The value that binds to this connection (RFC 9266); absent below TLS 1.3.
    pub(crate) binding: Option<[u8; 32]>,
}

impl TlsChannel {
    /// That of a connection whose handshake is over.
    pub(super) fn of(connection: &ServerConnection) -> Arc<Self> {
        let certificates = connection.peer_certificates().map(<[_]>::to_vec).unwrap_or_default();
        // Below TLS 1.3 the value is one of its own only under conditions that nobody can be told (RFC 9266 §4.2).
        let current = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let exported = current.then(|| connection.export_keying_material([0; 32], BINDING_LABEL, None).ok());
        Arc::new(Self { certificates, binding: exported.flatten() })
    }
}
