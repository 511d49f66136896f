"""Whoever makes an account has the programme's bonus for it, where it gives one."""

from typing import Any

from loyalink_khalti import conf, outbox
from loyalink_khalti.loyalty import ledger, programmes


def registered(*, request: Any, user: Any, **_signal: Any) -> None:
    """Hear Oscar's ``user_registered``; the bonus comes after commit, and once."""
    site_key = conf.site_key(request)
    if programmes.current(site_key).rules.sign_up_bonus:
        outbox.post(f"{__name__}.sign_up", site_key=site_key, member_id=str(user.pk))


def sign_up(site_key: str, member_id: str) -> None:
    """Give the bonus; called by the outbox, at least once."""
    ledger.sign_up(site_key=site_key, member_id=member_id)
