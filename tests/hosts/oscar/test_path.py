"""How much of the package a reader must open to follow one purchase in Oscar."""

from loyalink_khalti.simulator import Simulator
from tests.paths import traced

from .conftest import Customer, Store, payment_of

MOST = 50


def test_one_purchase_from_place_order_to_the_thank_you_page_runs_through_fifty_files_at_most(
    store: Store, sita: Customer, khalti: Simulator
) -> None:
    sita.add(store.notebook)
    sita.go_to_payment()
    sita.choose(points=500)

    with traced() as placing:
        sent = sita.place()
    payment = payment_of(sent)
    khalti.pay(payment.pidx or "")
    with traced() as returning:
        page = sita.return_from_khalti(payment)

    assert page.redirect_chain[-1][0] == "/shop/checkout/thank-you/"
    files = {file for file in placing | returning if not file.startswith("simulator/")}
    assert len(files) <= MOST, "\n".join([f"{len(files)} files:", *sorted(files)])
