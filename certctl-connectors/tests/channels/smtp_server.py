"""A mail server (aiosmtpd) that writes down what it takes, read by Python's own mail parser.

smtp_server.py starttls|implicit|plain CERTIFICATE KEY LOG
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

mode, certificate, key, log = sys.argv[1:]


class Recorder:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}
        taken = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "headers": [[name, str(value)] for name, value in message.items()],
            "parts": parts,
            "defects": [str(defect) for part in message.walk() for defect in part.defects],
            "encrypted": mode == "implicit" or session.ssl is not None,
            "user": session.auth_data.login.decode() if session.auth_data else None,
        }
        with open(log, "a", encoding="utf-8") as file:
            file.write(json.dumps(taken) + "\n")
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"certctl", b"s3cret")
    return AuthResult(success=good, handled=False, auth_data=data)


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    def session():
        options = {"hostname": "mail.example", "enable_SMTPUTF8": False}
        if mode == "plain":
            return SMTP(Recorder(), **options)
        options |= {"auth_required": True, "authenticator": authenticate, "auth_require_tls": mode == "starttls"}
        if mode == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        return SMTP(Recorder(), **options)

    wrapped = context if mode == "implicit" else None
    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=wrapped)
    print(server.sockets[0].getsockname()[1], flush=True)
    # It ends with whoever started it.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
