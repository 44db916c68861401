"""The guards of an endpoint, one by one, with virtual time."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from pydantic import ValidationError

from tiphys.errors import ManifestError, SecretError
from tiphys.ingest import Refused, Request
from tiphys.ingest.guards import BearerGuard, NetworkGuard, RateGuard, SignatureGuard, guards_of
from tiphys.ingest.guards.rate import ADDRESSES
from tiphys.manifests.common import SecretRef
from tiphys.manifests.webhook import HMAC, RequestRate, WebhookContext
from tiphys.testing.clock import VirtualClock

SECRETS = {"token": "s3cret", "key": "k3y", "empty": "", "binary": "k\udcff\udcfe"}


async def secret(ref: SecretRef) -> str:
    try:
        return SECRETS[ref.key]
    except KeyError:
        raise SecretError(f"no key {ref.key!r}") from None


def ref(key: str) -> SecretRef:
    return SecretRef.model_validate({"name": "s", "key": key})


def request(client: str = "192.0.2.1", body: bytes = b"{}", **headers: str) -> Request:
    named = {name.replace("_", "-"): [value] for name, value in headers.items()}
    return Request("POST", "/", "", named, body, client)


async def refusal(guard: Any, incoming: Request) -> tuple[int, str, str] | None:
    try:
        await guard.check(incoming)
    except Refused as refused:
        return refused.status, refused.message, refused.reason
    return None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer s3cret", None),
        ("Bearer s3cret ", (401, "Invalid Auth token", "token")),
        ("Bearer ", (401, "Invalid Auth token", "token")),
        ("Bearer schlüssel", (401, "Invalid Auth token", "token")),
        ("bearer s3cret", (401, "Invalid Authorization Header", "token")),
        ("Basic abc", (401, "Invalid Authorization Header", "token")),
        ("", (401, "Invalid Authorization Header", "token")),
    ],
)
async def test_the_bearer_token_must_be_there_to_the_letter(
    header: str, expected: tuple[int, str, str] | None
) -> None:
    guard = BearerGuard(ref("token"), secret)

    assert await refusal(guard, request(Authorization=header)) == expected


async def test_a_token_that_cannot_be_read_is_the_servers_fault() -> None:
    guard = BearerGuard(ref("gone"), secret)

    assert await refusal(guard, request()) == (500, "Error loading auth token", "secret")


async def test_an_empty_token_proves_nothing_so_nobody_is_let_in() -> None:
    guard = BearerGuard(ref("empty"), secret)

    for header in ("Bearer ", "Bearer x", ""):
        answer = await refusal(guard, request(Authorization=header))
        assert answer == (500, "Error loading auth token", "secret")
    with pytest.raises(Refused) as caught:
        await guard.check(request(Authorization="Bearer "))
    assert caught.value.cause == "s/empty is empty, so anybody could send"


async def test_a_token_that_is_no_text_refuses_and_does_not_break() -> None:
    guard = BearerGuard(ref("binary"), secret)

    for token in ("k", "k\ufffd", "k\ufffd\ufffd"):
        answer = await refusal(guard, request(Authorization=f"Bearer {token}"))
        assert answer == (401, "Invalid Auth token", "token")


async def test_a_rotated_token_counts_from_the_next_request_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guard = BearerGuard(ref("token"), secret)
    monkeypatch.setitem(SECRETS, "token", "new")

    assert await refusal(guard, request(Authorization="Bearer new")) is None
    assert await refusal(guard, request(Authorization="Bearer s3cret")) is not None


@pytest.mark.parametrize(
    ("client", "allowed"),
    [
        ("192.0.2.77", True),
        ("::ffff:192.0.2.77", True),
        ("198.51.100.1", False),
        ("203.0.113.5", True),
        ("203.0.113.6", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("", False),
    ],
)
async def test_only_addresses_of_the_networks_may_send(client: str, allowed: bool) -> None:
    guard = NetworkGuard(["192.0.2.0/24", "203.0.113.5", "2001:db8::/32"])

    assert (await refusal(guard, request(client)) is None) is allowed


@pytest.mark.parametrize("network", ["192.0.2.1/24", "house", "1.2.3.4/33"])
def test_a_wrong_network_is_a_fault_of_the_manifest(network: str) -> None:
    with pytest.raises(ManifestError, match=r"allowedCIDRs"):
        NetworkGuard([network])


def rate(**settings: Any) -> RequestRate:
    return RequestRate.model_validate(settings)


async def admitted(guard: RateGuard, times: int, client: str = "192.0.2.1") -> int:
    return sum([await refusal(guard, request(client)) is None for _ in range(times)])


async def test_a_sender_may_send_a_burst_and_then_at_the_rate() -> None:
    clock = VirtualClock()
    guard = RateGuard(rate(requests=10, period="1s"), clock)
    assert await admitted(guard, 20) == 10
    await clock.advance(0.35)
    assert await admitted(guard, 20) == 3
    await clock.advance(3600)

    assert await admitted(guard, 20) == 10


async def test_the_burst_can_be_smaller_than_the_rate() -> None:
    clock = VirtualClock()
    guard = RateGuard(rate(requests=60, period="1m", burst=2), clock)
    assert await admitted(guard, 5) == 2
    await clock.advance(1)

    assert await admitted(guard, 5) == 1


async def test_a_refused_sender_is_told_when_to_come_again() -> None:
    clock = VirtualClock()
    guard = RateGuard(rate(requests=1, period="30s"), clock)
    await guard.check(request())
    await clock.advance(0.5)

    with pytest.raises(Refused) as caught:
        await guard.check(request())
    assert (caught.value.status, caught.value.headers) == (429, {"retry-after": "30"})


async def test_each_address_counts_for_itself_unless_the_endpoint_does() -> None:
    one = RateGuard(rate(requests=1), VirtualClock())
    all_ = RateGuard(rate(requests=1, per="endpoint"), VirtualClock())

    assert [await admitted(one, 2, client) for client in ("a", "b")] == [1, 1]
    assert [await admitted(all_, 2, client) for client in ("a", "b")] == [1, 0]


async def test_a_sender_with_many_ipv6_addresses_is_one_sender() -> None:
    guard = RateGuard(rate(requests=1), VirtualClock())
    counts = [await admitted(guard, 1, f"2001:db8::{n}") for n in range(5)]

    assert counts == [1, 0, 0, 0, 0]


async def test_the_memory_of_senders_is_bounded() -> None:
    guard = RateGuard(rate(requests=1, period="1h"), VirtualClock())
    for n in range(ADDRESSES + 50):
        await guard.check(request(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"))

    assert len(guard._full_at) == ADDRESSES


def signed(body: bytes, algorithm: str = "sha256", encoding: str = "hex", time: str = "") -> str:
    covered = f"{time}.".encode() + body if time else body
    digest = hmac.new(b"k3y", covered, getattr(hashlib, algorithm)).digest()
    return digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()


def signature_guard(clock: VirtualClock | None = None, **settings: Any) -> SignatureGuard:
    block = {"secret": {"name": "s", "key": "key"}, "header": "x-signature", **settings}
    return SignatureGuard(HMAC.model_validate(block), secret, clock or VirtualClock())


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
async def test_a_right_signature_passes_whatever_its_form(algorithm: str, encoding: str) -> None:
    guard = signature_guard(algorithm=algorithm, encoding=encoding, prefix="v=")
    body = b'{"a": 1}'
    right = request(body=body, X_Signature="v=" + signed(body, algorithm, encoding))
    wrong = request(body=body + b" ", X_Signature="v=" + signed(body, algorithm, encoding))

    assert await refusal(guard, right) is None
    assert await refusal(guard, wrong) == (401, "the signature does not match", "signature")


@pytest.mark.parametrize(
    "header",
    ["", "sha256=", "sha256=zz", "sha1=00", "00", "sha256=0", "sha256=00 00", "sha256=00 ü"],
)
async def test_a_signature_of_another_form_is_refused(header: str) -> None:
    guard = signature_guard(prefix="sha256=")
    refused = await refusal(guard, request(X_Signature=header))

    assert refused is not None
    assert (refused[0], refused[2]) == (401, "signature")
    assert signed(b"{}") not in refused[1]


@pytest.mark.parametrize("encoding", ["hex", "base64"])
async def test_a_signature_has_one_spelling_but_for_capitals(encoding: str) -> None:
    guard = signature_guard(encoding=encoding)
    right = signed(b"{}", encoding=encoding)
    other = chr(ord(right[-2]) + 1) + "="  # of the same bytes, with bits set that nobody reads
    spellings = {
        right.upper(): encoding == "hex",
        f"{right[:6]} {right[6:]}": False,
        f"{right[:6]}  {right[6:]}": False,
        f"{right}\n": False,
        right[:-2] + other: False,
        right.rstrip("="): encoding == "hex",
    }
    assert encoding == "hex" or base64.b64decode(right[:-2] + other) == base64.b64decode(right)

    for spelling, accepted in spellings.items():
        refused = await refusal(guard, request(X_Signature=spelling))
        assert (refused is None) is accepted, spelling


async def test_an_empty_key_proves_nothing_so_nobody_is_let_in() -> None:
    guard = signature_guard(secret={"name": "s", "key": "empty"})
    signature = hmac.new(b"", b"{}", hashlib.sha256).hexdigest()
    answer = await refusal(guard, request(X_Signature=signature))

    assert answer == (500, "Error loading signature key", "secret")


async def test_a_key_may_have_any_byte() -> None:
    guard = signature_guard(secret={"name": "s", "key": "binary"})
    right = hmac.new(b"k\xff\xfe", b"{}", hashlib.sha256).hexdigest()

    assert await refusal(guard, request(X_Signature=right)) is None
    wrong = await refusal(guard, request(X_Signature=signed(b"{}")))
    assert wrong == (401, "the signature does not match", "signature")


async def test_a_key_that_cannot_be_read_is_the_servers_fault() -> None:
    guard = signature_guard(secret={"name": "s", "key": "gone"})

    refused = await refusal(guard, request(X_Signature=signed(b"{}")))
    assert refused is not None
    assert (refused[0], refused[2]) == (500, "secret")


@pytest.mark.parametrize(
    ("age", "expected"),
    [(0, None), (300, None), (-300, None), (301, "replay"), (-301, "replay"), (10**6, "replay")],
)
async def test_a_recorded_request_cannot_be_sent_again_later(
    age: int, expected: str | None
) -> None:
    clock = VirtualClock()
    time = str(int(clock.now().timestamp()) - age)
    guard = signature_guard(clock, timestampHeader="X-Time")
    refused = await refusal(guard, request(X_Time=time, X_Signature=signed(b"{}", time=time)))

    assert (refused and refused[2]) == expected


@pytest.mark.parametrize("time", ["", "now", "-1", "1e9", "١", "9" * 40])
async def test_a_time_that_is_none_is_refused(time: str) -> None:
    guard = signature_guard(timestampHeader="X-Time")
    headers: dict[str, Any] = {"X_Time": time}
    headers["X_Signature"] = signed(b"{}", time=time or "1")
    refused = await refusal(guard, request(**headers))

    assert refused is not None
    assert refused[0] == 401


async def test_the_time_is_under_the_signature() -> None:
    clock = VirtualClock()
    now = int(clock.now().timestamp())
    guard = signature_guard(clock, timestampHeader="X-Time")
    moved = request(X_Time=str(now + 1), X_Signature=signed(b"{}", time=str(now)))

    assert await refusal(guard, moved) == (401, "the signature does not match", "signature")


def test_a_tolerance_that_lets_nothing_pass_is_refused() -> None:
    with pytest.raises(ValidationError, match="tolerance"):
        signature_guard(tolerance="0s")


def test_a_context_gets_the_guards_it_asks_for_the_cheapest_first() -> None:
    context = WebhookContext.model_validate(
        {
            "authSecret": {"name": "s", "key": "token"},
            "hmac": {"secret": {"name": "s", "key": "key"}, "header": "X-Signature"},
            "allowedCIDRs": ["10.0.0.0/8"],
            "rateLimit": {"requests": 5},
        }
    )
    before, after = guards_of(context, secret, VirtualClock())

    assert [type(g) for g in before] == [NetworkGuard, RateGuard, BearerGuard]
    assert [type(g) for g in after] == [SignatureGuard]
    assert guards_of(WebhookContext.model_validate({}), secret, VirtualClock()) == ([], [])
