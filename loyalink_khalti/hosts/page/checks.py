"""What can be wrong with how this host is installed and configured; ``PageShop.check`` yields it."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.urls import NoReverseMatch, reverse

from loyalink_khalti import conf
from loyalink_khalti.hosts.common.payment_methods import BUILT_IN

from .product import KhaltiProductMixin, panel_fields
from .site_settings import SHOP, options

_OPTIONS_HINT = (
    f'LOYALINK_KHALTI["PAGE"] = {{"METHODS": {[str(code) for code in BUILT_IN]}}}, for example; see'
    " docs/configuration.md."
)
APP = "loyalink_khalti.hosts.page"


def messages() -> Iterator[checks.CheckMessage]:
    """Yield a message for each fault."""
    for fault in options.faults():
        yield checks.Error(fault, hint=_OPTIONS_HINT, id="loyalink_khalti.E057")
    if SHOP not in conf.get("SHOPS"):
        yield checks.Error(
            f'LOYALINK_KHALTI["SHOPS"] must name pages that sell {SHOP!r}: otherwise no order can be placed.',
            hint=f'LOYALINK_KHALTI["SHOPS"] = {{"{SHOP}": "{APP}.shop.PageShop"}}',
            id="loyalink_khalti.E061",
        )
    if getattr(settings, "ROOT_URLCONF", None):
        yield from _urls()
    yield from _models(apps)


def _urls() -> Iterator[checks.CheckMessage]:
    try:
        reverse("loyalink_khalti_page:basket")
    except NoReverseMatch:
        yield checks.Error(
            "The URLs of the basket, the checkout and the orders of pages that sell are missing.",
            hint=f'Add path("khalti/", include("{APP}.urls")) to the URLs, before Wagtail\'s catch-all.',
            id="loyalink_khalti.E058",
        )


def _models(registry: Any) -> Iterator[checks.CheckMessage]:
    models = [model for model in registry.get_models() if issubclass(model, KhaltiProductMixin)]
    if not models:
        yield checks.Warning(
            "No page model sells anything: none inherits from KhaltiProductMixin.",
            hint=f"from {APP}.product import KhaltiProductMixin; class TrekPage(KhaltiProductMixin, Page): ...",
            id="loyalink_khalti.W059",
        )
    for model in models:
        if "price" not in panel_fields(model.content_panels):
            yield checks.Warning(
                f"Editors cannot enter a price of {model.__name__}: its content_panels have no panel for it.",
                hint=f"content_panels = [*Page.content_panels, …, *{model.__name__}.product_panels]",
                obj=model,
                id="loyalink_khalti.W060",
            )
