# Who answers for certificates, and by which rules: team, owner, profile, policy, from creation to deletion.
. "$(dirname "$0")/lib.sh"

call POST /api/v1/teams '{"id":"team-web","name":"Web","description":"Front doors"}'
expect 201
is .id team-web
call POST /api/v1/teams '{"name":"Web"}'
problem 409
call POST /api/v1/teams '{"name":""}'
problem 400
call PUT /api/v1/teams/team-web '{"description":"Front doors and lobbies"}'
expect 200
is .name Web
is .description 'Front doors and lobbies'

call POST /api/v1/owners '{"id":"o-web","name":"Web on call","email":"web@example.com","team_id":"team-web"}'
expect 201
call POST /api/v1/owners '{"name":"Nobody","email":"nobody@example.com","team_id":"team-none"}'
problem 400
call PUT /api/v1/owners/o-web '{"email":"oncall@example.com"}'
expect 200
is .email oncall@example.com
is .team_id team-web
call GET '/api/v1/owners?per_page=1'
expect 200
has '(.data | length) == 1 and .total >= 2 and .page == 1 and .per_page == 1'

call POST /api/v1/profiles '{"id":"prof-web","name":"Web servers","allowed_key_algorithms":[{"algorithm":"ECDSA","min_size":256}],"max_ttl_seconds":2592000,"allowed_ekus":["serverAuth"]}'
expect 201
is '.allowed_ekus | join(",")' serverAuth
call POST /api/v1/profiles '{"name":"Weak","allowed_key_algorithms":[{"algorithm":"RSA","min_size":1024}]}'
problem 400
call PUT /api/v1/profiles/prof-web '{"max_ttl_seconds":3600}'
expect 200
is .max_ttl_seconds 3600
is .name 'Web servers'

call GET /api/v1/renewal-policies
expect 200
has '.data | map(.id) | index("rp-default") != null'

call POST /api/v1/policies '{"id":"pr-stages","name":"Known stages","type":"AllowedEnvironments","config":{"allowed":["production","staging"]}}'
expect 201
is .severity Warning
is .enabled true
call POST /api/v1/policies '{"name":"Odd","type":"Horoscope","config":{}}'
problem 400
call PUT /api/v1/policies/pr-stages '{"enabled":false}'
expect 200
is .enabled false
is .name 'Known stages'
call GET /api/v1/policies/pr-stages/violations
expect 200
has '.data == []'

# What is in use stays; what is not goes.
call DELETE /api/v1/teams/team-web
problem 409
call DELETE /api/v1/policies/pr-stages
expect 204
call DELETE /api/v1/profiles/prof-web
expect 204
call DELETE /api/v1/owners/o-web
expect 204
call DELETE /api/v1/teams/team-web
expect 204
for gone in policies/pr-stages profiles/prof-web owners/o-web teams/team-web; do
    call GET "/api/v1/$gone"
    problem 404
    call DELETE "/api/v1/$gone"
    problem 404
done
