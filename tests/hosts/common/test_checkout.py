"""What any host's checkout gets from ``hosts.common``, without a host."""

import pytest

from loyalink_khalti.hosts.common.checkout import PaymentChoice, new_order_number, order_name
from loyalink_khalti.ports import PaymentMethod


def test_order_numbers_are_long_and_have_no_ambiguous_letters() -> None:
    numbers = {new_order_number("SS-", is_taken=lambda _number: False) for _ in range(200)}

    assert len(numbers) == 200
    assert all(number.startswith("SS-") for number in numbers)
    assert not set("".join(number.removeprefix("SS-") for number in numbers)) & set("01OILU")
    assert {len(number) for number in numbers} == {14}


def test_an_order_number_that_is_taken_is_not_used_again() -> None:
    tried: list[str] = []

    number = new_order_number("", is_taken=lambda number: not tried.append(number) and len(tried) < 3)  # type: ignore[func-returns-value]

    assert (len(tried), tried[-1]) == (3, number)


@pytest.mark.parametrize(
    ("shop_name", "name"),
    [
        ("Saraswati Stationery", "Saraswati Stationery, SS-7K2MA-9QXDT"),
        (" ", "SS-7K2MA-9QXDT"),
        ("x" * 84, "x" * 84 + ", SS-7K2MA-9QXDT"),
        ("x" * 85, "x" * 83 + "…, SS-7K2MA-9QXDT"),
        ("न" * 82 + "कीनकी", "न" * 82 + "…, SS-7K2MA-9QXDT"),
    ],
)
def test_a_long_name_of_the_shop_leaves_the_order_number_whole(shop_name: str, name: str) -> None:
    """H9: Khalti's page shows 100 characters, and the customer needs the number."""
    assert order_name(shop_name, "SS-7K2MA-9QXDT") == name


@pytest.mark.parametrize(
    ("method", "points", "choice"),
    [
        ("khalti", 500, (PaymentMethod.KHALTI, 500)),
        ("cod", 0, (PaymentMethod.COD, 0)),
        (None, None, (None, 0)),
        ("cash", "500", (None, 0)),
        ("", -5, (None, 0)),
    ],
)
def test_an_invalid_stored_choice_counts_as_no_choice(
    method: object, points: object, choice: tuple[PaymentMethod | None, int]
) -> None:
    found = PaymentChoice.from_stored(method, points, offered=["khalti", "cod"])

    assert (found.method, found.points) == choice
