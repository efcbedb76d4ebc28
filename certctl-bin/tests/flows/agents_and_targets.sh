# Agents, what they deploy to, groups of them, and how one is retired.
. "$(dirname "$0")/lib.sh"

call POST /api/v1/agents '{"id":"agent-edge","name":"edge","hostname":"edge.lab.example","os":"linux","architecture":"amd64","ip_address":"192.0.2.7","version":"1.0.0"}'
expect 201
is .id agent-edge
has 'has("api_key_hash") | not'
call POST /api/v1/agents '{"name":"edge","hostname":"other"}'
problem 409
call POST /api/v1/agents '{"name":"no host"}'
problem 400

call POST /api/v1/targets '{"id":"tgt-front","name":"front","type":"NGINX","agent_id":"agent-edge","config":{"cert_path":"/etc/nginx/tls/front.crt","key_path":"/etc/nginx/tls/front.key"}}'
expect 201
call POST /api/v1/targets '{"name":"homeless","type":"NGINX","config":{}}'
problem 400
call POST /api/v1/targets '{"name":"odd","type":"NGNIX","agent_id":"agent-edge","config":{}}'
problem 400
call PUT /api/v1/targets/tgt-front '{"name":"front door"}'
expect 200
is .name 'front door'
is .agent_id agent-edge
call POST /api/v1/targets/tgt-front/test
expect 200
has '.status == "success" or .status == "failed"'
call POST /api/v1/targets/tgt-none/test
problem 404

call POST /api/v1/issuers/iss-local/test
expect 200
is .status connection_successful
call POST /api/v1/issuers/iss-none/test
problem 404

call POST /api/v1/agent-groups '{"id":"grp-lab","name":"Lab","match_os":"linux","match_ip_cidr":"192.0.2.0/24"}'
expect 201
call GET /api/v1/agent-groups/grp-lab/members
expect 200
is '.data | map(.id) | join(" ")' agent-edge
call POST /api/v1/agent-groups '{"name":"Nowhere","match_ip_cidr":"192.0.2.0/40"}'
problem 400
call PUT /api/v1/agent-groups/grp-lab '{"match_ip_cidr":"198.51.100.0/24"}'
expect 200
call GET /api/v1/agent-groups/grp-lab/members
has '.data == []'
call GET /api/v1/agent-groups/grp-none/members
problem 404
call DELETE /api/v1/agent-groups/grp-lab
expect 204

# Retirement: refused, refused with counts, forced without a reason, forced, said again.
call DELETE /api/v1/agents/server-scanner
problem 403
call DELETE /api/v1/agents/agent-none
problem 404
call DELETE /api/v1/agents/agent-edge
problem 409
is .error blocked_by_dependencies
is .counts.active_targets 1
call DELETE '/api/v1/agents/agent-edge?force=true'
problem 400
call DELETE '/api/v1/agents/agent-edge?force=true&reason=old'
expect 200
has '.cascade == true and .already_retired == false and .counts.active_targets == 1'
call DELETE '/api/v1/agents/agent-edge?force=true&reason=old'
expect 204
call GET /api/v1/agents
is '.data | map(.id) | join(" ") | contains("agent-edge")' false
call GET /api/v1/agents/retired
is '.data | map(.id) | join(" ")' agent-edge
call POST /api/v1/agents/agent-edge/heartbeat '{}'
problem 410
