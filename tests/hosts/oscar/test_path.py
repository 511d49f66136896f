"""How much of the package a reader must open to follow one purchase in Oscar."""

from loyalink_khalti.simulator import Simulator
from tests.paths import traced

from .conftest import Customer, Store, payment_of

MOST = 59
MOST_OF_THE_PAGE = 45
THANK_YOU = "/shop/checkout/thank-you/"


def test_one_purchase_from_place_order_to_the_thank_you_page_runs_through_a_bounded_number_of_files(
    store: Store, sita: Customer, khalti: Simulator
) -> None:
    """The thank-you page shows receipt, points and texts of the look: a path of its own."""
    sita.add(store.notebook)
    sita.go_to_payment()
    sita.choose(points=500)

    with traced() as placing:
        sent = sita.place()
    payment = payment_of(sent)
    khalti.pay(payment.pidx or "")
    with traced() as returning:
        address = f"/khalti/return/{payment.token}/"
        while address != THANK_YOU:
            address = sita.browser.get(address).headers["Location"]
    with traced() as showing:
        page = sita.browser.get(address)

    assert page.status_code == 200
    assert_at_most(MOST, placing | returning)
    assert_at_most(MOST_OF_THE_PAGE, showing)


def assert_at_most(most: int, found: set[str]) -> None:
    files = {file for file in found if not file.startswith("simulator/")}
    assert len(files) <= most, "\n".join([f"{len(files)} files:", *sorted(files)])
