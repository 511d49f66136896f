"""Which network a request comes from: addresses that share a prefix, behind proxies that the shop trusts (D1, D5)."""

from typing import Any

import pytest
from django.test import RequestFactory

from loyalink_khalti import conf


def network(settings: Any, proxies: int | None, address: str, forwarded: str = "") -> str:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "TRUSTED_PROXIES": proxies}
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    return conf.client_network(RequestFactory().get("/", headers=headers, REMOTE_ADDR=address))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("198.51.100.7", "198.51.100.0/24"),
        ("::ffff:198.51.100.7", "198.51.100.0/24"),
        ("2001:db8:1:2:ffff::b", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_a_network_is_a_prefix(address: str, expected: str, settings: Any) -> None:
    assert network(settings, 0, address) == expected


@pytest.mark.parametrize(
    ("proxies", "address", "forwarded", "expected"),
    [
        (0, "127.0.0.1", "203.0.113.9", "127.0.0.0/24"),
        (0, "198.51.100.7", "203.0.113.9", "198.51.100.0/24"),
        (1, "127.0.0.1", "10.9.9.9, 203.0.113.9", "203.0.113.0/24"),
        (2, "127.0.0.1", "10.9.9.9, 203.0.113.9, 192.0.2.1", "203.0.113.0/24"),
        (1, "", "203.0.113.9", "203.0.113.0/24"),
        (1, "127.0.0.1", "", "127.0.0.0/24"),
        (2, "127.0.0.1", "203.0.113.9", "127.0.0.0/24"),
    ],
)
def test_only_the_entries_of_trusted_proxies_are_believed(
    proxies: int, address: str, forwarded: str, expected: str, settings: Any
) -> None:
    """D1"""
    assert network(settings, proxies, address, forwarded) == expected


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5", ""])
def test_behind_a_proxy_of_which_the_settings_do_not_say_the_network_is_unknown(address: str, settings: Any) -> None:
    """D1: Otherwise all customers of the shop would count as one."""
    assert network(settings, None, address, "203.0.113.9") == ""


def test_a_public_address_is_believed_where_the_settings_say_nothing(settings: Any) -> None:
    assert network(settings, None, "9.9.9.9", "203.0.113.9") == "9.9.9.0/24"
