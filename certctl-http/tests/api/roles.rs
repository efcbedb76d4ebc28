//! Every route × everybody who may call it. What is expected is written here by group, from requirements D2, and shares
//! nothing with the table of the code.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use certctl_core::domain::Timestamp;
use certctl_http::openapi;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::digest::with_digest;
use crate::world::{ADMIN, AUDITOR, OPERATOR, VIEWER, World, csr};

/// Who may, by requirements D2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Everybody, without a key.
    Anybody,
    /// Whoever has a key: it says something about that key alone.
    AnyKey,
    /// Viewers, operators, administrators: reading.
    Readers,
    /// Operators and administrators.
    Operators,
    /// Administrators alone.
    Administrators,
    /// Auditors and administrators: the audit trail.
    Auditors,
    /// An agent for itself, and administrators in its place. Other agents find nothing.
    TheAgent,
}

/// Every operation by its id. A route without a row fails the test: give it one in the group where D2 puts it.
/// Rows of the contract that have no route yet do no harm.
const EXPECTED: &[(Who, &[&str])] = &[
    (Who::Anybody, &["getHealth", "getApiHealth", "getReady", "getOpenApi", "getAuthInfo", "bootstrapAuth"]),
    (Who::Anybody, &["getVersion", "getDERCRL", "getDeltaCRL", "getShardCRL", "getCACertificate"]),
    (Who::Administrators, &["getCrlCache"]),
    (Who::Administrators, &["listEstProfiles", "reloadEstTrust", "bulkRevokeEstCertificates", "listScepProfiles"]),
    (Who::Anybody, &["handleOCSP", "answerOCSP"]),
    (Who::Anybody, &["estCACerts", "estCSRAttrs", "estSimpleEnroll", "estSimpleReEnroll", "estServerKeygen"]),
    (Who::Anybody, &["scepGet", "scepPost", "scepProfileGet", "scepProfilePost"]),
    (Who::AnyKey, &["checkAuth", "getMe"]),
    // Certificates, jobs.
    (
        Who::Readers,
        &[
            "explainCertificate",
            "listCertificates",
            "getCertificate",
            "listCertificateVersions",
            "getCertificateDeployments",
        ],
    ),
    (Who::Readers, &["listLoops", "listJobs", "getJob", "getJobVerification"]),
    (Who::Readers, &["listHealthChecks", "getHealthCheck", "getHealthCheckSummary", "getHealthCheckHistory"]),
    (Who::Operators, &["createHealthCheck", "updateHealthCheck", "deleteHealthCheck"]),
    (Who::Operators, &["acknowledgeHealthCheckIncident"]),
    (Who::Operators, &["createCertificate", "updateCertificate", "archiveCertificate", "submitCertificateCsr"]),
    (
        Who::Operators,
        &["acceptCertificateShape", "triggerRenewal", "triggerDeployment", "revokeCertificate", "importCertificates"],
    ),
    (Who::Operators, &["exportCertificatePEM", "exportCertificatePKCS12", "exportCertificateJKS"]),
    (Who::Operators, &["cancelJob", "approveJob", "rejectJob"]),
    (Who::Operators, &["bulkRenewCertificates", "bulkReassignCertificates"]),
    (Who::Administrators, &["bulkRevokeCertificates", "releaseCertificate"]),
    // Issuers, targets, agents.
    (Who::Readers, &["listIssuers", "getIssuer", "listTargets", "getTarget", "listIssuerTypes", "listTargetTypes"]),
    (Who::Readers, &["listIntermediates", "getIntermediate"]),
    (Who::Administrators, &["createIntermediate", "retireIntermediate", "revokeIntermediate"]),
    (Who::Administrators, &["createIssuer", "updateIssuer", "deleteIssuer", "testIssuerConnection"]),
    (Who::Operators, &["createTarget", "updateTarget", "deleteTarget", "testTargetConnection"]),
    (Who::Readers, &["listAgents", "getAgent", "listRetiredAgents"]),
    (Who::Operators, &["registerAgent", "createEnrolToken"]),
    (Who::Administrators, &["retireAgent"]),
    (Who::Operators, &["createScepChallenge"]),
    (Who::TheAgent, &["agentHeartbeat", "agentGetWork", "agentSubmitCSR", "agentPickupCertificate"]),
    (Who::TheAgent, &["agentReportJobStatus", "verifyDeployment", "submitDiscoveryReport"]),
    // Discovery.
    (Who::Readers, &["listDiscoveredCertificates", "getDiscoveredCertificate", "listDiscoveryScans"]),
    (Who::Readers, &["getDiscoverySummary", "listNetworkScanTargets", "getNetworkScanTarget"]),
    (Who::Operators, &["claimDiscoveredCertificate", "dismissDiscoveredCertificate", "triggerNetworkScan"]),
    (Who::Operators, &["createNetworkScanTarget", "updateNetworkScanTarget", "deleteNetworkScanTarget"]),
    // People and rules.
    (Who::Readers, &["listTeams", "getTeam", "listOwners", "getOwner"]),
    (Who::Operators, &["createTeam", "updateTeam", "deleteTeam", "createOwner", "updateOwner", "deleteOwner"]),
    (Who::Readers, &["listAgentGroups", "getAgentGroup", "listAgentGroupMembers"]),
    (Who::Operators, &["createAgentGroup", "updateAgentGroup", "deleteAgentGroup"]),
    (Who::Readers, &["listProfiles", "getProfile", "listRenewalPolicies", "getRenewalPolicy"]),
    (Who::Readers, &["listPolicies", "getPolicy", "listPolicyViolations"]),
    (Who::Administrators, &["createProfile", "updateProfile", "deleteProfile"]),
    (Who::Administrators, &["createRenewalPolicy", "updateRenewalPolicy", "deleteRenewalPolicy"]),
    (Who::Administrators, &["createPolicy", "updatePolicy", "deletePolicy"]),
    // Keys, audit.
    (
        Who::Administrators,
        &["listApiKeys", "createApiKey", "getApiKey", "updateApiKey", "deleteApiKey", "rotateApiKey"],
    ),
    (Who::Administrators, &["listAcmeEabCredentials", "createAcmeEabCredential", "deleteAcmeEabCredential"]),
    (Who::Auditors, &["listAuditEvents", "getAuditEvent", "exportAuditEvents", "verifyAudit"]),
    // Insight.
    (Who::Readers, &["getEvents"]),
    (Who::Readers, &["getDashboardSummary", "getCertificatesByStatus", "getExpirationTimeline", "getJobTrends"]),
    (Who::Readers, &["getIssuanceRate", "getMetrics", "getPrometheusMetrics"]),
    (Who::Readers, &["listNotifications", "getNotification"]),
    (Who::Operators, &["markNotificationAsRead", "requeueNotification"]),
    (Who::Readers, &["previewDigest"]),
    (Who::Operators, &["sendDigest"]),
];

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Nobody,
    Wrong,
    Viewer,
    Operator,
    Auditor,
    AgentA,
    AgentB,
    Expired,
    Disabled,
    Admin,
}

const CALLERS: [Caller; 10] = [
    Caller::Nobody,
    Caller::Wrong,
    Caller::Viewer,
    Caller::Operator,
    Caller::Auditor,
    Caller::AgentA,
    Caller::AgentB,
    Caller::Expired,
    Caller::Disabled,
    Caller::Admin,
];

/// What an answer comes to, as far as access is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// 401.
    WhoAreYou,
    /// 403.
    YouMayNot,
    /// 404: nothing that this caller may see.
    NothingHere,
    /// Anything that the operation itself says.
    LetIn,
}

fn expected(who: Who, caller: Caller) -> Verdict {
    use Caller::{Admin, AgentA, AgentB, Auditor, Disabled, Expired, Nobody, Operator, Viewer, Wrong};
    if who == Who::Anybody {
        return Verdict::LetIn;
    }
    if matches!(caller, Nobody | Wrong | Expired | Disabled) {
        return Verdict::WhoAreYou;
    }
    let may = match who {
        Who::Anybody | Who::AnyKey => true,
        Who::Readers => matches!(caller, Viewer | Operator | Admin),
        Who::Operators => matches!(caller, Operator | Admin),
        Who::Administrators => caller == Admin,
        Who::Auditors => matches!(caller, Auditor | Admin),
        Who::TheAgent if caller == AgentB => return Verdict::NothingHere,
        Who::TheAgent => matches!(caller, AgentA | Admin),
    };
    if may { Verdict::LetIn } else { Verdict::YouMayNot }
}

fn who(id: &str) -> Who {
    let groups: Vec<Who> = EXPECTED.iter().filter(|(_, ids)| ids.contains(&id)).map(|(who, _)| *who).collect();
    match groups.as_slice() {
        [who] => *who,
        [] => panic!("{id} has no row in EXPECTED: give it one, in the group where requirements D2 puts it"),
        _ => panic!("{id} has several rows in EXPECTED"),
    }
}

/// A world with agent A, which has a job, agent B, and keys that are good no more.
struct Stage {
    world: World,
    a: String,
    b: String,
    expired: String,
    disabled: String,
    job: String,
}

impl Stage {
    async fn new() -> Self {
        // So that the digest's routes have something to answer.
        let world = World::built(with_digest).await;
        let a = world.agent("edge-a").await;
        let b = world.agent("edge-b").await;
        world.target("tgt-a", "edge-a").await;
        world.certificate("mc-a", json!({ "target_ids": ["tgt-a"] })).await;
        let request = json!({ "csr_pem": csr("mc-a", 1).await, "certificate_id": "mc-a" });
        world.call(Method::POST, "/api/v1/agents/edge-a/csr", &a, Some(request)).await.expect(202);
        let work = world.call(Method::GET, "/api/v1/agents/edge-a/work", &a, None).await.expect(200);
        let job = work["jobs"][0]["id"].as_str().unwrap().to_owned();
        let key = async |name: &str, more: Value| {
            let mut request = json!({ "name": name, "role": "admin" });
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            world.post("/api/v1/auth/keys", request).await.expect(201)
        };
        let made = world.get("/api/v1/auth/keys").await.expect(200)["data"][0]["created_at"].clone();
        let ends = Timestamp::parse_rfc3339(made.as_str().unwrap()).unwrap() + Duration::from_secs(60);
        let expired = key("ended", json!({ "expires_at": ends })).await["key"].as_str().unwrap().to_owned();
        let disabled = key("disabled", json!({})).await;
        let path = format!("/api/v1/auth/keys/{}", disabled["id"].as_str().unwrap());
        let disabled = disabled["key"].as_str().unwrap().to_owned();
        for good in [&expired, &disabled] {
            world.call(Method::GET, "/api/v1/auth/me", good, None).await.expect(200);
        }
        world.put(&path, json!({ "disabled": true })).await.expect(200);
        world.fakes.clock.advance(Duration::from_secs(61));
        Self { world, a, b, expired, disabled, job }
    }

    fn key(&self, caller: Caller) -> &str {
        match caller {
            Caller::Nobody => "",
            Caller::Wrong => "no-such-key",
            Caller::Viewer => VIEWER,
            Caller::Operator => OPERATOR,
            Caller::Auditor => AUDITOR,
            Caller::AgentA => &self.a,
            Caller::AgentB => &self.b,
            Caller::Expired => &self.expired,
            Caller::Disabled => &self.disabled,
            Caller::Admin => ADMIN,
        }
    }

    /// Agents' own routes are asked about agent A and its job; others about something that is not there, so that
    /// nothing is lost on the way.
    fn path(&self, path: &str, who: Who) -> String {
        let own = who == Who::TheAgent;
        let id = if path.contains("/jobs/{id}") { self.job.as_str() } else { "edge-a" };
        path.replace("{id}", if own { id } else { "none" })
            .replace("{job_id}", if own { &self.job } else { "none" })
            .replace("{cert_id}", if own { "mc-a" } else { "none" })
            .replace("{issuer_id}", "none")
            .replace("{shard}", "0")
            .replace("{serial}", "01")
    }

    /// The verdict, and what was answered. What is let in is not read to the end: some answers have none.
    async fn ask(&self, method: &Method, path: &str, caller: Caller) -> (Verdict, String) {
        let mut request = Request::builder().method(method.clone()).uri(path);
        if !self.key(caller).is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.key(caller)));
        }
        // Every route can read this much, so that only the caller decides.
        let body = json!({
            "name": "", "hostname": "", "token": "guess", "certificate_id": "mc-a", "csr_pem": "none",
            "status": "Failed", "error": "none", "target_id": "tgt-a", "verified": false,
            "expected_fingerprint": "", "actual_fingerprint": "",
        });
        let body = body.to_string();
        let body = if method == Method::GET { Body::empty() } else { Body::from(body) };
        let response = self.world.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        assert!(status != 405 && status < 500, "{method} {path} by {caller:?}: {status}");
        if status < 400 {
            return (Verdict::LetIn, status.to_string());
        }
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let verdict = match status {
            401 => Verdict::WhoAreYou,
            403 => Verdict::YouMayNot,
            404 => Verdict::NothingHere,
            _ => Verdict::LetIn,
        };
        // Protocols for machines have errors of their own.
        (verdict, String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Every operation: its id, method and path.
fn operations() -> Vec<(String, Method, String)> {
    let document = serde_json::to_value(openapi::document()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (verb, operation) in item.as_object().unwrap() {
            let Some(id) = operation["operationId"].as_str() else { continue };
            operations.push((id.to_owned(), verb.to_uppercase().parse().unwrap(), path.clone()));
        }
    }
    operations
}

#[tokio::test]
async fn everybody_reaches_their_routes_and_no_others() {
    let stage = Stage::new().await;
    let operations = operations();
    assert!(operations.len() > 50);
    for (id, method, path) in operations {
        let who = who(&id);
        let path = stage.path(&path, who);
        for caller in CALLERS {
            let wanted = expected(who, caller);
            let (verdict, answer) = stage.ask(&method, &path, caller).await;
            let met = match wanted {
                // A path that names nothing is answered 404, by whoever may ask; the agent's own names something.
                Verdict::LetIn => {
                    verdict == Verdict::LetIn || (verdict == Verdict::NothingHere && who != Who::TheAgent)
                        // The door of the first administrator and of those who enrol asks for another proof.
                        || (verdict == Verdict::WhoAreYou && id == "bootstrapAuth")
                }
                wanted => verdict == wanted,
            };
            assert!(met, "{id}: {method} {path} by {caller:?}: {wanted:?} was expected, not {verdict:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn what_somebody_may_is_what_they_are_told() {
    let stage = Stage::new().await;
    for caller in [Caller::Viewer, Caller::Operator, Caller::Auditor, Caller::AgentA, Caller::Admin] {
        let me = stage.world.call(Method::GET, "/api/v1/auth/me", stage.key(caller), None).await.expect(200);
        let told: Vec<&str> = me["operations"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        for (id, ..) in operations() {
            let may = expected(who(&id), caller) == Verdict::LetIn;
            assert_eq!(told.contains(&id.as_str()), may, "{id} by {caller:?}");
        }
    }
}

#[tokio::test]
async fn what_needs_no_key_is_answered_without_one() {
    let world = World::new().await;
    for path in ["/health", "/ready", "/api/v1/health", "/api/v1/auth/info", "/api/v1/openapi.json", "/api/v1/version"]
    {
        world.call(Method::GET, path, "", None).await.expect(200);
        world.call(Method::GET, path, "wrong", None).await.expect(200);
    }
}
