"""D4: open Flags of a site that say the same, and are not about money, become one with a count."""

from typing import Any

import pytest

from loyalink_khalti.payments.models import Flag
from tests.migrating import migrate, migrate_to_before

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True), pytest.mark.slow]


def raised(models: Any, site_key: str, reason: str, *, number: int) -> list[int]:
    get = lambda name: models.get_model("loyalink_khalti", name).objects  # noqa: E731
    credentials, _new = get("Credentials").get_or_create(
        site_key=site_key, environment="test", base_url="https://dev.khalti.com/api/v2/", fingerprint="f"
    )
    flags = []
    for serial in range(number):
        ref = f"{site_key}-{reason}-{serial}"
        purchase = get("Purchase").create(
            shop="fake", ref=ref, origin=ref, site_key=site_key, language="en", method="khalti", cart={}, total=1000,
            amount_due=1000, state="released",
        )  # fmt: skip
        payment = get("Payment").create(
            purchase=purchase, credentials=credentials, environment="test", amount=1000, state="released", token=ref
        )
        flags.append(get("Flag").create(payment=payment, reason=reason).pk)
    return flags


def test_open_flags_without_money_become_one_for_each_site_and_reason() -> None:
    """D4"""
    models = migrate_to_before("flags_of_a_site")
    limits = raised(models, "default", "merchant_limit", number=3)
    others = raised(models, "other", "merchant_limit", number=1)
    refused = raised(models, "default", "initiate_refused", number=2)
    money = raised(models, "default", "second_payment", number=2)

    migrate()

    still_open = Flag.objects.filter(resolved_at=None).order_by("pk").values_list("pk", "count", "site_key")
    assert list(still_open) == [
        (limits[0], 3, "default"), (others[0], 1, "other"), (refused[0], 2, "default"),
        (money[0], 1, ""), (money[1], 1, ""),
    ]  # fmt: skip
    assert {flag.resolution for flag in Flag.objects.exclude(resolved_at=None)} == {"counted"}
