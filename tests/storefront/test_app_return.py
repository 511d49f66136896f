"""A payment that an app has begun: our return page leads back to the app, to an address of the settings alone."""

from typing import Any

import pytest
from django.test import Client

from loyalink_khalti import conf, flow
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.money, pytest.mark.same_on_both]

APP = "myapp://paid"


def allow(settings: Any, *addresses: str) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "API": {"RETURN_ADDRESSES": addresses}}


def begin(shop: FakeShop, return_to: str = APP) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart()), return_to=return_to)


def test_the_return_leads_to_the_app_with_token_and_outcome_only(
    client: Client, shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """Q6: The app's address is never sent to Khalti; what Khalti appends never reaches the app."""
    allow(settings, APP)
    payment = begin(shop)
    khalti.pay(payment.pidx)

    bare = client.get(f"/khalti/return/{payment.token}/?pidx={payment.pidx}&mobile=98XXXXX904")
    response = client.get(bare["Location"])

    assert response["Location"] == f"{APP}?token={payment.token}&outcome=paid"
    assert len(shop.confirmed) == 1
    assert APP not in str(khalti.opened)


def test_an_address_that_the_settings_do_not_have_any_more_leads_nowhere(
    client: Client, shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """Q6"""
    payments = [begin(shop)]
    allow(settings, "myapp://paid/", "https://app.example/")  # near it is not enough
    khalti.pay(payments[0].pidx)

    response = client.get(f"/khalti/return/{payments[0].token}/")

    assert response["Location"] == f"/fake/{payments[0].purchase.ref}/paid/"


def test_the_status_page_leads_back_to_the_app(client: Client, shop: FakeShop, khalti: Khalti, settings: Any) -> None:
    """Also in a browser that has not begun the payment: the app's own browser has no session of the shop."""
    allow(settings, APP)
    payment = begin(shop)

    page = client.get(f"/khalti/status/{payment.token}/").content.decode()

    assert f'href="{APP}?token={payment.token}&amp;outcome=confirming"' in page


def test_a_return_address_is_https_or_an_apps_own_scheme_without_a_query(settings: Any) -> None:
    """Q6: What a browser would run, and an address to which something could be smuggled, is none."""
    good = ["myapp://paid", "np.example.app://shop/paid", "https://app.example/paid", "http://localhost:3000/paid"]
    bad = [
        "javascript://x", "data://x", "http://app.example/", "https://", "https://user@app.example/", "myapp:paid",
        "//app.example", "https://app.example/?a=1", "https://app.example/#a", "myapp://a b", "MYAPP://paid", "",
        "myapp://\u0967", "myapp://" + "a" * 400,
    ]  # fmt: skip
    allow(settings, *good)
    assert (conf.api_faults(), [each for each in good if not conf.is_return_address(each)]) == ([], [])
    for address in bad:
        allow(settings, address)
        assert [len(conf.api_faults()), conf.is_return_address(address)] == [1, False], address


def test_a_wrong_setting_of_the_api_is_reported_and_its_default_holds(settings: Any) -> None:
    wrong = {
        "AUTHENTICATE": "no.such.function",
        "REQUESTS_PER_MINUTE": 0,
        "LONGEST_WAIT": 61,
        "RETURN_ADDRESSES": "myapp://paid",
        "RETURN_ADRESSES": [],
    }
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "API": wrong}

    faults = conf.api_faults()

    assert len(faults) == len(wrong)
    assert any("Did you mean 'RETURN_ADDRESSES'" in hint for _text, hint in faults)
    assert conf.api_options() == conf.ApiOptions()
