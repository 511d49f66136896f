"""The shop's products in Wagtail's admin, and Wagtail's pages in Oscar's dashboard menu.

Our AppConfigs keep Oscar's names, so Wagtail does not find this module by itself: ``apps`` imports it. A shop that has
forked both ``checkout`` and ``dashboard.orders`` writes into a ``wagtail_hooks.py`` of its own::

    import loyalink_khalti.hosts.oscar.wagtail_hooks
"""

from typing import Any

from oscar.core.loading import get_model
from wagtail import hooks
from wagtail.admin.admin_url_finder import register_admin_url_finder

from . import deleted_orders, navigation
from .catalogue.chooser import ProductURLFinder, product_chooser


def products() -> Any:
    return product_chooser


register_admin_url_finder(get_model("catalogue", "Product"), ProductURLFinder)
hooks.register("register_admin_viewset", products)
navigation.add_menu_entry()
deleted_orders.protect()
