"""Count the statements of the demo store's checkout pages, for ``pages``; printed as JSON."""

import json

import django


def main() -> None:
    django.setup()
    from django.contrib.auth import get_user_model
    from django.test import Client
    from oscar.core.loading import get_model

    from benchmarks.bounded_harm import ADDRESS
    from tests.statements import own_statements, sent_statements

    stock = get_model("partner", "StockRecord").objects.exclude(num_in_stock=None).order_by("-num_in_stock")
    sita = get_user_model().objects.get(email="sita@example.com")
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(sita, backend="django.contrib.auth.backends.ModelBackend")
    browser.post(f"/shop/basket/add/{stock[0].product_id}/", {"quantity": 1})
    browser.post("/shop/checkout/", {})
    browser.post("/shop/checkout/shipping-address/", ADDRESS)
    browser.post("/shop/checkout/shipping-method/", {"method_code": "standard"})
    browser.post("/shop/checkout/payment-method/", {"payment_method": "khalti"})
    found = {}
    for page in ("basket", "checkout/shipping-method", "checkout/payment-method", "checkout/preview"):
        for _ in range(2):  # the first meets cold caches
            with sent_statements() as sent, own_statements() as own:
                answer = browser.get(f"/shop/{page}/", follow=True)
            assert answer.status_code == 200
            assert answer.request["PATH_INFO"] == f"/shop/{page}/", answer.request["PATH_INFO"]
        found[page] = [len(own), len(sent)]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
