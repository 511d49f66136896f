"""How a customer stands in a programme, and what products would earn them: for pages before any order."""

from collections.abc import Sequence

from django.utils import timezone

from loyalink_khalti.after_response import once_per_request
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import OrderSnapshot, Standing
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Costs, Line


def standing(site_key: str, member_id: str | None) -> Standing:
    """Return the rules of now, and a customer's tier and points; one statement, once for all parts of a page."""
    return once_per_request(("standing", site_key, member_id), lambda: ledger.standing(site_key, member_id))


def unit_points(who: Standing, lines: Sequence[Line]) -> list[Points]:
    """Return what each line of one unit earns a customer by its price, bought alone: never more than an order of it.

    At most one statement, and none where rules and lines name categories of this version.
    """
    if who.merged:
        return [Points(0)] * len(lines)
    return ledger.unit_points(who.rules, lines, tier=who.tier, at=timezone.now())


def order_points(*, site_key: str, member_id: str | None, costs: Costs) -> Points:
    """Return what an order of these costs earns, as a quote without points says it; at most three statements more.

    For a guest it is what a new member would earn.
    """
    who = standing(site_key, member_id)
    if who.merged or who.left:
        return Points(0)
    account = ledger.own_account(site_key, member_id) if member_id and ledger.needs_history(who.rules) else None
    order = OrderSnapshot(
        lines=costs.lines, shipping=costs.shipping, discount=costs.discount, points_value=Paisa(0), at=timezone.now()
    )
    history = ledger.order_history(account, who.rules)
    return order.earned(who.rules, tier=who.tier, history=history).points


def points_for_lines(*, site_key: str, member_id: str | None, lines: Sequence[Line]) -> list[Points]:
    """Return the points that each line of one unit earns at least if it is bought alone; one statement.

    For product pages, where there is no basket yet. Who has left the programme earns none.
    """
    who = standing(site_key, member_id)
    return [Points(0)] * len(lines) if who.left else unit_points(who, lines)
