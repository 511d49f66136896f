"""R10, R5 in the running store: Khalti's answer to initiate is lost, and the customer pays all the same."""

import pytest
from django.contrib.auth import get_user_model

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.unmatched import UnmatchedPayment
from tests.stories.comparison import disagreements
from tests.stories.ordering import JOURNAL
from tests.stories.running_store import Store, open_page

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled, pytest.mark.timeout(240)]


def test_a_lost_answer_that_is_paid_becomes_the_order_when_staff_attach_it(store: Store) -> None:
    """R10"""
    gita = store.browser("gita@example.com")
    gita.add(JOURNAL)
    preview = gita.choose(gita.check_out(), "khalti")
    store.khalti.fault("503", "initiate", after=True)
    refused = gita.place_order(preview, follow=True)
    lost = store.khalti.payments()[-1]
    page = gita.pay(f"{store.khalti.url}/?pidx={lost.pidx}")
    store.reconcile_here()
    found = gita.open(page.url)

    assert "Khalti is not responding" in refused.visible_text
    assert page.status == 200
    assert "Khalti's answer was lost" in page.visible_text
    assert lost.pidx in page.visible_text
    assert "has found money at Khalti" in found.visible_text
    row = UnmatchedPayment.objects.get(pidx=lost.pidx)
    assert (row.state, row.amount) == ("found", lost.amount)
    editor = str(get_user_model().objects.get(email="editor@example.com").pk)
    with store.in_this_process():
        flow.attach_unmatched(row, Payment.objects.get().purchase, actor=editor, reason="she sent the receipt")
    after = gita.open(page.url)
    assert "Paid. Thank you!" in after.visible_text
    assert (Payment.objects.get().state, disagreements(store)) == ("fulfilled", [])


def test_an_unknown_return_says_what_is_known_in_the_stores_frame(store: Store) -> None:
    """R5"""
    pidx = "bZQLD9wRVWo4CdESSfuSsB"
    lookups = store.khalti.count("lookup")

    page = open_page(f"{store.url}/khalti/return/{'A' * 22}/?pidx={pidx}&status=Completed&mobile=98XXXXX904")

    assert (page.status_code, store.khalti.count("lookup")) == (404, lookups)
    assert pidx in page.text
    assert "Saraswati" in page.text
    assert "98XXXXX904" not in page.text
