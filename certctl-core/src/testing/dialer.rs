//! Streams to peers that exist in the test.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::ports::{ByteStream, DialError, Dialer, Egress, Endpoint, TlsTerms};

/// The other end of a stream.
pub trait Peer: Send {
    /// What it says before it hears anything.
    fn greeting(&mut self) -> Vec<u8>;
    /// What it says to these bytes; `None` closes the stream after what was said before.
    fn hear(&mut self, bytes: &[u8]) -> Option<Vec<u8>>;
    /// What it says first when the stream goes on in TLS, which is only pretended; `None` refuses the handshake.
    fn secured(&mut self, _terms: &TlsTerms) -> Option<Vec<u8>> {
        None
    }
}

type MakePeer = Box<dyn FnMut() -> Box<dyn Peer> + Send>;

/// Connects to peers and records what they hear. An endpoint without a peer is unreachable. Clones share one world.
#[derive(Clone, Default)]
pub struct FakeDialer(Arc<Mutex<World>>);

#[derive(Default)]
struct World {
    peers: BTreeMap<(String, u16), MakePeer>,
    /// By connection.
    heard: Vec<Vec<u8>>,
}

impl FakeDialer {
    /// A world without peers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Each connection to that host and port meets a new peer.
    pub fn serve(&self, host: &str, port: u16, peer: impl FnMut() -> Box<dyn Peer> + Send + 'static) {
        self.world().peers.insert((host.to_owned(), port), Box::new(peer));
    }

    /// What was written so far, by connection.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        self.world().heard.clone()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for FakeDialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.world().peers.keys()).finish()
    }
}

#[async_trait]
impl Dialer for FakeDialer {
    async fn connect(
        &self,
        endpoint: &Endpoint,
        _egress: Egress,
        _timeout: Duration,
    ) -> Result<Box<dyn ByteStream>, DialError> {
        let mut world = self.world();
        let make = world.peers.get_mut(&(endpoint.host.clone(), endpoint.port)).ok_or_else(|| {
            DialError::Unreachable { endpoint: endpoint.clone(), reason: "nobody listens there".to_owned() }
        })?;
        let mut peer = make();
        let said = VecDeque::from(peer.greeting());
        let number = world.heard.len();
        world.heard.push(Vec::new());
        Ok(Box::new(Stream { peer: Some(peer), said, endpoint: endpoint.clone(), number, dialer: self.clone() }))
    }
}

struct Stream {
    /// `None` once the peer has closed.
    peer: Option<Box<dyn Peer>>,
    said: VecDeque<u8>,
    endpoint: Endpoint,
    /// Which connection it is.
    number: usize,
    dialer: FakeDialer,
}

impl Stream {
    fn broken(&self, reason: &str) -> DialError {
        DialError::Unreachable { endpoint: self.endpoint.clone(), reason: reason.to_owned() }
    }
}

#[async_trait]
impl ByteStream for Stream {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, DialError> {
        if self.said.is_empty() && self.peer.is_some() {
            // Both would wait for ever; a test should say so instead.
            return Err(self.broken("the peer has nothing to say before it hears more"));
        }
        let count = self.said.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(self.said.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }

    async fn write_all(&mut self, bytes: &[u8]) -> Result<(), DialError> {
        let Some(peer) = self.peer.as_mut() else { return Err(self.broken("the peer has closed the stream")) };
        if let Some(heard) = self.dialer.world().heard.get_mut(self.number) {
            heard.extend_from_slice(bytes);
        }
        match peer.hear(bytes) {
            Some(answer) => self.said.extend(answer),
            None => self.peer = None,
        }
        Ok(())
    }

    async fn secure(mut self: Box<Self>, terms: &TlsTerms) -> Result<Box<dyn ByteStream>, DialError> {
        match self.peer.as_mut().and_then(|peer| peer.secured(terms)) {
            Some(greeting) if self.said.is_empty() => {
                self.said.extend(greeting);
                Ok(self)
            }
            _ => Err(DialError::Handshake {
                endpoint: self.endpoint.clone(),
                reason: "the peer speaks no TLS now".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::block_on;

    struct Echo;

    impl Peer for Echo {
        fn greeting(&mut self) -> Vec<u8> {
            b"hi".to_vec()
        }
        fn hear(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
            (bytes != b"quit").then(|| bytes.to_vec())
        }
    }

    #[test]
    fn a_peer_greets_answers_and_closes() {
        let dialer = FakeDialer::new();
        dialer.serve("mail.example", 25, || Box::new(Echo));
        let connect = |port| {
            let endpoint = Endpoint { host: "mail.example".to_owned(), port };
            let dialer = dialer.clone();
            async move { dialer.connect(&endpoint, Egress::Configured, Duration::from_secs(1)).await }
        };
        assert!(block_on(connect(26)).is_err());
        let mut stream = block_on(connect(25)).ok().unwrap();
        let mut buffer = [0; 8];
        block_on(async {
            assert_eq!(stream.read(&mut buffer).await, Ok(2));
            stream.write_all(b"abc").await.unwrap();
            assert_eq!(stream.read(&mut buffer).await, Ok(3));
            assert!(stream.read(&mut buffer).await.is_err(), "it would wait for ever");
            stream.write_all(b"quit").await.unwrap();
            assert_eq!(stream.read(&mut buffer).await, Ok(0));
            assert!(stream.write_all(b"more").await.is_err());
        });
        assert_eq!(dialer.heard(), [b"abcquit".to_vec()]);
    }
}
