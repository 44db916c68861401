"""Which addresses actions may reach."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.errors import ManifestError
from tiphys.triggers import Egress


def test_without_rules_everything_may_be_reached() -> None:
    assert Egress().permits("10.0.0.1")
    assert not Egress()


@pytest.mark.parametrize(
    "address",
    [
        *("10.1.2.3", "127.0.0.1", "169.254.169.254", "192.168.0.1", "100.64.0.1", "0.0.0.0"),
        *("::1", "fd00::1", "fe80::1%eth0", "::ffff:127.0.0.1"),
    ],
)
def test_private_addresses_can_be_denied_in_any_spelling(address: str) -> None:
    egress = Egress.parse([], ["private"])

    assert not egress.permits(address)
    assert egress.permits("93.184.216.34")


def test_what_is_allowed_is_an_exception_to_what_is_denied() -> None:
    egress = Egress.parse(["10.0.0.5"], ["private"])

    assert egress.permits("10.0.0.5")
    assert not egress.permits("10.0.0.6")


def test_with_allow_alone_nothing_else_may_be_reached() -> None:
    egress = Egress.parse(["192.0.2.0/24"], [])

    assert egress.permits("192.0.2.7")
    assert not egress.permits("198.51.100.1")


def test_what_is_no_network_is_named() -> None:
    with pytest.raises(ManifestError, match=r"'10\.0\.0\.0/99' is no network"):
        Egress.parse([], ["10.0.0.0/99"])


@given(st.ip_addresses(), st.ip_addresses(v=4))
def test_an_address_is_permitted_as_the_lists_say(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, other: ipaddress.IPv4Address
) -> None:
    text = str(address)
    meant = getattr(address, "ipv4_mapped", None) or address

    assert Egress.parse([text], [text]).permits(text)
    assert not Egress.parse([], [text]).permits(text)
    assert Egress.parse([], [str(other)]).permits(text) == (meant != other)
