"""The page of a shop to which the customer returns: a text that is no token is not found."""

import pytest
from django.test import Client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.money]


@pytest.mark.parametrize("token", ["%00", "a%00b", "%E0%A4%85", "..%2f", "a%0A", "x" * 5000, "AAAAAAAAAAAAAAAAAAAAAA"])
def test_a_text_that_is_no_token_is_not_found(client: Client, token: str) -> None:
    """D6: PostgreSQL refuses a text with NUL."""
    assert client.get(f"/shop/checkout/khalti/{token}/").status_code == 404
