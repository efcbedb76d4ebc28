# What dashboards read: health, who am I, statistics, metrics, the audit trail.
. "$(dirname "$0")/lib.sh"

call GET /health
is .status healthy
call GET /api/v1/health
is .status healthy
call GET /ready
is .status ready
call GET /api/v1/auth/info
is .required true
call GET /api/v1/auth/check
is .status authenticated
is .admin true

call POST /api/v1/certificates '{"id":"mc-seen","name":"seen","common_name":"seen.lab.example","owner_id":"o-default","team_id":"team-default","issuer_id":"iss-local","renewal_policy_id":"rp-default"}'
expect 201

call GET /api/v1/stats/summary
expect 200
is .total_certificates 1
has '.data.total_certificates == .total_certificates and (.notifications_dead | type) == "number"'
call GET /api/v1/stats/certificates-by-status
has '(type == "array") and (.[0] | has("status") and has("count"))'
call GET '/api/v1/stats/expiration-timeline?days=7'
is length 7
has '.[0] | has("date") and has("count")'
call GET '/api/v1/stats/job-trends?days=7'
is length 7
has '.[0] | has("completed_count") and has("failed_count") and has("success_rate")'
call GET '/api/v1/stats/issuance-rate?days=9999'
is length 30
call GET /api/v1/metrics
has '.uptime_seconds >= 0 and .uptime.uptime_seconds == .uptime_seconds and .gauge.certificate_total == 1 and (.counter | has("job_completed_total"))'
call GET /api/v1/metrics/prometheus
expect 200
grep -qi '^content-type: text/plain; version=0.0.4' "$headers" || fail 'not the format of Prometheus'
grep -q '^certctl_certificate_total 1$' "$body" || fail 'no count of certificates'

call GET '/api/v1/audit?resource_type=certificate&resource_id=mc-seen'
expect 200
is .total 1
is '.data[0].action' certificate_created
event=$(jq --raw-output '.data[0].id' "$body")
call GET "/api/v1/audit/$event"
expect 200
is .resource_id mc-seen
for method in PUT DELETE; do
    call "$method" "/api/v1/audit/$event" '{}'
    problem 405
done

call GET /api/v1/none
problem 404
CERTCTL_API_KEY=wrong call GET /api/v1/certificates
problem 401
grep -qi '^www-authenticate: Bearer' "$headers" || fail 'no challenge'
