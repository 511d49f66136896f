"""Where Wagtail looks for what we add to its admin."""

from django.apps import apps
from wagtail import hooks
from wagtail.admin.admin_url_finder import register_admin_url_finder
from wagtail.contrib.settings.models import register_setting

from loyalink_khalti.backoffice import attention, frame, log, menu, permissions, rules_views, saved, summary, views
from loyalink_khalti.backoffice.campaigns import urls as campaigns
from loyalink_khalti.backoffice.campaigns.menu import LoyaltyMenuItem
from loyalink_khalti.backoffice.finder import MemberFinder, PaymentFinder
from loyalink_khalti.backoffice.members import logged as members_logged
from loyalink_khalti.backoffice.members import urls as members
from loyalink_khalti.backoffice.models import KhaltiSettings, LoyaltySettings
from loyalink_khalti.backoffice.payments import urls as payments
from loyalink_khalti.backoffice.reports import urls as reports
from loyalink_khalti.backoffice.shop_link import ShopMenuItem
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Payment

if apps.is_installed("wagtail.contrib.settings"):  # without it, a setting would break all of Wagtail's admin
    register_setting(KhaltiSettings, icon="key", order=50)
    register_setting(LoyaltySettings, icon="tag", order=51)
    hooks.register(menu.LOYALTY_HOOK, LoyaltyMenuItem.settings)

# On every page, and the first
hooks.register("register_icons", frame.icons)
hooks.register("insert_global_admin_css", frame.stylesheet)
hooks.register("register_log_actions", log.register)
hooks.register("register_permissions", permissions.permissions)
hooks.register("construct_homepage_panels", attention.add_panel)
hooks.register("construct_homepage_summary_items", summary.add_items)

# Settings
hooks.register("register_admin_urls", views.admin_urls)
hooks.register("register_admin_urls", rules_views.admin_urls)
hooks.register("before_edit_setting", views.keep_the_key_out_of_error_reports)
hooks.register("before_edit_setting", rules_views.save_rules, order=1000)  # the last: it answers
hooks.register("after_edit_setting", saved.tell)

# Payments
hooks.register("register_admin_urls", payments.admin_urls)
hooks.register("register_admin_menu_item", payments.menu_item)
register_admin_url_finder(Payment, PaymentFinder)

# Members and campaigns
hooks.register("register_admin_menu_item", menu.loyalty_item)
hooks.register(menu.LOYALTY_HOOK, menu.members_item)
hooks.register(menu.LOYALTY_HOOK, LoyaltyMenuItem.campaigns)
hooks.register("register_admin_urls", members.admin_urls)
hooks.register("register_admin_urls", campaigns.admin_urls)
hooks.register("register_log_actions", members_logged.register)
register_admin_url_finder(Account, MemberFinder)

# Reports
hooks.register("register_admin_urls", reports.urls)
for item in reports.menu_items():
    hooks.register("register_reports_menu_item", item)

# The shop's own back office
hooks.register("register_admin_menu_item", ShopMenuItem)
