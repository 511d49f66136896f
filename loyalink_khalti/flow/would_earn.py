"""What goods would earn, one by one, before anybody has a basket."""

from collections.abc import Sequence

from django.utils import timezone

from loyalink_khalti.loyalty import ledger, programmes
from loyalink_khalti.loyalty.ledger import Bought
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Line


def would_earn(*, site_key: str, member_id: str | None, lines: Sequence[Line]) -> list[Points]:
    """What each line would earn if it were all that is bought, without the bonus of a first order; two queries."""
    rules = programmes.current(site_key).rules
    account = ledger.find(site_key, member_id) if member_id else None
    tier, at, nothing = account.tier if account else "", timezone.now(), Paisa(0)
    alone = [Bought(lines=[line], shipping=nothing, discount=nothing, worth=nothing, at=at) for line in lines]
    return [bought.earns(rules, tier=tier, first=False).points for bought in alone]
