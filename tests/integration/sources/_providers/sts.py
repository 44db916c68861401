"""The query API of AWS as far as it takes to assume a role, and to see who subscribes with it."""

from __future__ import annotations

from typing import Self

from aiohttp import web

ACCESS, TOKEN = "ASIAIOSFODNN7EXAMPLE", "a-token-of-the-role"
ASSUMED = f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleResult><Credentials>
    <AccessKeyId>{ACCESS}</AccessKeyId>
    <SecretAccessKey>wJalrXUtnFEMI</SecretAccessKey>
    <SessionToken>{TOKEN}</SessionToken>
    <Expiration>{{expiration}}</Expiration>
  </Credentials></AssumeRoleResult>
</AssumeRoleResponse>"""
SUBSCRIBED = """<SubscribeResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">
  <SubscribeResult><SubscriptionArn>pending confirmation</SubscriptionArn></SubscribeResult>
</SubscribeResponse>"""


class RoleServer:
    """
    Answers ``AssumeRole`` and ``Subscribe``; *calls* has the form and credential of each.

    Credentials of the role are good until *expiration*.
    """

    def __init__(self, expiration: str = "2040-01-01T00:00:00Z") -> None:
        self.calls: list[tuple[dict[str, str], str, str]] = []
        self.expiration = expiration
        app = web.Application()
        app.router.add_post("/", self._answer)
        self._runner = web.AppRunner(app, access_log=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        signed = request.headers["Authorization"].partition("Credential=")[2].partition("/")[0]
        self.calls.append((form, signed, request.headers.get("X-Amz-Security-Token", "")))
        assumes = form["Action"] == "AssumeRole"
        text = ASSUMED.format(expiration=self.expiration) if assumes else SUBSCRIBED
        return web.Response(text=text, content_type="text/xml")
