"""What can be wrong with how this host is installed and configured; ``SalesmanShop.check`` yields it."""

from collections.abc import Iterator, Sequence

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, reverse
from salesman.basket.modifiers import basket_modifiers_pool
from salesman.checkout.payment import PaymentMethod, payment_methods_pool
from salesman.conf import app_settings

from loyalink_khalti.hosts.common.payment_methods import BUILT_IN

from . import payment
from .modifiers import PointsModifier
from .settings import STATUSES, faults, options

APPS = ("salesman.core", "salesman.basket", "salesman.checkout", "salesman.orders", "rest_framework")
_PATHS = {
    kind.identifier: f"loyalink_khalti.hosts.salesman.payment.{kind.__name__}"
    for kind in (payment.Khalti, payment.CashOnDelivery, payment.BankTransfer)
}
_POINTS = "loyalink_khalti.hosts.salesman.modifiers.PointsModifier"
_HINT = 'LOYALINK_KHALTI["SALESMAN"] = {"SHOP_NAME": "Ilam Tea House"}, for example; see docs/hosts/salesman.md.'


def messages() -> Iterator[checks.CheckMessage]:
    """Yield a message for each fault."""
    for fault in faults():
        yield checks.Error(fault, hint=_HINT, id="loyalink_khalti.E062")
    if missing := [name for name in APPS if not apps.is_installed(name)]:
        yield checks.Error(
            f"Salesman's checkout needs apps that are not installed: {', '.join(missing)}.",
            hint="Add them to INSTALLED_APPS: " + ", ".join(f'"{name}"' for name in missing),
            id="loyalink_khalti.E063",
        )
        return
    try:
        methods, modifiers = payment_methods_pool.get_payments(), basket_modifiers_pool.get_modifiers()
    except ImproperlyConfigured as exc:  # Salesman itself says so at the first request
        yield checks.Error(f"Salesman's settings: {exc}", id="loyalink_khalti.E063")
        return
    yield from _methods(methods)
    yield from _modifiers(modifiers)
    yield from _statuses()
    yield from _urls()
    yield from _admin()


def _methods(methods: list[PaymentMethod]) -> Iterator[checks.CheckMessage]:
    if not any(each.identifier in BUILT_IN for each in methods):
        yield checks.Error(
            "SALESMAN_PAYMENT_METHODS has none of our payment methods, so nothing is paid with Khalti.",
            hint=f'SALESMAN_PAYMENT_METHODS = ["{_PATHS["khalti"]}"]',
            id="loyalink_khalti.E064",
        )
    for each in methods:
        kind = type(each)
        if each.identifier in BUILT_IN and not isinstance(each, payment.FlowMethod):
            yield checks.Error(
                f"{kind.__module__}.{kind.__qualname__} has the identifier {each.identifier!r}, which is ours.",
                hint=f'Give it another one, or name "{_PATHS[each.identifier]}" in its place.',
                id="loyalink_khalti.E064",
            )
        lost = [name for name in ("basket_payment", "order_payment") if _is_lost(kind, name)]
        if lost:
            yield checks.Error(
                f"{kind.__module__}.{kind.__qualname__} inherits {' and '.join(lost)}; Salesman offers a method only"
                " by what its class itself defines.",
                hint=f"Define it there: def {lost[0]}(self, obj, request): return super().{lost[0]}(obj, request)",
                id="loyalink_khalti.E065",
            )
    if methods and settings.DATABASES["default"].get("ATOMIC_REQUESTS"):
        yield checks.Error(
            "ATOMIC_REQUESTS is on, so Salesman's checkout runs in a transaction, and no payment can be begun.",
            hint='DATABASES["default"]["ATOMIC_REQUESTS"] = False: the flow has transactions of its own.',
            id="loyalink_khalti.E066",
        )


def _is_lost(kind: type, name: str) -> bool:
    """Return whether a class below one of ours only inherits what Salesman looks for in the class itself."""
    ours = issubclass(kind, payment.FlowMethod) and not kind.__module__.startswith("loyalink_khalti.")
    return ours and name not in vars(kind) and getattr(kind, name) is not getattr(PaymentMethod, name)


def _modifiers(modifiers: Sequence[object]) -> Iterator[checks.CheckMessage]:
    ours = [number for number, each in enumerate(modifiers) if isinstance(each, PointsModifier)]
    if not ours:
        yield checks.Warning(
            "SALESMAN_BASKET_MODIFIERS lacks our points, so members cannot use theirs.",
            hint=f'SALESMAN_BASKET_MODIFIERS = [..., "{_POINTS}"], as the last one.',
            id="loyalink_khalti.W067",
        )
    elif ours[0] != len(modifiers) - 1:
        after = type(modifiers[-1])
        yield checks.Error(
            f"{after.__module__}.{after.__qualname__} comes after our points in SALESMAN_BASKET_MODIFIERS: points may"
            " be more than is left to pay.",
            hint=f'Put "{_POINTS}" last.',
            id="loyalink_khalti.E068",
        )


def _statuses() -> Iterator[checks.CheckMessage]:
    chosen, known = options(), set(app_settings.SALESMAN_ORDER_STATUS.values)
    if missing := [getattr(chosen, name) for name in STATUSES if getattr(chosen, name) not in known]:
        yield checks.Error(
            f"SALESMAN_ORDER_STATUS lacks {', '.join(map(repr, missing))}.",
            hint='Add it, or name the shop\'s own status: LOYALINK_KHALTI["SALESMAN"] = {"HELD": "AWAITING"}.',
            id="loyalink_khalti.E069",
        )


def _urls() -> Iterator[checks.CheckMessage]:
    try:
        reverse("salesman-checkout-list")
        if any(each.identifier == "khalti" for each in payment_methods_pool.get_payments()):
            reverse("loyalink_khalti_salesman_points")
    except NoReverseMatch:
        yield checks.Error(
            "Salesman's URLs are missing, or have a namespace.",
            hint='path("api/", include("salesman.urls")) in the URLs, without a namespace and before Wagtail\'s.',
            id="loyalink_khalti.E070",
        )


def _admin() -> Iterator[checks.CheckMessage]:
    if apps.is_installed("salesman.admin") and app_settings.SALESMAN_ADMIN_REGISTER:
        yield checks.Warning(
            "Salesman's own admin (1.3) prints addresses without escaping them: a customer can run a script as a"
            " member of staff who opens the order. Its buttons change payments and statuses past the flow, too.",
            hint='SALESMAN_ADMIN_REGISTER = False. Our order pages are in Wagtail\'s admin, under "Orders".',
            id="loyalink_khalti.W071",
        )
