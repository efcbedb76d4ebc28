//! What lies outside of certctl and survives its crashes: a CA, a mailbox, hosts with their disks.

mod authority;
mod disk;
mod mailbox;
mod served;
mod verdict;

pub(super) use authority::{Mood, RemoteAuthority, Terms as AuthorityTerms, signer};
pub(super) use disk::{HostFiles, Sabotaged};
pub(super) use mailbox::Mailbox;
pub(super) use served::{HostTls, Served};
pub(super) use verdict::Verdict;

use bytes::Bytes;

use crate::ports::{HttpRequest, HttpResponse};

/// The servers that connectors call.
pub(super) struct World {
    pub(super) authority: RemoteAuthority,
    pub(super) mailbox: Mailbox,
}

impl World {
    /// Answers a request as the server of that host does.
    pub(super) async fn serve(&self, request: &HttpRequest) -> HttpResponse {
        match request.url.host_str() {
            Some(RemoteAuthority::HOST) => self.authority.serve(request).await,
            Some(Mailbox::HOST) => self.mailbox.serve(request),
            _ => answer(404, "nobody lives here"),
        }
    }
}

fn answer(status: u16, body: impl Into<Bytes>) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: body.into() }
}
