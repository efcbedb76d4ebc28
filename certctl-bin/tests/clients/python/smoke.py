"""One real call and one refusal, by a client that openapi-python-client made."""

import os
import ssl

from generated.api.teams import create_team, get_team
from generated.client import AuthenticatedClient
from generated.models import CreateTeamRequest, ErrorResponse, Team

client = AuthenticatedClient(
    base_url=os.environ["CERTCTL_SERVER_URL"],
    token=os.environ["CERTCTL_API_KEY"],
    verify_ssl=ssl.create_default_context(cafile=os.environ["CERTCTL_SERVER_CA_BUNDLE_PATH"]),
)
made = create_team.sync(client=client, body=CreateTeamRequest(id="team-python", name="Python"))
assert isinstance(made, Team), made
found = get_team.sync("team-python", client=client)
assert isinstance(found, Team) and found.name == "Python", found
problem = get_team.sync("team-none", client=client)
assert isinstance(problem, ErrorResponse) and problem.code == "not_found", problem
print("the client works")
