"""Azure Event Hubs: sends the payload to a hub (spec: triggers 13)."""

from __future__ import annotations

from azure.eventhub import EventData
from azure.eventhub.aio import EventHubProducerClient, EventHubSharedKeyCredential
from azure.eventhub.exceptions import AuthenticationError, EventDataError, EventHubError
from pydantic import Field

from tiphys.errors import TriggerError
from tiphys.manifests.common import EXTENSION, Parameter, SecretRef, TriggerConfig
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, trigger
from tiphys.triggers._shared import payload
from tiphys.triggers._shared.azure import Pool
from tiphys.triggers._shared.clients import ClientCache, digest
from tiphys.triggers._shared.secrets import retrieving

SEND = 10  # seconds for the service to say that it has the event, connecting included
_REFUSALS = ("not-found", "unauthorized-access", "not-allowed", "message-size-exceeded")


class Config(TriggerConfig):
    """Options of the azureEventHubs trigger."""

    fqdn: str = Field(
        "",
        description="Host of the namespace.",
        examples=["builds.servicebus.windows.net"],
    )
    hub_name: str = Field("", description="The event hub.")
    shared_access_key_name: SecretRef | None = Field(
        None, description="Secret that holds the name of the shared access key."
    )
    shared_access_key: SecretRef | None = Field(
        None, description="Secret that holds the shared access key."
    )
    payload: list[Parameter] | None = Field(None, description="Values that make up the event.")
    use_development_emulator: bool = Field(
        False,
        description="Speak to an emulator, in plain text (extension).",
        json_schema_extra=EXTENSION,
    )


@trigger("azureEventHubs", log_name="AzureEventHubs")
class AzureEventHubs(Trigger[Config]):
    """Sends over connections that are kept open between firings."""

    async def start(self, ctx: TriggerContext) -> None:
        """Prepare the connections, which are closed with the sensor."""
        await super().start(ctx)
        self._hubs = await ctx.enter(ClientCache[Pool[EventHubProducerClient]]())

    async def fire(self, firing: Firing[Config]) -> Outcome:
        """Send one event, and wait for the service to accept it."""
        config = firing.config
        event = EventData(payload.required(config.payload, firing.payload))
        event.message_id = firing.action_id
        failed = f"failed to send an event to the hub {config.hub_name!r}"
        pool = await self._pool(config)
        try:
            async with pool.client(SEND) as client:
                await client.send_event(event)
        except TimeoutError as error:
            raise TriggerError(f"{failed}: no answer within {SEND} s") from error
        except EventHubError as error:
            raise TriggerError(f"{failed}: {_text(error)}", retryable=not _final(error)) from error
        except (OSError, ValueError) as error:
            raise TriggerError(
                f"{failed}: {error}", retryable=isinstance(error, OSError)
            ) from error
        return Outcome(detail=f"sent to {config.hub_name}")

    @classmethod
    def check(cls, config: Config) -> list[str]:
        """What cannot work, found before the sensor runs."""
        required = {
            "fqdn": config.fqdn,
            "hubName": config.hub_name,
            "sharedAccessKeyName": config.shared_access_key_name,
            "sharedAccessKey": config.shared_access_key,
        }
        problems = [f"{name} is not specified" for name, value in required.items() if not value]
        if config.payload is None:
            problems.append("payload parameters are not specified")
        return problems

    async def _pool(self, config: Config) -> Pool[EventHubProducerClient]:
        name, key = config.shared_access_key_name, config.shared_access_key
        with retrieving("shared access key"):
            secrets = await digest(self.ctx, name, key)
            settings = config.fqdn, config.hub_name, config.use_development_emulator, secrets

            async def opened() -> Pool[EventHubProducerClient]:
                given = [await self.ctx.secret(ref) if ref else "" for ref in (name, key)]
                credential = EventHubSharedKeyCredential(*given)
                return Pool(lambda: _client(config, credential))

            return await self._hubs.get(settings, opened)


def _client(config: Config, credential: EventHubSharedKeyCredential) -> EventHubProducerClient:
    return EventHubProducerClient(
        config.fqdn,
        config.hub_name,
        credential,
        # One more attempt, at once, because the service ends connections that are idle; all
        # further ones are the retry strategy's.
        retry_total=1,
        retry_backoff_factor=0,
        auth_timeout=SEND,
        use_tls=not config.use_development_emulator,
    )


def _final(error: EventHubError) -> bool:
    """Whether the service will say the same again."""
    if isinstance(error, AuthenticationError | EventDataError):
        return True
    return any(word in str(error.error) for word in _REFUSALS)


def _text(error: EventHubError) -> str:
    return error.message.partition("\n")[0]
