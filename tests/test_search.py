"""A search finds rows by the beginnings of words, the same on every database."""

import pytest

from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.program import Program
from loyalink_khalti.search import search_text_of

pytestmark = [pytest.mark.money, pytest.mark.on_both, pytest.mark.django_db]

SITA = search_text_of(["Sita Maharjan", "Sita.Maharjan@Example.com", "+977 9841000001", None])
FOREIGN = search_text_of(["N-77", "+91 98412 34567"])
LANDLINE = search_text_of(["N-78", "+977 1 5551234"])
RAM = search_text_of(["रामप्रसाद श्रेष्ठ", "ram_50%off@example.com", "98-41000002", "O'Neil \\ 'x':* | !y & (z)"])


@pytest.fixture
def accounts() -> None:
    program = Program.objects.create(site_key="default")
    Account.objects.create(program=program, member_id="1", search_text=SITA)
    Account.objects.create(program=program, member_id="2", search_text=RAM)
    Account.objects.create(
        program=program, member_id="3", search_text=search_text_of(["-------", "()()()()", "- ' \\ -"])
    )
    Account.objects.create(program=program, member_id="4")
    Account.objects.create(program=program, member_id="5", search_text=FOREIGN)
    Account.objects.create(program=program, member_id="6", search_text=LANDLINE)


def found(typed: str) -> set[str | None]:
    return set(Account.objects.filter(search_text__matches=typed).values_list("member_id", flat=True))


@pytest.mark.parametrize(
    ("typed", "who"),
    [
        ("sita", {"1"}),
        ("SIT mah", {"1"}),
        ("maharjan sita", {"1"}),
        ("sita.maharjan@ex", {"1"}),
        ("9841000001", {"1"}),
        ("+9779841000001", {"1"}),
        ("984100000", {"1", "2"}),
        ("9841000002", {"2"}),
        ("राम", {"2"}),
        ("ram_50%", {"2"}),
        ("o'neil", {"2"}),
        ("neil", {"2"}),
    ],
)
def test_the_beginnings_of_words_find_a_row(accounts: None, typed: str, who: set[str]) -> None:
    assert found(typed) == who


@pytest.mark.parametrize(
    ("typed", "who"),
    [
        ("+91 98412 34567", {"5"}),
        ("+919841234567", {"5"}),
        ("0091 98412-34567", {"5"}),
        ("91 9841234567", {"5"}),
        ("98412 34567", {"5"}),
        ("९८४१२ ३४५", {"5"}),
        ("n-77 +91 98412", {"5"}),
        ("+977 1 5551234", {"6"}),
        ("+97715551234", {"6"}),
        ("01-5551234", {"6"}),
        ("(01) 555 1234", {"6"}),
        ("555 1234", {"6"}),
        ("5551234", {"6"}),
        ("+977 984 1000 001", {"1"}),
        ("977-984-1000001", {"1"}),
        ("984 1000 001", {"1"}),
        ("०९८४१०००००१", {"1"}),
        ("+91 9841000001", set()),
        ("+91 98412 34568", set()),
    ],
)
def test_a_phone_number_is_found_however_it_is_typed(accounts: None, typed: str, who: set[str]) -> None:
    """M17: a foreign number and a landline are found as they were typed, and not as somebody's mobile."""
    assert found(typed) == who


@pytest.mark.parametrize(
    ("stored", "typed"),
    [
        ("9841000001", "+977 984-1000001"),
        ("14412345", "+977 1 4412345"),
        ("014412345", "01-4412345"),
        ("0001234567", "0001234567"),
    ],
)
def test_rows_that_an_earlier_version_indexed_are_found(db: None, stored: str, typed: str) -> None:
    """M17"""
    program = Program.objects.create(site_key="default")
    Account.objects.create(program=program, member_id="1", search_text=stored)

    assert found(typed) == {"1"}


NOTHING = [
    "", "   ", "ita", "sita ram", "rama50", "ram%", "ram_5_", "%", "_", "sita:*x", "!sita", "zzz", "\0", "-------x",
    "(((((((",
]  # fmt: skip


@pytest.mark.parametrize("typed", NOTHING)
def test_nothing_else_finds_a_row_and_operators_are_plain_text(accounts: None, typed: str) -> None:
    assert found(typed) == set()


def test_a_query_of_only_operators_is_no_error(accounts: None) -> None:
    assert found("& | !y :* (z") == {"2"}
