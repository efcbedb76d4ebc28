//! The typed client and an agent's control plane, against the router.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use certctl_core::agent::{ControlError, ControlPlane, CsrAnswer, HeartbeatReport};
use certctl_core::domain::{CertificateStatus, JobState, Role};
use certctl_core::ops::agent::ReportedStatus;
use certctl_core::ports::{HttpClient, HttpError, HttpOptions, HttpRequest, HttpResponse, Method, Secret};
use certctl_http::client::{Client, ClientError, Listing, RemoteControlPlane, Retirement};
use certctl_http::wire::{CreateApiKey, CreateTeam, Deploy, RejectJob, UpdateApiKey, UpdateCertificate, UpdatePolicy};
use serde_json::json;

use crate::world::{ADMIN, OPERATOR, VIEWER, World, certificate, csr};

/// The router in place of a network.
pub(crate) struct InProcess(pub(crate) World);

#[async_trait]
impl HttpClient for InProcess {
    async fn send(&self, request: HttpRequest, _: &HttpOptions) -> Result<HttpResponse, HttpError> {
        let method = match request.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            other => panic!("{other:?}"),
        };
        let mut call = Request::builder().method(method).uri(request.url.as_str());
        for (name, value) in &request.headers {
            call = call.header(name, value.expose());
        }
        let answer = self.0.send(call.body(Body::from(request.body)).unwrap()).await;
        let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        Ok(HttpResponse { status: answer.status.as_u16(), headers: headers.collect(), body: answer.octets.into() })
    }
}

pub(crate) fn client(http: &Arc<InProcess>, key: &str) -> Client {
    Client::new(Arc::clone(http) as _, "https://certctl.test/".parse().unwrap()).with_key(Secret::new(key))
}

#[tokio::test]
async fn a_client_keeps_keys() {
    let http = Arc::new(InProcess(World::new().await));
    let admin = client(&http, ADMIN);
    let new = CreateApiKey { id: None, name: "ci".into(), role: Role::Viewer, expires_at: None };
    let made = admin.create_key(&new).await.unwrap();
    let replaced = admin.rotate_key(&made.id).await.unwrap();
    let own = client(&http, replaced.key.expose());
    assert_eq!(own.me().await.unwrap().name, "ci");
    let change = UpdateApiKey { disabled: Some(true), ..UpdateApiKey::default() };
    assert!(admin.update_key(&made.id, &change).await.unwrap().disabled);
    assert_eq!(own.me().await.unwrap_err().status(), Some(401));
    assert_eq!(admin.key(&made.id).await.unwrap().role, Role::Viewer);
    assert_eq!(admin.list_keys(&Listing::default()).await.unwrap().envelope.total, Some(6));
    admin.delete_key(&made.id).await.unwrap();
    assert_eq!(admin.key(&made.id).await.unwrap_err().status(), Some(404));
}

#[tokio::test]
async fn a_client_reads_and_writes() {
    let http = Arc::new(InProcess(World::new().await));
    let admin = client(&http, ADMIN);
    assert_eq!(admin.check_auth().await.unwrap().user, "admin");
    let team = admin.create_team(&CreateTeam { name: "T".into(), ..CreateTeam::default() }).await.unwrap();
    assert_eq!(admin.team(&team.id).await.unwrap(), team);
    let teams = admin.list_teams(&Listing::default().per_page(1).page(2)).await.unwrap();
    assert_eq!((teams.data.len(), teams.envelope.total), (1, Some(2)));

    let request = serde_json::from_value(certificate("mc-1", json!({}))).unwrap();
    let made = admin.create_certificate(&request).await.unwrap();
    assert_eq!(admin.summary().await.unwrap().counts.total_certificates, 1);
    assert_eq!(admin.certificates_by_status().await.unwrap()[0].status, CertificateStatus::Pending);
    assert_eq!(admin.expiration_timeline(7).await.unwrap().len(), 7);
    assert_eq!(admin.job_trends(8).await.unwrap().len(), 8);
    assert_eq!(admin.issuance_rate(9).await.unwrap().len(), 9);
    assert_eq!(admin.metrics().await.unwrap().gauge.certificate_total, 1);
    assert!(admin.prometheus_metrics().await.unwrap().contains("certctl_certificate_total 1\n"));
    assert_eq!(admin.version().await.unwrap().version, env!("CARGO_PKG_VERSION"));
    let update = UpdateCertificate { environment: Some("test".into()), ..UpdateCertificate::default() };
    let changed = admin.update_certificate(&made.id, &update).await.unwrap();
    assert_eq!((changed.environment.as_str(), changed.status), ("test", CertificateStatus::Pending));
    let found = admin.list_certificates(&Listing::default().filter("environment", "test")).await.unwrap();
    assert_eq!(found.data, [changed]);
    admin.archive_certificate(&made.id).await.unwrap();
}

#[tokio::test]
async fn rules_and_approvals_have_their_calls() {
    let http = Arc::new(InProcess(World::new().await));
    let (admin, operator) = (client(&http, ADMIN), client(&http, OPERATOR));
    let rule = json!({ "name": "prod", "type": "AllowedEnvironments", "config": { "allowed": ["production"] } });
    let rule = admin.create_policy(&serde_json::from_value(rule).unwrap()).await.unwrap();
    assert_eq!(admin.policy(&rule.id).await.unwrap(), rule);
    let profile = json!({ "id": "prof-careful", "name": "careful", "requires_approval": true });
    admin.create_profile(&serde_json::from_value(profile).unwrap()).await.unwrap();
    for id in ["mc-1", "mc-2"] {
        let request = certificate(id, json!({ "certificate_profile_id": "prof-careful" }));
        operator.create_certificate(&serde_json::from_value(request).unwrap()).await.unwrap();
    }
    let violations = admin.list_policy_violations(&rule.id, &Listing::default()).await.unwrap();
    assert_eq!(violations.data.len(), 2);
    let update = UpdatePolicy { enforce: Some(true), ..UpdatePolicy::default() };
    assert!(admin.update_policy(&rule.id, &update).await.unwrap().enforce);
    let waiting = admin.list_jobs(&Listing::default().filter("status", "AwaitingApproval")).await.unwrap().data;
    assert_eq!(admin.approve_job(&waiting[0].id).await.unwrap().status, "job_approved");
    let reject = RejectJob { reason: Some("no".into()) };
    assert_eq!(admin.reject_job(&waiting[1].id, &reject).await.unwrap().status, "job_rejected");
    assert_eq!(admin.job(&waiting[1].id).await.unwrap().last_error.as_deref(), Some("rejected: no"));
    admin.delete_policy(&rule.id).await.unwrap();
    assert!(admin.list_policies(&Listing::default()).await.unwrap().data.is_empty());
}

#[tokio::test]
async fn refusals_arrive_as_problems() {
    let http = Arc::new(InProcess(World::new().await));
    let viewer = client(&http, VIEWER);
    let refused = viewer.create_team(&CreateTeam::default()).await.unwrap_err();
    assert_eq!((refused.status(), refused.code(), refused.is_retryable()), (Some(403), Some("forbidden"), false));
    let missing = viewer.deploy_certificate(&"none".parse().unwrap(), &Deploy::default()).await.unwrap_err();
    assert_eq!(missing.status(), Some(403));
    assert_eq!(viewer.job(&"none".parse().unwrap()).await.unwrap_err().status(), Some(404));
}

#[tokio::test]
async fn an_agent_works_over_http() {
    let world = World::new().await;
    let credential = world.agent("edge-1").await;
    world.target("tgt-1", "edge-1").await;
    world.certificate("mc-1", json!({ "target_ids": ["tgt-1"] })).await;
    let http = Arc::new(InProcess(world));
    let control = RemoteControlPlane::new(client(&http, &credential), "edge-1".parse().unwrap());

    control.heartbeat(&HeartbeatReport { version: "1".into(), ..HeartbeatReport::default() }).await.unwrap();
    let work = control.work(Duration::ZERO).await.unwrap();
    assert_eq!(work[0].status, JobState::AwaitingCsr);
    let certificate = work[0].certificate_id.clone();
    let answer = control.submit_csr(&certificate, &csr("mc-1", 1).await).await.unwrap();
    assert_eq!(answer, CsrAnswer::Signed);
    let chain = control.pickup(&certificate, None).await.unwrap();
    let work = control.work(Duration::ZERO).await.unwrap();
    assert_eq!(work[0].expected_fingerprint, Some(chain.fingerprint()));
    control.report_status(&work[0].id, ReportedStatus::Completed, None).await.unwrap();
    let too_late = control.report_status(&work[0].id, ReportedStatus::Failed, Some("no")).await.unwrap_err();
    assert!(matches!(too_late, ControlError::Refused(_)), "{too_late:?}");

    let stranger = RemoteControlPlane::new(client(&http, "wrong"), "edge-1".parse().unwrap());
    let refused = stranger.work(Duration::ZERO).await.unwrap_err();
    assert!(matches!(refused, ControlError::Unauthenticated(_)), "{refused:?}");
}

#[tokio::test]
async fn an_agent_is_retired_over_http() {
    let world = World::new().await;
    let credential = world.agent("edge-1").await;
    world.target("tgt-1", "edge-1").await;
    let http = Arc::new(InProcess(world));
    let (admin, id) = (client(&http, ADMIN), "edge-1".parse().unwrap());
    let control = RemoteControlPlane::new(client(&http, &credential), "edge-1".parse().unwrap());
    let blocked = admin.retire_agent(&id, &Retirement::default()).await.unwrap_err();
    assert_eq!((blocked.status(), blocked.code()), (Some(409), Some("blocked_by_dependencies")));
    let ClientError::Refused { problem, .. } = blocked else { panic!("{blocked:?}") };
    assert_eq!(problem.counts.unwrap().active_targets, 1);
    control.work(Duration::ZERO).await.unwrap();

    let retirement = Retirement { force: true, reason: Some("the host is gone & sold".into()) };
    let retired = admin.retire_agent(&id, &retirement).await.unwrap().unwrap();
    assert!(retired.cascade && !retired.already_retired && retired.counts.active_targets == 1);
    assert_eq!(admin.retire_agent(&id, &retirement).await.unwrap(), None);
    let list = admin.list_retired_agents(&Listing::default()).await.unwrap();
    assert_eq!(list.data[0].retired_reason.as_deref(), Some("the host is gone & sold"));
    let told = control.work(Duration::ZERO).await.unwrap_err();
    assert!(matches!(told, ControlError::Retired(_)), "{told:?}");
    let told = control.heartbeat(&HeartbeatReport::default()).await.unwrap_err();
    assert!(matches!(told, ControlError::Retired(_)), "{told:?}");
}
