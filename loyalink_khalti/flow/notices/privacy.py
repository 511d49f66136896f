"""Export and erase what is kept of a customer's mails: to which address they went, and what a member wants."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet, Value
from django.db.models.functions import Concat

from loyalink_khalti.mail_rows import MailPreference, SentMail
from loyalink_khalti.payments.models import Purchase


def mails_of_member(member_id: str, site_keys: Iterable[str]) -> dict[str, Any]:
    """Return the mails about points, and the choices, of a member by site, ready for JSON; two queries for each."""
    return {
        key: {
            "choices": [_choice(row) for row in _preferences(member_id, key)],
            "sent": _as_data(SentMail.objects.filter(member_id=member_id, site_key=key, purchase="")),
        }
        for key in site_keys
    }


def mails_of_purchases(purchases: "QuerySet[Purchase]") -> list[dict[str, Any]]:
    """Return the mails about purchases, ready for JSON; one query."""
    return _as_data(SentMail.objects.filter(purchase__in=_keys(purchases)))


def erase_mails(purchases: "QuerySet[Purchase]") -> None:
    """Erase to whom the mails about purchases went, in the caller's transaction; that they were sent stays known."""
    SentMail.objects.filter(purchase__in=_keys(purchases)).exclude(sent_to="").update(sent_to="")


def _keys(purchases: "QuerySet[Purchase]") -> Any:
    return purchases.order_by().annotate(named=Concat("shop", Value(":"), "ref")).values("named")


def erase_mails_of_member(member_id: str, site_key: str) -> None:
    """Erase a member's addresses and choices, in the caller's transaction."""
    SentMail.objects.filter(member_id=member_id, site_key=site_key).exclude(sent_to="").update(sent_to="")
    _preferences(member_id, site_key).delete()


def _choice(row: MailPreference) -> dict[str, Any]:
    return {"language": row.language, "mails_about_points": row.unsubscribed_at is None}


def _preferences(member_id: str, site_key: str) -> Any:
    return MailPreference.objects.filter(member_id=member_id, site_key=site_key)


def _as_data(rows: Any) -> list[dict[str, Any]]:
    found = rows.order_by("pk").values("kind", "purchase", "sent_to", "sent_at", "times")
    return [{**each, "sent_at": each["sent_at"].isoformat() if each["sent_at"] else None} for each in found]
