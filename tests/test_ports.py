"""A Cart survives being stored as JSON."""

import json

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
    assert Cart.from_json(json.loads(json.dumps(cart.to_json()))) == cart


@given(carts)
def test_the_subtotal_of_a_cart_is_its_total_without_shipping(cart: Cart) -> None:
    assert cart.subtotal + cart.shipping == cart.total
