"""Numbered checks of a shop that the adapter is plugged into; registered by its CheckoutConfig."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from .options import Options, options


def run(**_given: Any) -> list[checks.CheckMessage]:
    """Everything that is wrong with how the adapter is installed."""
    try:
        chosen = options()
    except ImproperlyConfigured as exc:
        hint = "docs/configuration.md has the keys."
        return [checks.Error(str(exc), hint=hint, id="loyalink_khalti.E027")]
    return [*_exits(chosen), *_order_of_apps()]


def _exits(chosen: Options) -> Iterator[checks.CheckMessage]:
    by_itself = {chosen.held, chosen.paid, chosen.refunded}
    for status, exits in getattr(settings, "OSCAR_ORDER_STATUS_PIPELINE", {}).items():
        for name in sorted(by_itself.intersection(exits)):
            yield checks.Warning(
                f"OSCAR_ORDER_STATUS_PIPELINE offers staff {name!r} after {status!r}, and the dashboard refuses it.",
                hint=f"Leave {name!r} out: money alone moves an order there (“Payment received”, say).",
                id="loyalink_khalti.W028",
            )


def _order_of_apps() -> Iterator[checks.CheckMessage]:
    from .apps import misplaced

    for label in misplaced():
        yield checks.Warning(
            f"The app {label!r} comes after ours in INSTALLED_APPS and has set its own views over ours.",
            hint="Put the lines of loyalink_khalti.hosts.oscar where Oscar's own lines were.",
            id="loyalink_khalti.W029",
        )
    names = [config.name for config in apps.get_app_configs()]
    if "oscar" in names and names.index("loyalink_khalti") > names.index("oscar"):
        yield checks.Warning(
            "loyalink_khalti comes after oscar in INSTALLED_APPS, so that Oscar's templates hide some of ours.",
            hint='Put "loyalink_khalti" above "oscar".',
            id="loyalink_khalti.W030",
        )
