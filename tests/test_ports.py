"""A Cart survives being stored as JSON, and other versions read it."""

import json

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Cart, Customer, Line

text = st.text(max_size=20)
amount = st.integers(0, 10**12).map(Paisa)
lines = st.builds(
    Line,
    sku=text,
    title=text,
    quantity=st.integers(1, 10**6),
    unit=amount,
    total=amount,
    tags=st.lists(text, max_size=3).map(tuple),
    earns=st.booleans(),
    id=text,
    options=text,
    titles=st.dictionaries(text, text, max_size=2),
)
carts = st.builds(
    Cart,
    shop=text,
    ref=text,
    origin=text,
    site_key=text,
    language=text,
    name=text,
    lines=st.lists(lines, max_size=4).map(tuple),
    shipping=amount,
    discount=amount,
    total=amount,
    customer=st.builds(Customer, name=text, email=text, phone=text),
    member_id=st.none() | text,
    points_redeemed=st.integers(0, 10**9).map(Points),
)


@given(carts)
def test_a_cart_read_back_from_json_is_the_same_cart(cart: Cart) -> None:
    read = Cart.from_json(json.loads(json.dumps(cart.to_json())))

    assert read == cart
    assert [line.titles for line in read.lines] == [line.titles for line in cart.lines]


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("en", "Lokta journal (A5)"),
        ("ne", "लोक्ता डायरी (A5)"),
        ("ne-np", "लोक्ता डायरी (A5)"),
        ("fr", "Lokta journal (A5)"),
    ],
)
def test_a_line_has_the_name_that_the_reader_understands(language: str, name: str) -> None:
    """T33"""
    titles = {"ne": "लोक्ता डायरी"}
    line = Line(sku="1", title="Lokta journal", options="A5", quantity=1, unit=Paisa(1), total=Paisa(1), titles=titles)

    with override(language):
        assert line.name == name


FIRST_SHAPE = {
    "cart": {
        "shop", "ref", "origin", "site_key", "language", "name", "lines", "shipping", "discount", "total", "customer",
        "member_id", "points_redeemed", "currency",
    },
    "line": {"sku", "title", "quantity", "unit", "total", "tags", "earns"},
    "customer": {"name", "email", "phone"},
}  # fmt: skip
"""The keys of ``schema-baseline``, which refuses a Cart with any other."""


@given(carts)
def test_a_stored_cart_has_no_key_that_the_version_before_refuses(cart: Cart) -> None:
    """R9: a worker of the version before showed an error page to customers who came back from Khalti."""
    stored, details = json.loads(json.dumps(cart.to_stored()))

    assert set(stored) == FIRST_SHAPE["cart"]
    assert [set(line) for line in stored["lines"]] == [FIRST_SHAPE["line"]] * len(cart.lines)
    assert set(stored["customer"]) == FIRST_SHAPE["customer"]
    assert Cart.from_json(stored, details) == cart


@given(carts)
def test_what_only_a_later_version_knows_of_a_cart_is_ignored(cart: Cart) -> None:
    """R9: a later version may run beside this one."""
    stored, details = json.loads(json.dumps(cart.to_stored()))
    stored["gift"] = stored["customer"]["pan"] = "later"
    for line, more in zip(stored["lines"], details, strict=True):
        line["weight"] = more["colour"] = "later"

    assert Cart.from_json(stored, details) == cart


@given(carts)
def test_a_cart_of_the_version_before_is_read_without_what_it_does_not_have(cart: Cart) -> None:
    """R9"""
    stored, _details = json.loads(json.dumps(cart.to_stored()))

    assert [(line.sku, line.id, line.options) for line in Cart.from_json(stored).lines] == [
        (line.sku, "", "") for line in cart.lines
    ]


@given(carts)
def test_the_subtotal_of_a_cart_is_its_total_without_shipping(cart: Cart) -> None:
    assert cart.subtotal + cart.shipping == cart.total
