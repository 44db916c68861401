"""AWS Lambda: invokes a function (spec: triggers 7)."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta
from typing import Annotated, Any

import structlog
from pydantic import Field

from tiphys.errors import TriggerError
from tiphys.manifests.common import Parameter, SecretRef, TriggerConfig, go_default
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, trigger
from tiphys.triggers._shared import aws, payload
from tiphys.triggers._shared.clients import ClientCache, digest
from tiphys.triggers._shared.secrets import retrieving

SHOWN = 256  # characters of a function's result that are kept for people
MARGIN = timedelta(minutes=5)  # before the credentials of a role expire

log = structlog.get_logger("argo-events.sensor")


class Config(TriggerConfig):
    """Options of the awsLambda trigger."""

    function_name: str = Field("", description="Name or ARN of the function.")
    region: str = Field("", description="Region of the function.", examples=["eu-central-1"])
    access_key: SecretRef | None = Field(
        None, description="Secret with the access key; without it the environment's credentials."
    )
    secret_key: SecretRef | None = Field(None, description="Secret with the secret access key.")
    role_arn: str = Field(
        "",
        alias="roleARN",
        description="Role to assume, with the environment's credentials; the keys are ignored.",
    )
    invocation_type: Annotated[str, go_default("RequestResponse")] = Field(
        "RequestResponse",
        description="`RequestResponse` waits for the result, `Event` does not, `DryRun` only asks.",
    )
    payload: list[Parameter] | None = Field(
        None, description="Values that make up the event of the function."
    )


@trigger("awsLambda", log_name="Lambda")
class AWSLambda(Trigger[Config]):
    """Keeps a client per region and credentials."""

    has_status = True

    async def start(self, ctx: TriggerContext) -> None:
        """Prepare the clients, which are closed with the sensor."""
        await super().start(ctx)
        self._clients = await ctx.enter(ClientCache[Any]())
        self._roles: dict[tuple[str, str], dict[str, Any]] = {}
        self._lock = asyncio.Lock()

    async def fire(self, firing: Firing[Config]) -> Outcome:
        """Invoke the function; the status policy sees 200, 202 or 204."""
        config = firing.config
        event = payload.required(config.payload, firing.payload)
        with aws.failures(f"failed to invoke function {config.function_name}"):
            client = await self._client(config)
            answer = await client.invoke(
                FunctionName=config.function_name,
                InvocationType=config.invocation_type,
                Payload=event,
            )
            async with answer["Payload"] as stream:
                result = (await stream.read()).decode(errors="replace")[:SHOWN]
        if problem := answer.get("FunctionError"):
            result = f"the function failed ({problem}): {result}"
            log.warning(
                "The function raised an error, which counts as a success",
                sensorName=firing.sensor,
                triggerName=firing.trigger,
                triggerType=self.log_name,
                functionName=config.function_name,
                error=problem,
            )
        return Outcome(status=answer["StatusCode"], detail=result)

    @classmethod
    def check(cls, config: Config) -> list[str]:
        """What Argo Events refuses."""
        problems = []
        if not config.function_name:
            problems.append("function name is not specified")
        if not config.region:
            problems.append("region in not specified")
        if config.payload is None:
            problems.append("payload parameters are not specified")
        return problems

    async def _client(self, config: Config) -> Any:
        credentials: dict[str, str] = {}
        if config.role_arn:
            credentials = await self._role(config)
            key = credentials["aws_access_key_id"]
        else:
            with retrieving("access key or secret key"):
                key = await digest(self.ctx, config.access_key, config.secret_key)
                credentials = await self._keys(config)

        async def opened() -> contextlib.AbstractAsyncContextManager[Any]:
            return aws.opened("lambda", config.region, credentials)

        return await self._clients.get((config.region, key, bool(credentials)), opened)

    async def _keys(self, config: Config) -> dict[str, str]:
        """The arguments of a client that stand for static credentials."""
        if config.access_key is None and config.secret_key is None:
            return {}
        if config.access_key is None or config.secret_key is None:
            raise TriggerError("accessKey and secretKey must come together", retryable=False)
        return {
            "aws_access_key_id": (await self.ctx.secret(config.access_key)).strip(),
            "aws_secret_access_key": (await self.ctx.secret(config.secret_key)).strip(),
        }

    async def _role(self, config: Config) -> dict[str, str]:
        """Credentials of the role, asked for anew shortly before they expire."""
        key = (config.role_arn, config.region)
        async with self._lock:
            known = self._roles.get(key)
            if known is None or self.ctx.clock.now() > _expiry(known) - MARGIN:
                async with aws.opened("sts", config.region, {}) as client:
                    answer = await client.assume_role(
                        RoleArn=config.role_arn, RoleSessionName=f"tiphys-{self.ctx.sensor}"[:64]
                    )
                known = self._roles[key] = answer["Credentials"]
        return {
            "aws_access_key_id": known["AccessKeyId"],
            "aws_secret_access_key": known["SecretAccessKey"],
            "aws_session_token": known["SessionToken"],
        }


def _expiry(credentials: dict[str, Any]) -> datetime:
    expiry: datetime = credentials["Expiration"]
    return expiry
