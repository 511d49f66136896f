"""What ``check`` reports about a shop on Oscar."""

from typing import Any

import pytest

from loyalink_khalti.hosts.oscar import checks


def found() -> list[str]:
    return [str(message.id).rpartition(".")[2] for message in checks.messages()]


def test_the_sandbox_has_no_message() -> None:
    assert found() == []


@pytest.mark.parametrize("wrong", [{"HELDD": "Waiting"}, {"METHODS": ["barter"]}, {"METHODS": []}])
def test_an_unknown_setting_is_an_error(settings: Any, wrong: dict[str, Any]) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "OSCAR": wrong}

    assert found() == ["E027"]


@pytest.mark.parametrize("status", ["Paid", "Refunded", "Awaiting payment"])
def test_a_status_that_only_a_payment_sets_is_no_exit_for_staff(settings: Any, status: str) -> None:
    settings.OSCAR_ORDER_STATUS_PIPELINE = {**settings.OSCAR_ORDER_STATUS_PIPELINE, "Pending": (status, "Shipped")}

    assert found() == ["W028"]
