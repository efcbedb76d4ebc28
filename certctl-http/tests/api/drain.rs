//! A listener that ends answers the requests that agents have it hold.

#![expect(clippy::disallowed_methods, reason = "a listener is proven on real sockets, with tasks of its own")]

use certctl_http::{Limits, serve_plain};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::world::World;

#[tokio::test]
async fn held_requests_are_answered_when_the_listener_ends() {
    let world = World::new().await;
    let credential = world.agent("edge-1").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    let server = tokio::spawn(serve_plain(listener, world.router.clone(), Limits::default(), shutdown));

    let poll = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /api/v1/agents/edge-1/work?wait=50 HTTP/1.1\r\nhost: localhost\r\n\
             authorization: Bearer {credential}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    };
    let (mut first, mut second) = (poll().await, poll().await);
    // Whichever came second holds the place once the other is answered. Only then does the listener end.
    let (mut one, mut other) = (String::new(), String::new());
    let (held, answer) = tokio::select! {
        read = first.read_to_string(&mut one) => { read.unwrap(); (&mut second, &one) }
        read = second.read_to_string(&mut other) => { read.unwrap(); (&mut first, &other) }
    };
    assert!(answer.ends_with(r#"{"jobs":[],"count":0}"#), "{answer}");
    stop.send(()).unwrap();
    let mut last = String::new();
    held.read_to_string(&mut last).await.unwrap();
    assert!(last.starts_with("HTTP/1.1 200") && last.ends_with(r#"{"jobs":[],"count":0}"#), "{last}");
    server.await.unwrap().unwrap();
}
