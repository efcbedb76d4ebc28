//! What the CA certifies, gives out and revokes.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{AcmeOrder, BASE, Done, State, problem};
use crate::domain::{ExtendedKeyUsage, KeyAlgorithm, Serial, Timestamp, pem};
use crate::pki::certificate::{self, Authority, LeafRequest};
use crate::pki::csr;
use crate::ports::{Clock, Keys};
use crate::testing::{ScriptedHttp, TestKeys, block_on};

const LIFETIME: Duration = Duration::from_hours(24 * 90);

impl State {
    pub(super) fn finalize(&mut self, number: usize, account: usize, payload: &Value) -> Done {
        let gone = || (404, problem("malformed", "no such order"));
        let waits = self.mood.processing;
        let order = self.orders.get_mut(number).filter(|order| order.account == account).ok_or_else(gone)?;
        if order.status != "ready" {
            return Err((403, problem("orderNotReady", "it is not ready")));
        }
        let der = URL_SAFE_NO_PAD.decode(payload["csr"].as_str().unwrap_or_default()).unwrap();
        let request = csr::parse_der(&der).map_err(|error| (400, problem("badCSR", &error.to_string())))?;
        let identifiers: BTreeSet<String> = order.payload["identifiers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|identifier| identifier["value"].as_str().unwrap().to_owned())
            .collect();
        if identifiers != request.names().san_texts().into_iter().collect() {
            return Err((400, problem("badCSR", "other names than ordered")));
        }
        order.finalized += 1;
        (order.status, order.waits) = ("processing", waits);
        let now = self.clock.now().floor_to_second();
        let longest = now + LIFETIME - Duration::from_secs(1);
        let asked = order.payload["notAfter"].as_str().map(|text| Timestamp::parse_rfc3339(text).unwrap());
        let mut spki = request.spki().to_vec();
        if self.mood.wrong_key {
            spki =
                block_on(TestKeys.generate(KeyAlgorithm::EcdsaP256, &self.rng)).unwrap().signer.public_key().to_vec();
        }
        let mut names = request.names().clone();
        if let Some(wrong) = &self.mood.wrong_names {
            names = crate::domain::SubjectNames::new("", wrong).unwrap();
        }
        let leaf = LeafRequest {
            names,
            spki,
            serial: Serial::random(&self.rng),
            not_before: now,
            not_after: asked.unwrap_or(longest).min(longest),
            extended_key_usages: BTreeSet::from([ExtendedKeyUsage::ServerAuth]),
            must_staple: false,
            policies: Vec::new(),
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
        };
        let authority = Authority::from_certificate(&self.intermediate).unwrap();
        let leaf = block_on(certificate::leaf(&leaf, &authority).unwrap().sign(&*self.key.signer)).unwrap();
        order.chain = Some(vec![leaf, self.intermediate.clone()]);
        if waits == 0 {
            order.status = "valid";
        }
        Ok(ScriptedHttp::json(200, &self.shown(number)))
    }

    pub(super) fn certificate(&self, number: usize, alternate: bool) -> Done {
        let chain = self.orders.get(number).and_then(|order| order.chain.clone());
        let mut chain = chain.ok_or_else(|| (404, problem("malformed", "no such certificate")))?;
        if alternate {
            chain.last_mut().unwrap().clone_from(&self.crossed);
        }
        let text: String = chain.iter().map(|der| pem::encode("CERTIFICATE", der)).collect();
        let mut response = ScriptedHttp::response(200, text);
        response.headers.push(("link".to_owned(), format!("<{BASE}/directory>;rel=\"index\"")));
        if !alternate {
            let link = format!("</cert/{number}/alternate>;rel=\"alternate\"");
            response.headers.push(("link".to_owned(), link));
        }
        Ok(response)
    }

    pub(super) fn revoke(&mut self, payload: &Value) -> Done {
        let certificate = URL_SAFE_NO_PAD.decode(payload["certificate"].as_str().unwrap()).unwrap();
        let reason = payload["reason"].as_u64();
        if reason.is_some_and(|reason| self.mood.refused_reasons.contains(&reason)) {
            return Err((400, problem("badRevocationReason", "not that one")));
        }
        let is_ours = |order: &AcmeOrder| order.chain.as_ref().is_some_and(|chain| chain.first() == Some(&certificate));
        if !self.orders.iter().any(is_ours) {
            return Err((404, problem("malformed", "no certificate of mine")));
        }
        if self.revoked.contains_key(&certificate) {
            return Err((400, problem("alreadyRevoked", "it is revoked already")));
        }
        self.revoked.insert(certificate, reason.unwrap_or_default());
        Ok(ScriptedHttp::response(200, ""))
    }
}
