# A certificate from its order with the defaults to the archive: filtered, sorted, paged, changed, issued, renewed.
. "$(dirname "$0")/lib.sh"

order() {
    jq --null-input --compact-output --arg name "$1" --arg stage "$2" \
        '{name: $name, common_name: ($name + ".lab.example"), environment: $stage, owner_id: "o-default",
          team_id: "team-default", issuer_id: "iss-local", renewal_policy_id: "rp-default"}'
}

call POST /api/v1/agents '{"id":"agent-shop","name":"shop","hostname":"shop.lab.example"}'
expect 201
call POST /api/v1/certificates "$(order shop production | jq --compact-output '. + {agent_id: "agent-shop"}')"
expect 201
is .status Pending
has 'has("expires_at") and .expires_at == null and .sans == [] and .target_ids == [] and .tags == {}'
shop=$(jq --raw-output .id "$body")
call POST /api/v1/certificates "$(order shop production)"
problem 409
call POST /api/v1/certificates '{"name":"half"}'
problem 400
call POST /api/v1/certificates "$(order blog staging | jq --compact-output '. + {id: "mc-blog", serial_number: "ignored", sans: ["blog.lab.example", "www.blog.lab.example"]}')"
expect 201
is .id mc-blog
is '.sans | length' 2

call GET '/api/v1/certificates?environment=staging'
expect 200
is .total 1
is '.data[0].id' mc-blog
call GET '/api/v1/certificates?sort=name'
expect 200
is '.data | map(.name) | join(" ")' 'blog shop'
call GET '/api/v1/certificates?sort=-name&fields=id,name'
expect 200
is '.data | map(.name) | join(" ")' 'shop blog'
is '.data[0] | keys | join(" ")' 'id name'
call GET '/api/v1/certificates?per_page=9999'
expect 200
is .per_page 50
call GET '/api/v1/certificates?sort=horoscope'
problem 400
call GET '/api/v1/certificates?page_size=1'
expect 200
next=$(jq --raw-output '.next_cursor | @uri' "$body")
call GET "/api/v1/certificates?page_size=1&cursor=$next"
expect 200
is '.data | length' 1

# Issued for the request of its agent.
key=$(mktemp)
request=$(openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$key" -subj /CN=shop.lab.example 2>/dev/null)
rm -f "$key"
call POST /api/v1/agents/agent-shop/csr \
    "$(jq --null-input --arg pem "$request" --arg id "$shop" '{csr_pem: $pem, certificate_id: $id}')"
expect 202
is .status csr_signed
call GET "/api/v1/agents/agent-shop/certificates/$shop"
expect 200
has '.certificate_pem | startswith("-----BEGIN CERTIFICATE-----")'
call GET "/api/v1/certificates/$shop"
is .status Active
has '.expires_at | test("Z$")'
call GET "/api/v1/certificates/$shop/versions"
expect 200
is .total 1
has '.data[0].serial_number | test("^([0-9a-f]{2})+$")'
call GET "/api/v1/certificates/$shop/deployments"
expect 200
has '.data == []'

# An export is the certificate and never a key.
call GET "/api/v1/certificates/$shop/export/pem"
expect 200
has '(.full_pem | startswith("-----BEGIN CERTIFICATE-----")) and (.full_pem | contains("PRIVATE KEY") | not)'
call POST "/api/v1/certificates/$shop/export/pkcs12" '{"password":"changeit"}'
expect 200
grep -qi '^content-type: application/x-pkcs12' "$headers" || fail 'no PKCS#12'
call GET /api/v1/certificates/mc-blog/export/pem
problem 404

call POST "/api/v1/certificates/$shop/renew" '{"force":false}'
expect 202
is .status renewal_triggered
has '.job_id | length > 0'
renewal=$(jq --raw-output .job_id "$body")
call POST "/api/v1/certificates/$shop/renew"
problem 409
call GET "/api/v1/jobs?certificate_id=$shop"
expect 200
is '.data[0].id' "$renewal"
call POST "/api/v1/jobs/$renewal/cancel" '{}'
expect 200
is .status job_cancelled
call POST "/api/v1/jobs/$renewal/cancel"
problem 409

call PUT "/api/v1/certificates/$shop" '{"tags":{"tier":"1"},"id":"another","created_at":"2001-01-01T00:00:00Z"}'
expect 200
is .id "$shop"
is .tags.tier 1
has '.created_at > "2020"'

call DELETE "/api/v1/certificates/$shop"
expect 204
call GET /api/v1/certificates
is '.data | map(.id) | join(" ")' mc-blog
call GET '/api/v1/certificates?status=Archived'
is '.data | map(.id) | join(" ")' "$shop"
call POST "/api/v1/certificates/$shop/renew"
problem 400
call GET /api/v1/certificates/mc-none
problem 404

# What was issued elsewhere is only registered.
call POST /api/v1/certificates "$(order imported imported | jq --compact-output '. + {status: "Active", serial_number: "0f"}')"
expect 201
call GET "/api/v1/jobs?certificate_id=$(jq --raw-output .id "$body")"
is .total 0
