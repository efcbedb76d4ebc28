//! Asking the programs.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use certctl_core::connector::{
    ConnectorContext, ConnectorError, ConnectorErrorKind, Issuance, IssueOrder, IssuePace, Issuer, IssuerCapabilities,
    OrderState, RevokedCertificate, Revoker,
};
use certctl_core::domain::{KeyFamily, SanKind};
use certctl_core::ports::{CommandError, CommandOutput, CommandSpec, Commands};

use super::config::ScriptTerms;
use crate::issuer::fits;

/// Asks programs.
pub(super) struct ScriptIssuer {
    terms: ScriptTerms,
    commands: Arc<dyn Commands>,
}

/// The state of an order whose program is about to run.
const STATE: &[u8] = b"sign_script";
/// A chain of the longest kind, and room for what `openssl` writes between its certificates.
const LONGEST_ANSWER: usize = 512 << 10;
/// What is repeated of what a program complains, in characters.
const COMPLAINT: usize = 300;
/// `EX_NOPERM` of sysexits.h: the program refuses, now and later.
const REFUSES: i32 = 77;

impl ScriptIssuer {
    pub(super) fn new(terms: ScriptTerms, cx: &ConnectorContext) -> Self {
        Self { terms, commands: Arc::clone(&cx.ports.commands) }
    }

    async fn run(
        &self,
        argv: Vec<String>,
        stdin: String,
        variables: Vec<(&str, String)>,
    ) -> Result<CommandOutput, ConnectorError> {
        let program = argv.first().cloned().unwrap_or_default();
        let environment = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let stdin = stdin.into_bytes();
        let (timeout, max_output) = (self.terms.timeout, LONGEST_ANSWER + 1);
        let output = self.commands.run(&CommandSpec { argv, timeout, max_output, stdin, environment }).await;
        let output = output.map_err(not_run)?;
        let complaint: String = output.stderr.trim().chars().take(COMPLAINT).collect();
        match output.code {
            Some(0) => Ok(output),
            Some(REFUSES) => {
                let why = format!("{program} refuses: {complaint}");
                Err(ConnectorError::new(ConnectorErrorKind::Policy, why))
            }
            Some(code) => Err(ConnectorError::transient(format!("{program} failed with {code}: {complaint}"))),
            None => Err(ConnectorError::transient(format!("{program} was ended by a signal: {complaint}"))),
        }
    }

    async fn sign(&self, order: &IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        let lifetime = order.terms.lifetime.map(|lifetime| lifetime.as_secs().to_string()).unwrap_or_default();
        let usages: Vec<&str> = order.terms.ekus.iter().map(|usage| usage.name()).collect();
        let replaces = order.replaces.map(|replaced| replaced.serial.to_string()).unwrap_or_default();
        let variables = vec![
            ("CERTCTL_ORDER", order.idempotency_key.to_owned()),
            ("CERTCTL_NAMES", order.names.san_texts().join(",")),
            ("CERTCTL_LIFETIME_SECONDS", lifetime),
            ("CERTCTL_EXTENDED_KEY_USAGES", usages.join(",")),
            ("CERTCTL_MUST_STAPLE", order.terms.must_staple.to_string()),
            ("CERTCTL_REPLACES", replaces),
        ];
        let output = self.run(self.terms.sign.clone(), order.csr.to_pem(), variables).await?;
        if output.stdout.len() > LONGEST_ANSWER {
            let why =
                format!("the program wrote more than {LONGEST_ANSWER} octets; it may write the chain and nothing else");
            return Err(ConnectorError::permanent(why));
        }
        fits::chain("the program", order, output.stdout.as_bytes()).map(Issuance::Issued)
    }
}

#[async_trait]
impl Issuer for ScriptIssuer {
    fn capabilities(&self) -> IssuerCapabilities {
        IssuerCapabilities {
            san_kinds: SanKind::ALL.iter().copied().collect(),
            key_families: KeyFamily::ALL.iter().copied().collect(),
            // The program decides; it is told what is wanted, and what it makes is compared with that.
            ekus: BTreeSet::new(),
            max_lifetime: None,
            wildcards: true,
            pace: IssuePace::Deferred,
        }
    }

    async fn issue(&self, _order: IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        Ok(Issuance::Pending {
            state: OrderState(STATE.to_vec()),
            serial: None,
            retry_after: std::time::Duration::ZERO,
        })
    }

    async fn resume(&self, order: IssueOrder<'_>, state: &OrderState) -> Result<Issuance, ConnectorError> {
        if state.0 != STATE {
            return Err(ConnectorError::permanent("the order's state is not of a CA behind a program").begin_anew());
        }
        self.sign(&order).await
    }

    fn revoker(&self) -> Option<&dyn Revoker> {
        self.terms.revoke.is_some().then_some(self as &dyn Revoker)
    }
}

#[async_trait]
impl Revoker for ScriptIssuer {
    /// The certificate on standard input; the serial number in hexadecimal and the reason as the last two arguments.
    async fn revoke(&self, revoked: RevokedCertificate<'_>) -> Result<(), ConnectorError> {
        let Some(mut argv) = self.terms.revoke.clone() else {
            return Err(ConnectorError::permanent("no program is configured that revokes"));
        };
        argv.extend([revoked.serial.to_string(), revoked.reason.name().to_owned()]);
        let moment = revoked.revoked_at.to_rfc3339();
        self.run(argv, revoked.chain.leaf_pem(), vec![("CERTCTL_REVOKED_AT", moment)]).await.map(drop)
    }
}

impl std::fmt::Debug for ScriptIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Arguments may hold what nobody should read in a log.
        f.debug_struct("ScriptIssuer").field("sign", &self.terms.sign.first()).finish_non_exhaustive()
    }
}

fn not_run(error: CommandError) -> ConnectorError {
    let kind = match error {
        CommandError::Timeout { .. } => ConnectorErrorKind::Transient,
        _ => ConnectorErrorKind::Permanent,
    };
    ConnectorError::new(kind, "the program of the CA did not run").because(error)
}
