# Root, policy CA, issuing CA, leaf: made over the API, judged by OpenSSL, and retired from below.
. "$(dirname "$0")/lib.sh"

folder=$(mktemp -d)
trap 'rm -rf "$body" "$headers" "$folder"' EXIT

call POST /api/v1/issuers/iss-local/intermediates '{"id":"ica-policy","name":"Policy CA","organization":"Lab","country":"DE","path_length":1,"name_constraints":{"permitted":{"dns":["lab.example"],"ip":["10.0.0.0/8"]}}}'
expect 201
is .state active
is .issuer_id iss-local
has 'has("parent_id") | not'
is .subject 'CN=Policy CA,O=Lab,C=DE'
call POST /api/v1/issuers/iss-local/intermediates '{"id":"ica-issuing","name":"Issuing CA","parent_id":"ica-policy","key_algorithm":"ECDSA-P384","validity_days":365,"name_constraints":{"permitted":{"dns":["shop.lab.example"]},"excluded":{"dns":["old.shop.lab.example"]}}}'
expect 201
is .parent_id ica-policy
jq --raw-output .chain_pem "$body" >"$folder/above.pem"

# Only what stands above can be narrowed.
call POST /api/v1/issuers/iss-local/intermediates '{"name":"wider","parent_id":"ica-policy","name_constraints":{"permitted":{"dns":["example"]}}}'
problem 400
call POST /api/v1/issuers/iss-local/intermediates '{"name":"longer","parent_id":"ica-policy","validity_days":3000}'
problem 400
call POST /api/v1/issuers/iss-local/intermediates '{"name":"deeper","parent_id":"ica-policy","path_length":1}'
problem 400
call POST /api/v1/issuers/iss-local/intermediates '{"name":"too deep","parent_id":"ica-issuing"}'
problem 400

call PUT /api/v1/issuers/iss-local '{"config":{"signing_ca":"ica-issuing"}}'
expect 200
call POST /api/v1/issuers/iss-local/test
expect 200

call POST /api/v1/agents '{"id":"agent-shop","name":"shop","hostname":"shop.lab.example"}'
expect 201
# issue ID NAME: orders a certificate for the name and has it signed.
issue() {
    call POST /api/v1/certificates "{\"id\":\"$1\",\"name\":\"$1\",\"common_name\":\"$2\",\"owner_id\":\"o-default\",\"team_id\":\"team-default\",\"issuer_id\":\"iss-local\",\"renewal_policy_id\":\"rp-default\",\"agent_id\":\"agent-shop\"}"
    expect 201
    request=$(openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$folder/key.pem" -subj "/CN=$2" 2>/dev/null)
    call POST /api/v1/agents/agent-shop/csr \
        "$(jq --null-input --arg pem "$request" --arg id "$1" '{csr_pem: $pem, certificate_id: $id}')"
}
issue mc-inside a.shop.lab.example
expect 202
call GET /api/v1/agents/agent-shop/certificates/mc-inside
expect 200
jq --raw-output .certificate_pem "$body" >"$folder/chain.pem"

# The chain is leaf, issuing CA, policy CA, root.
(cd "$folder" && csplit --quiet --elide-empty-files --prefix=part- chain.pem '/-----BEGIN CERTIFICATE-----/' '{*}')
parts=("$folder"/part-*)
[ ${#parts[@]} = 4 ] || fail "a chain of ${#parts[@]}"
cat "${parts[1]}" "${parts[2]}" >"$folder/untrusted.pem"
openssl verify -x509_strict -CAfile "${parts[3]}" -untrusted "$folder/untrusted.pem" -verify_hostname a.shop.lab.example \
    "${parts[0]}" >&2
cmp --silent <(cat "${parts[1]}" "${parts[2]}" "${parts[3]}" | grep -v '^$') <(grep -v '^$' "$folder/above.pem") ||
    fail 'another chain than the one of the CA'
openssl x509 -in "${parts[1]}" -noout -text | grep -q 'DNS:shop.lab.example' || fail 'no name constraints'

# Names outside are not signed, and nothing is issued for them.
for name in b.lab.example x.old.shop.lab.example; do
    id=mc-${name%%.*}
    issue "$id" "$name"
    problem 422
    call GET "/api/v1/certificates/$id/versions"
    is .total 0
done

# Retired from below, and not while the issuer signs with it.
call POST /api/v1/intermediates/ica-issuing/retire
problem 409
call PUT /api/v1/issuers/iss-local '{"config":{}}'
expect 200
call POST /api/v1/intermediates/ica-policy/retire
problem 409
for state in retiring retired; do
    call POST /api/v1/intermediates/ica-issuing/retire
    expect 200
    is .state $state
done
call POST /api/v1/intermediates/ica-issuing/retire
problem 409
call POST /api/v1/intermediates/ica-policy/retire
expect 200
is .state retiring
call PUT /api/v1/issuers/iss-local '{"config":{"signing_ca":"ica-issuing"}}'
expect 200
call POST /api/v1/issuers/iss-local/test
problem 422
call GET /api/v1/issuers/iss-local/intermediates
expect 200
is '.data | map(.id) | join(" ")' 'ica-issuing ica-policy'
