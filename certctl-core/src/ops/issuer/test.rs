//! Trying an issuer out.

use async_trait::async_trait;
use serde_json::json;

use crate::connector::ConnectorError;
use crate::domain::{AuditAction, IssuerId, IssuerRecord, Timestamp};
use crate::engine::Engine;
use crate::error::Error;
use crate::ops::{Access, ConnectionTest, Context, Operation};

/// Builds an issuer as it is configured, tries it out without an order where its kind can be, and stores how that ended.
#[derive(Clone, Debug)]
pub struct Test {
    /// Which.
    pub id: IssuerId,
}

#[async_trait]
impl Operation for Test {
    type Output = ConnectionTest;
    const NAME: &'static str = "issuer.test";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<ConnectionTest, Error> {
        // Pinned: when the issuer is changed while somebody is asked, the answer is not about what is stored then.
        let found = cx.unit.get::<IssuerRecord>(self.id.as_str()).await?;
        let mut issuer = found.ok_or_else(|| Error::not_found("issuer", &self.id))?;
        let tried = tried(cx.engine, &issuer, cx.now()).await;
        let test = ConnectionTest::of(tried.map_err(|error| error.explained()));
        (issuer.test_status, issuer.last_tested_at) = (test.status(), Some(cx.now()));
        cx.unit.update(issuer);
        let action = if test.passed { AuditAction::IssuerTestPassed } else { AuditAction::IssuerTestFailed };
        cx.audit(action, ("issuer", self.id.as_str()), json!({ "message": test.message }));
        Ok(test)
    }
}

/// Tries an issuer of its own, so that nothing which the one at work remembers makes it look better.
async fn tried(engine: &Engine, issuer: &IssuerRecord, now: Timestamp) -> Result<String, ConnectorError> {
    let config = engine.issuer_config(issuer).map_err(|error| ConnectorError::permanent(error.to_string()))?;
    let fresh = engine.build_issuer(issuer.id.as_str(), &issuer.kind, &config)?;
    match fresh.test_connection() {
        Some(role) => role.test(now).await,
        None => Ok(format!(
            "the configuration can be used; {} cannot be tried out without an order, so the first order shows the rest",
            issuer.kind
        )),
    }
}
