"""Registers the package with Wagtail's admin: settings, menus, pages, reports and log actions."""

from django.apps import apps
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from wagtail import hooks
from wagtail.admin.admin_url_finder import register_admin_url_finder
from wagtail.contrib.settings.models import register_setting

from loyalink_khalti.backoffice import access, home, log, navigation, urls
from loyalink_khalti.backoffice.approvals import panels as approvals
from loyalink_khalti.backoffice.campaigns.editors import LoyaltyMenuItem
from loyalink_khalti.backoffice.counter import log as counter_log
from loyalink_khalti.backoffice.counter.views import CounterSaleURLFinder
from loyalink_khalti.backoffice.invoices import log as invoices_log
from loyalink_khalti.backoffice.invoices import order as order_invoices
from loyalink_khalti.backoffice.links import (
    InvoiceURLFinder,
    MemberURLFinder,
    OrderURLFinder,
    PaymentURLFinder,
    UnmatchedURLFinder,
)
from loyalink_khalti.backoffice.members import log as members_log
from loyalink_khalti.backoffice.models import InvoiceSettings, KhaltiSettings, LoyaltySettings, ShopDetails
from loyalink_khalti.backoffice.orders import sections as order_sections
from loyalink_khalti.backoffice.payments import log as payments_log
from loyalink_khalti.backoffice.reports import registry as reports
from loyalink_khalti.backoffice.rules import views as rules_views
from loyalink_khalti.backoffice.settings import recent_changes, switch
from loyalink_khalti.backoffice.settings import views as settings_views
from loyalink_khalti.backoffice.statements import log as statements_log
from loyalink_khalti.backoffice.statements.listing import StatementURLFinder
from loyalink_khalti.backoffice.takings import log as takings_log
from loyalink_khalti.backoffice.takings import week
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments import invoices
from loyalink_khalti.payments.counter_sales import CounterSale
from loyalink_khalti.payments.invoices import Invoice
from loyalink_khalti.payments.models import Payment, Refund
from loyalink_khalti.payments.notes import PurchaseNote
from loyalink_khalti.payments.received import ReceivedMoney
from loyalink_khalti.payments.statements import SettledDay, Statement, StatementDifference
from loyalink_khalti.payments.unmatched import UnmatchedPayment
from loyalink_khalti.staff import payment_search


def add_icons(icons: list[str]) -> list[str]:
    return [*icons, "loyalink_khalti/icons/loyalink-rupee.svg", "loyalink_khalti/icons/loyalink-shop.svg"]


def add_stylesheet() -> SafeString:
    return format_html('<link rel="stylesheet" href="{}">', static("loyalink_khalti/desk.css"))


if apps.is_installed("wagtail.contrib.settings"):  # without it, a setting would break all of Wagtail's admin
    register_setting(KhaltiSettings, icon="key", order=50)
    register_setting(LoyaltySettings, icon="tag", order=51)
    register_setting(ShopDetails, icon="home", order=52)
    register_setting(InvoiceSettings, icon="doc-full", order=53)
    hooks.register(navigation.LOYALTY_MENU_HOOK, LoyaltyMenuItem.settings)


# Every page, and the dashboard
hooks.register("register_icons", add_icons)
hooks.register("insert_global_admin_css", add_stylesheet)
hooks.register("register_log_actions", log.register)
hooks.register("register_permissions", access.assignable_permissions)
hooks.register("construct_homepage_panels", home.add_review_panel)
hooks.register("construct_homepage_panels", week.add_week_panel)
hooks.register("construct_homepage_panels", recent_changes.add_key_changes_panel)
hooks.register("construct_homepage_panels", approvals.add_approvals_panel)
hooks.register("construct_homepage_panels", switch.add_switch_panel)
hooks.register("construct_homepage_summary_items", home.add_summary_items)

# Settings
hooks.register("register_admin_urls", urls.settings_urls)
hooks.register("before_edit_setting", settings_views.hide_key_in_error_reports)
hooks.register("before_edit_setting", rules_views.save_rules, order=1000)  # last, because it returns the response
hooks.register("after_edit_setting", rules_views.report_saved_rules)
hooks.register("after_edit_setting", settings_views.suggest_key_test)

# Orders and payments
hooks.register("register_admin_urls", urls.payments_urls)
hooks.register("register_admin_urls", urls.orders_urls)
hooks.register("register_log_actions", payments_log.register)
hooks.register("register_admin_menu_item", navigation.payments_item)
register_admin_url_finder(Payment, PaymentURLFinder)
register_admin_url_finder(PurchaseNote, OrderURLFinder)
register_admin_url_finder(ReceivedMoney, OrderURLFinder)
register_admin_url_finder(Refund, OrderURLFinder)
register_admin_url_finder(UnmatchedPayment, UnmatchedURLFinder)

# Invoices
hooks.register("register_admin_urls", urls.invoices_urls)
hooks.register("register_log_actions", invoices_log.register)
hooks.register("register_admin_menu_item", navigation.invoices_item)
register_admin_url_finder(Invoice, InvoiceURLFinder)
order_sections.SECTIONS.append(order_invoices.invoices_section)
order_sections.BUTTONS.append(order_invoices.packing_slip_button)
payment_search.FINDERS.append(invoices.purchases_of)

# Members and campaigns
hooks.register("register_admin_menu_item", navigation.loyalty_item)
hooks.register(navigation.LOYALTY_MENU_HOOK, navigation.members_item)
hooks.register(navigation.LOYALTY_MENU_HOOK, LoyaltyMenuItem.campaigns)
hooks.register("register_admin_urls", urls.members_urls)
hooks.register("register_admin_urls", urls.campaigns_urls)
hooks.register("register_log_actions", members_log.register)
register_admin_url_finder(Account, MemberURLFinder)

# The counter
hooks.register(navigation.LOYALTY_MENU_HOOK, navigation.counter_item)
hooks.register("register_admin_urls", urls.counter_urls)
hooks.register("register_log_actions", counter_log.register)
register_admin_url_finder(CounterSale, CounterSaleURLFinder)

# Statements
hooks.register("register_admin_urls", urls.statements_urls)
hooks.register("register_log_actions", statements_log.register)
hooks.register("register_admin_menu_item", navigation.statements_item)
register_admin_url_finder(Statement, StatementURLFinder)
register_admin_url_finder(StatementDifference, StatementURLFinder)
register_admin_url_finder(SettledDay, StatementURLFinder)

# Reports
hooks.register("register_admin_urls", urls.reports_urls)
hooks.register("register_reports_menu_item", navigation.daily_close_item)
hooks.register("register_log_actions", takings_log.register)
for item in reports.menu_items():
    hooks.register("register_reports_menu_item", item)

# The shop's own back office
hooks.register("register_admin_urls", urls.shops_urls)
hooks.register("register_admin_menu_item", navigation.ShopMenuItem)
