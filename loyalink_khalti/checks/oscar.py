"""Checks of a shop on django-oscar, also where our adapter's own are not installed."""

from django.apps import apps
from django.conf import settings

from loyalink_khalti import conf

from .registering import Messages, check, error, warning

STATUSES = {
    "HELD": "Awaiting payment",
    "PAID": "Paid",
    "PENDING": "Pending",
    "CANCELLED": "Cancelled",
    "REFUNDED": "Refunded",
}
"""The Oscar adapter's order statuses, by their names in ``LOYALINK_KHALTI["OSCAR"]``."""


@check()
def oscar() -> Messages:
    if apps.is_installed("oscar") and settings.OSCAR_DEFAULT_CURRENCY != "NPR":
        yield error(
            9,
            f"The shop sells in {settings.OSCAR_DEFAULT_CURRENCY}; Khalti takes NPR.",
            'OSCAR_DEFAULT_CURRENCY = "NPR"',
        )
    if "oscar" in conf.get("SHOPS"):
        yield from _pipeline()
        yield from _oscars_own()


def _pipeline() -> Messages:
    pipeline = getattr(settings, "OSCAR_ORDER_STATUS_PIPELINE", {})
    named = {**STATUSES, **{key: value for key, value in conf.oscar_options().items() if key in STATUSES}}
    if missing := [status for status in named.values() if status not in pipeline]:
        yield error(
            23,
            f"OSCAR_ORDER_STATUS_PIPELINE lacks {', '.join(map(repr, missing))}.",
            f'Add each and what may follow it: {{"{named["HELD"]}": (), "{named["PENDING"]}": (),'
            f' "{named["CANCELLED"]}": (), …}}. Other names go into LOYALINK_KHALTI["OSCAR"].',
        )
    for status in (named["HELD"], named["CANCELLED"]):
        if exits := pipeline.get(status):
            yield warning(
                24,
                f"OSCAR_ORDER_STATUS_PIPELINE lets staff move {status!r} orders to {', '.join(map(repr, exits))}.",
                f'"{status}": (): only what Khalti says about the payment moves it.',
            )


def _oscars_own() -> Messages:
    ours = "loyalink_khalti.hosts.oscar.apps"
    theirs = {
        "checkout": ("oscar.apps.checkout.apps.CheckoutConfig", "the checkout does not offer Khalti"),
        "customer": ("oscar.apps.customer.apps.CustomerConfig", "members see orders that are not paid yet"),
        "orders_dashboard": (
            "oscar.apps.dashboard.orders.apps.OrdersDashboardConfig",
            "staff see orders that are not paid yet among the others",
        ),
    }
    for label, (path, harm) in theirs.items():
        config = type(apps.app_configs[label]) if label in apps.app_configs else None
        if config and f"{config.__module__}.{config.__qualname__}" == path:
            message = (error, 25) if label == "checkout" else (warning, 26)
            name = path.rpartition(".")[2]
            yield message[0](message[1], f"{path} is still installed: {harm}.", f'In its place: "{ours}.{name}"')
