# What every flow uses: `call` asks the server with curl, `expect` and `is` look at the answer.
# CERTCTL_SERVER_URL and CERTCTL_API_KEY say where and as whom. Needs curl and jq.
set -euo pipefail

body=$(mktemp)
headers=$(mktemp)
trap 'rm -f "$body" "$headers"' EXIT

# call METHOD PATH [JSON]: the status goes to $status, the body to the file $body, the headers to the file $headers.
call() {
    asked="$1 $2"
    local data=()
    [ $# -lt 3 ] || data=(--header 'Content-Type: application/json' --data "$3")
    status=$(curl --silent --show-error --max-time 30 --output "$body" --dump-header "$headers" --write-out '%{http_code}' \
        --request "$1" --header "Authorization: Bearer $CERTCTL_API_KEY" "${data[@]}" "$CERTCTL_SERVER_URL$2")
}

fail() {
    echo "$asked: $*" >&2
    echo "answer: $status $(head -c 2000 "$body")" >&2
    exit 1
}

# expect STATUS
expect() {
    [ "$status" = "$1" ] || fail "expected $1"
}

# is FILTER VALUE: what the jq filter gives, as text.
is() {
    local found
    found=$(jq --raw-output "$1" "$body") || fail "no JSON"
    [ "$found" = "$2" ] || fail "$1 is \`$found\`, expected \`$2\`"
}

# has FILTER: the jq filter gives true.
has() {
    jq --exit-status "$1" "$body" >/dev/null || fail "$1 does not hold"
}

# problem STATUS: a problem document with everything that clients of the predecessor look at.
problem() {
    expect "$1"
    grep -qi '^content-type: application/problem+json' "$headers" || fail 'no problem document'
    has '(.error | length > 0) and (.message | length > 0) and (.code | length > 0) and (.request_id | length > 0)'
}
