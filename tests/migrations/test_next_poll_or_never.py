"""R7, R9: "never" becomes null and "at once" becomes a time, for existing rows and for those of processes still to end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from loyalink_khalti.payments import polling
from loyalink_khalti.payments.models import Payment
from tests.migrating import migrate, migrate_to_before

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True), pytest.mark.slow]

NEVER = datetime(9999, 1, 1, tzinfo=UTC)


def create(models: Any, ref: str, *, state: str, next_poll_at: datetime | None) -> Any:
    get = lambda name: models.get_model("loyalink_khalti", name).objects  # noqa: E731
    credentials, _new = get("Credentials").get_or_create(
        site_key="default", environment="test", base_url="https://dev.khalti.com/api/v2/", fingerprint="f"
    )
    purchase = get("Purchase").create(
        shop="fake", ref=ref, origin=ref, site_key="default", language="en", method="khalti", cart={}, total=1000,
        amount_due=1000, state="open" if state in {"created", "initiated"} else "placed",
    )  # fmt: skip
    return get("Payment").create(
        purchase=purchase, credentials=credentials, environment="test", amount=1000, state=state, token=ref,
        next_poll_at=next_poll_at, created_at=timezone.now() - timedelta(hours=2),
    )  # fmt: skip


def next_polls() -> dict[str, datetime | None]:
    return dict(Payment.objects.values_list("token", "next_poll_at"))


def test_never_becomes_null_at_once_becomes_a_time_and_back_again() -> None:
    """R7"""
    later = timezone.now() + timedelta(minutes=10)
    models = migrate_to_before("next_poll_or_never")
    at_once = create(models, "at once", state="initiated", next_poll_at=None)
    create(models, "never", state="refunded", next_poll_at=NEVER)
    create(models, "later", state="initiated", next_poll_at=later)

    migrate()
    after = next_polls()
    migrate_to_before("next_poll_or_never")

    assert after == {"at once": at_once.created_at, "never": None, "later": later}
    assert next_polls() == {"at once": at_once.created_at, "never": NEVER, "later": later}


def test_what_a_process_of_the_version_before_writes_after_the_migration_is_polled() -> None:
    """R9: it means "at once" by null, and "never" by the year 9999."""
    models = migrate_to_before("next_poll_or_never")
    migrate()
    begun = create(models, "begun", state="created", next_poll_at=None)
    refunding = create(models, "refunding", state="fulfilled", next_poll_at=None)
    models.get_model("loyalink_khalti", "Refund").objects.create(
        purchase=refunding.purchase, payment=refunding, key="1", state="unknown", subtotal=1, shipping=0, amount=1
    )
    ended = create(models, "ended", state="refunded", next_poll_at=NEVER)
    create(models, "ended by us", state="refunded", next_poll_at=None)

    polling.schedule_unscheduled()
    due = set(polling.due(Payment.objects.all()).values_list("pk", flat=True))

    assert due == {begun.pk, refunding.pk, ended.pk}
    assert not polling.polled(unsent_after=timedelta(0)).filter(pk=ended.pk).exists()
