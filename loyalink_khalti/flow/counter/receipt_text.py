"""The line about points on the printed receipt of a counter sale, in the language in which it was recorded."""

from collections.abc import Iterable

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalink_khalti import conf
from loyalink_khalti.conf import formats
from loyalink_khalti.payments.counter_sales import PREFIX, CounterSale


def receipt_lines(sale: CounterSale, claim_code: str = "") -> list[str]:
    """Return the lines, short enough for paper of 58 mm: what was earned and used, the balance, the claim code.

    ``claim_code`` is known only when it has just been made.
    """
    with translation.override(conf.language(sale.language)):
        lines = [_earned(sale)]
        if sale.points_redeemed:
            values = {"points": formats.number(sale.points_redeemed), "value": formats.npr(sale.points_value)}
            lines.append(_("Points used: %(points)s = %(value)s") % values)
        if sale.points_balance is not None:
            lines.append(_("Your balance: %(points)s") % {"points": formats.number(sale.points_balance)})
        if claim_code and sale.claim_until is not None:
            lines.append(_("Claim code: %(code)s") % {"code": claim_code})
            until = {"day": formats.day(sale.claim_until)}
            lines.append(_("Log in to our website and enter it on your points card, before %(day)s.") % until)
        return lines


def receipt_line(sale: CounterSale, claim_code: str = "") -> str:
    """Return the same as one line, to be pasted into the software of a till."""
    return "; ".join(line.rstrip(".") for line in receipt_lines(sale, claim_code)[:4]) + "."


def _earned(sale: CounterSale) -> str:
    points = sale.points_earned
    text = ngettext("You earned %(points)s point", "You earned %(points)s points", points)
    return text % {"points": formats.number(points)}


def sales_of(purchases: Iterable[str]) -> dict[str, CounterSale]:
    """Return counter sales by their keys in the ledger; no query where none of the keys is of a counter sale."""
    keys = [purchase.removeprefix(PREFIX) for purchase in set(purchases) if purchase.startswith(PREFIX)]
    return {sale.purchase: sale for sale in CounterSale.objects.filter(key__in=keys)} if keys else {}
