"""Blocks that many sources and triggers share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    model_validator,
)

from tiphys.languages import LanguageError, durations


def go_default(value: Any) -> Any:
    """Treat Go's zero value (0, "", false) as absent, as Argo Events does."""
    return AfterValidator(lambda given: given or value)


def _seconds(value: Any) -> float:
    """Nanoseconds as an integer, or a text in Go's duration grammar, in seconds."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError('a duration is a text such as "1m30s", or an integer of nanoseconds')
    if isinstance(value, int):
        return value / 1e9
    try:
        return durations.parse(value) / 1e9
    except LanguageError as error:
        raise ValueError(f'{error}; a duration is a text such as "1m30s"') from error


def _duration_text(seconds: float) -> str:
    """What :func:`_seconds` reads back."""
    return durations.format(round(seconds * 1e9))


Duration = Annotated[
    float,
    BeforeValidator(_seconds, json_schema_input_type=str | int),
    PlainSerializer(_duration_text, return_type=str, when_used="json"),
]
"""Seconds inside, Go's duration grammar (or integer nanoseconds) in the manifest."""


def _no_number(value: Any) -> Any:
    """Whoever writes `30` means seconds, and would get nanoseconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError("a number has no unit; write a duration such as `30s`")
    return value


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError("must be longer than 0")
    return seconds


Span = Annotated[Duration, BeforeValidator(_no_number, json_schema_input_type=str)]
"""A duration that only a text can give, as in extensions: no manifest has them as numbers yet."""

PositiveSpan = Annotated[Span, AfterValidator(_positive)]
"""A :data:`Span` that is longer than nothing."""


EXTENSION: dict[str, JsonValue] = {"extension": True}
"""Marks a field that Argo Events does not have: ``Field(json_schema_extra=EXTENSION)``."""


def _camel(name: str) -> str:
    """``event_source_name`` → ``eventSourceName``; ``k8s`` stays as it is."""
    head, *tail = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in tail)


class Block(BaseModel):
    """
    A piece of a manifest, camelCase outside and snake_case inside.

    Unknown keys are kept, not refused: the CRDs of Argo Events carry no schema, so manifests
    with typos run today.  :func:`unknown_keys` finds them for whoever reports them.  A key without
    a value counts as absent.
    """

    model_config = ConfigDict(
        alias_generator=_camel, populate_by_name=True, extra="allow", frozen=True, strict=True
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict) or None not in data.values():
            return data
        known = cls.model_fields.keys() | {field.alias for field in cls.model_fields.values()}
        return {key: value for key, value in data.items() if not (value is None and key in known)}


def unknown_keys(block: Block) -> list[str]:
    """The keys of *block* (not of the blocks inside it) that no field has."""
    return sorted(block.model_extra or {})


class KeySelector(Block):
    """A key of a Secret or ConfigMap."""

    name: str = Field("", description="Name of the object.")
    key: str = Field(description="Key in the object.")
    optional: bool = Field(False, description="Accepted for Kubernetes' sake; without effect.")


class SecretRef(KeySelector):
    """A key of a Secret."""


class ConfigMapRef(KeySelector):
    """A key of a ConfigMap."""


class TLS(Block):
    """TLS towards a server (spec: event sources 4.3, triggers 1.5)."""

    insecure_skip_verify: bool = Field(
        False, description="Accept any certificate; every other field is then ignored."
    )
    enabled: bool = Field(False, description="TLS with the system's trusted roots.")
    ca_cert_secret: SecretRef | None = Field(
        None, description="PEM bundle that replaces the system's trusted roots."
    )
    client_cert_secret: SecretRef | None = Field(None, description="Client certificate, PEM.")
    client_key_secret: SecretRef | None = Field(None, description="Client private key, PEM.")


class BasicAuth(Block):
    """A user and a password, from Secrets."""

    username: SecretRef | None = Field(None, description="Secret that holds the user's name.")
    password: SecretRef | None = Field(None, description="Secret that holds the password.")


class NATSAuth(Block):
    """Who connects to NATS; the first that is there counts."""

    basic: BasicAuth | None = Field(None, description="User and password.")
    token: SecretRef | None = Field(None, description="Secret that holds the token.")
    nkey: SecretRef | None = Field(None, description="Secret that holds the seed of the key.")
    credential: SecretRef | None = Field(
        None, description="Secret that holds a credentials file, with JWT and seed."
    )

    def parts(self) -> dict[str, SecretRef | None]:
        """What counts: where the parts of the login are, None for one that is empty."""
        if self.basic is not None:
            return {"user": self.basic.username, "password": self.basic.password}
        rest = {"token": self.token, "seed": self.nkey, "credentials": self.credential}
        return next(({part: ref} for part, ref in rest.items() if ref is not None), {})


class BackoffBlock(Block):
    """Pauses between attempts (spec: sensors 1.8)."""

    duration: Duration = Field(1.0, description="First pause; the default is `1s`.")
    factor: float = Field(1.0, description="Multiplies the pause after each attempt.")
    jitter: float = Field(1.0, description="Each pause grows by a random share of up to this much.")
    steps: int = Field(5, description="Total number of attempts; 5 also for 0 and below.")


class Filter(Block):
    """An event source's filter."""

    expression: str = Field(
        "", description="Expression (expr language) on the payload; false drops the event."
    )


class SourceConfig(Block):
    """What every event source accepts; the runtime handles these, sources never do."""

    metadata: dict[str, str] = Field({}, description="Copied into the payload of every event.")
    filter: Filter | None = Field(None, description="Drops events for which this is false.")
    expect_every: PositiveSpan | None = Field(
        None,
        description="Raises the alarm when no event came for this long (extension).",
        json_schema_extra=EXTENSION,
    )

    def flaws(self) -> list[str]:
        """
        What Argo Events accepts and cannot work with, a sentence each.

        Lint says so; the source runs all the same and does what Argo Events would.
        """
        return []

    def doubts(self) -> list[str]:
        """What works, and is probably not meant, a sentence each."""
        return []


class ParameterSource(Block):
    """Where a parameter's value comes from (spec: sensors 15.1)."""

    dependency_name: str = Field("", description="The dependency whose event is read.")
    context_key: str = Field("", description="Path into the event's context attributes.")
    data_key: str = Field("", description="Path into the event's data.")
    context_template: str = Field("", description="Go template over the context attributes.")
    data_template: str = Field("", description="Go template over the event's data.")
    value: str | None = Field(None, description="Used when nothing else gives a value.")
    use_raw_data: bool = Field(False, description="Keep the JSON type instead of making a string.")


class Parameter(Block):
    """One value carried from an event into a trigger (spec: sensors 15)."""

    src: ParameterSource | None = Field(None, description="Where the value comes from.")
    dest: str = Field("", description="Path of the member that is set.")
    operation: str = Field(
        "", description="`overwrite` (the default), `append` or `prepend` to what is there."
    )


class TriggerConfig(Block):
    """What every trigger accepts; the engine handles these, triggers never do."""

    parameters: list[Parameter] = Field(
        [], description="Event values that are laid over this block before it is used."
    )
