# CAs from elsewhere are registered with their keys, and the status of every CA is told by the one above it: root, policy CA,
# issuing CA and leaf, judged by OpenSSL with all lists and by OCSP, before and after a CA is revoked.
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work" "$body" "$headers"' EXIT

# Runs openssl, and says what it said where it fails.
ssl() {
    asked="openssl $1"
    openssl "$@" >"$work/said" 2>&1 || { status='' && cp "$work/said" "$body" && fail "it failed"; }
}

key() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$1" 2>/dev/null
}

# below NAME ABOVE PATHLEN: a CA that ABOVE signs, outside of the server.
below() {
    key "$work/$1.key"
    ssl req -new -key "$work/$1.key" -out "$work/$1.csr" -subj "/CN=Flow $1 CA"
    printf '%s\n' "basicConstraints=critical,CA:TRUE,pathlen:$3" 'keyUsage=critical,keyCertSign,cRLSign' \
        'subjectKeyIdentifier=hash' 'authorityKeyIdentifier=keyid' >"$work/$1.ext"
    ssl x509 -req -in "$work/$1.csr" -CA "$work/$2.pem" -CAkey "$work/$2.key" -CAcreateserial -days 1825 \
        -extfile "$work/$1.ext" -out "$work/$1.pem"
}

# register NAME KEYNAME MEMBERS: registers a CA with a key, or with none where KEYNAME is empty.
register() {
    local pem=''
    [ -z "$2" ] || pem=$(cat "$work/$2.key")
    call POST /api/v1/issuers/iss-local/intermediates "$(jq --null-input --arg name "$1" --arg key "$pem" \
        --rawfile certificate "$work/$1.pem" \
        '{id: ("ica-" + $name), name: $name, certificate_pem: $certificate}
         + (if $key == "" then {} else {private_key_pem: $key} end)')"
}

# fetch NAME: the list of a CA, without a key.
fetch() {
    asked="GET crl/ica-$1"
    status=$(curl --silent --show-error --max-time 30 --output "$work/list.der" --write-out '%{http_code}' \
        "$CERTCTL_SERVER_URL/.well-known/pki/crl/ica-$1")
    [ "$status" = 200 ] || fail 'no list'
    ssl crl -inform DER -in "$work/list.der" -out "$work/$1.crl"
    ssl crl -in "$work/$1.crl" -CAfile "$work/$1.pem" -noout
    grep -q 'verify OK' "$work/said" || fail "the list is not its CA's: $(cat "$work/said")"
}

lists() {
    for name in root policy issuing; do
        fetch $name
    done
    cat "$work/root.crl" "$work/policy.crl" "$work/issuing.crl" >"$work/lists.pem"
}

# valid: whether OpenSSL takes the leaf, with the lists of all CAs above it.
valid() {
    openssl verify -x509_strict -crl_check_all -CRLfile "$work/lists.pem" -CAfile "$work/root.pem" \
        -untrusted <(cat "$work/policy.pem" "$work/issuing.pem") "$work/leaf.pem" >"$work/said" 2>&1
}

# status NAME ABOVE STATUS: what the responder says of a certificate.
status_is() {
    ssl ocsp -issuer "$work/$2.pem" -cert "$work/$1.pem" -url "$CERTCTL_SERVER_URL/.well-known/pki/ocsp/$4" \
        -CAfile "$work/root.pem" -verify_other <(cat "$work/policy.pem" "$work/issuing.pem") -no_nonce
    grep -q "^$work/$1.pem: $3" "$work/said" || fail "$1 is not $3: $(cat "$work/said")"
}

key "$work/root.key"
ssl req -x509 -new -key "$work/root.key" -out "$work/root.pem" -days 3650 -subj '/CN=Flow Root' \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
below policy root 1

# What does not belong together, or does not lead to a root, is not registered.
register policy policy
problem 400
is '.errors[0].code' incomplete_chain
register root policy
problem 400
is '.errors[0].code' other_key
register root root
expect 201
is .has_key true
has 'has("path_length") | not'
register policy policy
expect 201
is .parent_id ica-root
is .path_length 1
call POST /api/v1/issuers/iss-local/intermediates '{"id":"ica-issuing","name":"issuing","parent_id":"ica-policy","validity_days":365}'
expect 201
jq --raw-output .certificate_pem "$body" >"$work/issuing.pem"

call PUT /api/v1/issuers/iss-local '{"config":{"signing_ca":"ica-issuing"}}'
expect 200
call POST /api/v1/certificates '{"id":"mc-leaf","name":"leaf","common_name":"leaf.lab.example","owner_id":"o-default","team_id":"team-default","issuer_id":"iss-local","renewal_policy_id":"rp-default"}'
expect 201
key "$work/leaf.key"
request=$(openssl req -new -key "$work/leaf.key" -subj "/CN=leaf.lab.example" 2>/dev/null)
call POST /api/v1/certificates/mc-leaf/csr "$(jq --null-input --arg pem "$request" '{csr_pem: $pem}')"
expect 202
call GET /api/v1/certificates/mc-leaf/export/pem
expect 200
jq --raw-output .cert_pem "$body" >"$work/leaf.pem"

lists
valid || fail "a good path is refused: $(cat "$work/said")"
status_is leaf issuing good ica-issuing
status_is leaf issuing good iss-local
status_is issuing policy good ica-policy
status_is policy root good iss-local

# Retired, it signs nothing new, and what it signed is as good as before.
call PUT /api/v1/issuers/iss-local '{"config":{}}'
expect 200
call POST /api/v1/intermediates/ica-issuing/retire
expect 200
is .state retiring
lists
valid || fail "what a retiring CA signed is refused: $(cat "$work/said")"
status_is issuing policy good iss-local

# Revoked, the list of the CA above it says so within a minute, and its responder at once.
call POST /api/v1/intermediates/ica-issuing/revoke '{"reason":"cessationOfOperation"}'
expect 200
is .state retired
is .revocation_reason cessationOfOperation
status_is issuing policy revoked iss-local
status_is policy root good iss-local
serial=$(openssl x509 -in "$work/issuing.pem" -noout -serial | sed 's/.*=//')
for _ in $(seq 60); do
    lists
    ! openssl crl -in "$work/policy.crl" -noout -text | grep -q "Serial Number: $serial" || break
    sleep 1
done
! valid || fail 'a path through a revoked CA is taken'
grep -q 'certificate revoked' "$work/said" || fail "it is refused for another reason: $(cat "$work/said")"
grep -q 'at 1 depth' "$work/said" || fail "another certificate is revoked: $(cat "$work/said")"

# Nobody here speaks for what stands above a root.
call POST /api/v1/intermediates/ica-root/revoke
problem 409
