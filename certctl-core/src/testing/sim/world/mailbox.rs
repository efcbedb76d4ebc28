//! A mailbox: it remembers every notice that it took.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::answer;
use crate::ports::{HttpRequest, HttpResponse};

/// Takes notices while it is not full.
#[derive(Debug, Default)]
pub(in super::super) struct Mailbox {
    full: AtomicBool,
    /// The planted defect: it says that it has them.
    vanishing: bool,
    received: Mutex<BTreeMap<String, u32>>,
}

impl Mailbox {
    pub(in super::super) const HOST: &'static str = "mail.sim";

    pub(in super::super) fn new(vanishing: bool) -> Self {
        Self { vanishing, ..Self::default() }
    }

    pub(in super::super) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// How often a notice arrived.
    pub(in super::super) fn received(&self, notice: &str) -> u32 {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).get(notice).copied().unwrap_or(0)
    }

    pub(super) fn serve(&self, request: &HttpRequest) -> HttpResponse {
        if self.full.load(Ordering::SeqCst) {
            return answer(503, "the mailbox is full");
        }
        let notice = request.url.path().trim_start_matches('/').to_owned();
        if !(self.vanishing && notice.bytes().last().is_some_and(|byte| byte % 8 == 0)) {
            *self.received.lock().unwrap_or_else(PoisonError::into_inner).entry(notice).or_default() += 1;
        }
        answer(200, "")
    }
}
