"""What ``check`` says of a shop that the adapter is plugged into."""

from typing import Any

import pytest

from loyalink_khalti.hosts.oscar import checks


def found() -> list[str]:
    return [str(message.id).rpartition(".")[2] for message in checks.run()]


def test_the_sandbox_is_plugged_in_as_it_should_be() -> None:
    assert found() == []


@pytest.mark.parametrize("wrong", [{"HELDD": "Waiting"}, {"METHODS": ["barter"]}, {"METHODS": []}])
def test_a_setting_that_the_adapter_does_not_know_is_an_error(settings: Any, wrong: dict[str, Any]) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "OSCAR": wrong}

    assert found() == ["E027"]


@pytest.mark.parametrize("status", ["Paid", "Refunded", "Awaiting payment"])
def test_a_status_that_only_money_may_give_is_no_exit_for_staff(settings: Any, status: str) -> None:
    settings.OSCAR_ORDER_STATUS_PIPELINE = {**settings.OSCAR_ORDER_STATUS_PIPELINE, "Pending": (status, "Shipped")}

    assert found() == ["W028"]
