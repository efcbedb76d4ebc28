# Revocation lists: fetched without a key, and obeyed by OpenSSL, also those of a CA below another one.
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work" "$body" "$headers"' EXIT

# Runs openssl, and says what it said where it fails.
ssl() {
    asked="openssl $1"
    openssl "$@" >"$work/said" 2>&1 || { status='' && cp "$work/said" "$body" && fail "it failed"; }
}

# fetch ISSUER FILE: as relying parties do, without a key; the list goes to the file, as PEM.
fetch() {
    asked="GET crl/$1"
    status=$(curl --silent --show-error --max-time 30 --output "$work/list.der" --dump-header "$headers" --write-out '%{http_code}' \
        "$CERTCTL_SERVER_URL/.well-known/pki/crl/$1")
    [ "$status" = 200 ] || fail 'no list'
    grep -qi '^content-type: application/pkix-crl' "$headers" || fail 'no list by its type'
    ssl crl -inform DER -in "$work/list.der" -out "$2"
}

# number FILE
number() {
    openssl crl -in "$1" -noout -crlnumber | sed 's/.*=//; s/^0x//'
}

key() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$1" 2>/dev/null
}

# A root, a CA below it, and issuers of both.
key "$work/root.key"
ssl req -x509 -new -key "$work/root.key" -out "$work/root.pem" -days 3650 -subj '/CN=Flow Root' \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
key "$work/sub.key"
ssl req -new -key "$work/sub.key" -out "$work/sub.csr" -subj '/CN=Flow Sub CA'
printf '%s\n' 'basicConstraints=critical,CA:TRUE,pathlen:0' 'keyUsage=critical,keyCertSign,cRLSign' \
    'subjectKeyIdentifier=hash' 'authorityKeyIdentifier=keyid' >"$work/sub.ext"
ssl x509 -req -in "$work/sub.csr" -CA "$work/root.pem" -CAkey "$work/root.key" -CAcreateserial -days 1825 \
    -extfile "$work/sub.ext" -out "$work/sub.pem"
cat "$work/sub.pem" "$work/root.pem" >"$work/chain.pem"
for name in root sub; do
    chain="$work/chain.pem"
    [ "$name" = sub ] || chain="$work/root.pem"
    call POST /api/v1/issuers "$(jq --null-input --arg name "iss-$name" --rawfile chain "$chain" --rawfile key "$work/$name.key" \
        '{id: $name, name: $name, type: "GenericCA", config: {ca_cert_pem: $chain, ca_key_pem: $key}}')"
    expect 201
done

# Two certificates of the lower one.
for name in good bad; do
    call POST /api/v1/certificates "$(jq --null-input --arg name "$name" \
        '{id: ("mc-" + $name), name: $name, common_name: ($name + ".lab.example"), owner_id: "o-default",
          team_id: "team-default", issuer_id: "iss-sub", renewal_policy_id: "rp-default"}')"
    expect 201
    key "$work/leaf.key"
    request=$(openssl req -new -key "$work/leaf.key" -subj "/CN=$name.lab.example" 2>/dev/null)
    call POST "/api/v1/certificates/mc-$name/csr" "$(jq --null-input --arg pem "$request" '{csr_pem: $pem}')"
    expect 202
    call GET "/api/v1/certificates/mc-$name/export/pem"
    expect 200
    jq --raw-output .cert_pem "$body" >"$work/$name.pem"
done

# valid NAME: whether OpenSSL takes it, with the lists of all CAs above it.
valid() {
    openssl verify -x509_strict -crl_check_all -CRLfile "$work/lists.pem" -CAfile "$work/root.pem" -untrusted "$work/sub.pem" \
        "$work/$1.pem" >"$work/said" 2>&1
}

fetch iss-root "$work/root.crl"
fetch iss-sub "$work/sub.crl"
for name in root sub; do
    ssl crl -in "$work/$name.crl" -CAfile "$work/$name.pem" -noout
    grep -q 'verify OK' "$work/said" || fail "the list of $name is not its CA's: $(cat "$work/said")"
done
cat "$work/root.crl" "$work/sub.crl" >"$work/lists.pem"
valid good || fail "a good one is refused: $(cat "$work/said")"
valid bad || fail "one that is still good is refused: $(cat "$work/said")"
before=$(number "$work/sub.crl")

# Revoked, it is listed within a minute, which is what relying parties are promised.
call POST /api/v1/certificates/mc-bad/revoke '{"reason":"keyCompromise"}'
expect 200
for _ in $(seq 60); do
    fetch iss-sub "$work/sub.crl"
    [ "$(number "$work/sub.crl")" = "$before" ] || break
    sleep 1
done
serial=$(openssl x509 -in "$work/bad.pem" -noout -serial | sed 's/.*=//')
openssl crl -in "$work/sub.crl" -noout -text >"$work/text"
grep -q "Serial Number: $serial" "$work/text" || fail 'it is not listed'
grep -q 'Key Compromise' "$work/text" || fail 'the reason is not listed'
[ $((16#$(number "$work/sub.crl"))) -gt $((16#$before)) ] || fail 'the number did not grow'
cat "$work/root.crl" "$work/sub.crl" >"$work/lists.pem"
valid good || fail "a good one is refused: $(cat "$work/said")"
! valid bad || fail 'a revoked one is taken'
grep -q 'certificate revoked' "$work/said" || fail "it is refused for another reason: $(cat "$work/said")"

# What a cache has it need not fetch again; where there is no list, nothing is made up.
tag=$(sed -n 's/^etag: *//Ip' "$headers" | tr -d '\r')
asked='GET crl/iss-sub, unchanged'
status=$(curl --silent --output "$body" --write-out '%{http_code}' --header "If-None-Match: $tag" \
    "$CERTCTL_SERVER_URL/.well-known/pki/crl/iss-sub")
[ "$status" = 304 ] || fail 'not 304'
call GET /.well-known/pki/crl/nobody
expect 404
curl --silent --output "$work/ca.der" "$CERTCTL_SERVER_URL/.well-known/pki/ca/iss-sub"
ssl x509 -inform DER -in "$work/ca.der" -out "$work/ca.pem"
cmp -s "$work/ca.pem" <(openssl x509 -in "$work/sub.pem") || fail 'it is not the certificate of the CA'
call GET /api/v1/admin/crl/cache
expect 200
is '[.data[] | select(.issuer_id == "iss-sub") | .revoked_count] | first' 1
