//! Handshakes with servers of our own.

use std::time::Duration;

use certctl_core::ports::{Egress, Endpoint};
use rustls::version::{TLS12, TLS13};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;
use crate::host::EgressPolicy;
use crate::host::test_server::World;

fn request(port: u16) -> TlsProbeRequest {
    TlsProbeRequest {
        endpoint: Endpoint { host: "127.0.0.1".to_owned(), port },
        server_name: None,
        timeout: Duration::from_secs(10),
        egress: Egress::Configured,
    }
}

async fn probe(request: &TlsProbeRequest) -> Result<TlsObservation, ProbeError> {
    let policy = EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..EgressPolicy::default() };
    GuardedTlsProbe::new(Guard::new(policy)).unwrap().probe(request).await
}

#[tokio::test]
async fn the_chain_is_seen_whether_trusted_or_not_in_both_versions() {
    let world = World::new().await;
    for (version, protocol) in [(&TLS12, "TLSv1.2"), (&TLS13, "TLSv1.3")] {
        let port = world.serve(&[version], false).await;
        for server_name in [None, Some("localhost".to_owned()), Some("other.example".to_owned())] {
            let seen = probe(&TlsProbeRequest { server_name, ..request(port) }).await.unwrap();
            assert_eq!(seen.chain, world.certificate.chain.certificates());
            assert_eq!(seen.protocol, protocol);
            assert!(seen.cipher_suite.starts_with("TLS"), "{}", seen.cipher_suite);
        }
    }
}

#[tokio::test]
async fn a_server_that_wants_a_client_certificate_is_seen_all_the_same() {
    let world = World::new().await;
    for version in [&TLS12, &TLS13] {
        let port = world.serve(&[version], true).await;
        let seen = probe(&request(port)).await.unwrap();
        assert_eq!(seen.chain, world.certificate.chain.certificates());
    }
}

#[tokio::test]
async fn what_is_no_tls_server_says_what_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let refused = TlsProbeRequest { egress: Egress::Untrusted, ..request(port) };
    let guarded = GuardedTlsProbe::new(Guard::default()).unwrap().probe(&refused).await.unwrap_err();
    assert!(matches!(guarded, ProbeError::Refused { .. }), "{guarded}");

    let silent = TlsProbeRequest { timeout: Duration::from_millis(30), ..request(port) };
    let timeout = probe(&silent).await.unwrap_err();
    assert!(matches!(timeout, ProbeError::Timeout { .. }), "{timeout}");

    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"220 mail.example ESMTP\r\n").await;
        }
    });
    let handshake = probe(&request(port)).await.unwrap_err();
    assert!(matches!(handshake, ProbeError::Handshake { .. }), "{handshake}");

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let unreachable = probe(&request(closed)).await.unwrap_err();
    assert!(matches!(unreachable, ProbeError::Unreachable { .. }), "{unreachable}");
}
