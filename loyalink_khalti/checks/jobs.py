"""Checks of what should happen by itself."""

from django.utils.timesince import timesince

from loyalink_khalti import conf, flow

from .registering import Messages, check, database_check, warning


@database_check
def reconciler(_alias: str) -> Messages:
    health = flow.health()
    if health.overdue_since is None:
        return
    ran = f"last ran {timesince(health.last_run)} ago" if health.last_run else "has never run"
    yield warning(
        32,
        f"Payments wait that nobody asks Khalti about, the oldest for {timesince(health.overdue_since)}:"
        f" khalti_reconcile {ran}.",
        "Let `manage.py khalti_reconcile --loop` run beside the shop, or the same without --loop every few minutes.",
    )


@check()
def alerts() -> Messages:
    if not conf.alerts_to():
        yield warning(
            33,
            "Nobody hears of payments that somebody must decide about.",
            'LOYALINK_KHALTI["ALERTS_TO"] = ["shopkeeper@shop.example"], or MANAGERS.',
        )
