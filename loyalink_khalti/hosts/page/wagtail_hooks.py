"""Registers orders, stock and settings of pages that sell with Wagtail's admin."""

from django.apps import apps
from wagtail import hooks
from wagtail.admin.admin_url_finder import register_admin_url_finder
from wagtail.contrib.settings.models import register_setting

from .desk import menu, order_log, order_permissions, urls
from .models import Order, PageShopSettings, Stock

if apps.is_installed("wagtail.contrib.settings"):  # without it, a setting would break all of Wagtail's admin
    register_setting(PageShopSettings, icon="loyalink-shop", order=49)

hooks.register("register_permissions", order_permissions.assignable_permissions)
hooks.register("register_log_actions", order_log.register)
hooks.register("register_admin_urls", urls.orders_urls)
hooks.register("register_admin_urls", urls.stock_urls)
hooks.register("register_admin_menu_item", menu.orders_item)
hooks.register("register_admin_menu_item", menu.stock_item)
hooks.register("construct_homepage_summary_items", menu.add_orders_to_send)
register_admin_url_finder(Order, urls.OrderURLFinder)
register_admin_url_finder(Stock, urls.StockURLFinder)
