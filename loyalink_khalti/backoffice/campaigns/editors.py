"""Who may edit campaigns: users who may edit the loyalty settings of a site, for that site."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail.admin.menu import MenuItem
from wagtail.permission_policies.sites import SitePermissionPolicy

from loyalink_khalti import conf
from loyalink_khalti.backoffice.models import LoyaltySettings
from loyalink_khalti.staff.access import PermissionRequired
from loyalink_khalti.staff.permissions import LOYALTY_SETTINGS


def may_edit_any_site(user: Any) -> bool:
    """Return whether the user may edit the loyalty settings of at least one site."""
    return bool(SitePermissionPolicy(LoyaltySettings).user_has_permission(user, "change"))


def editable_sites(user: Any) -> dict[str, str]:
    """Return the names of the sites whose loyalty settings the user may edit, by site key."""
    sites = SitePermissionPolicy(LoyaltySettings).sites_user_has_permission_for(user, "change")
    ordered = list(sites.order_by("-is_default_site", "hostname", "port"))
    keys = conf.site_keys(ordered)
    return {keys[site.pk]: str(site) for site in ordered}


class CampaignPermissionRequired(PermissionRequired):
    """A view for users who may edit the loyalty settings of at least one site."""

    permission = LOYALTY_SETTINGS

    def has_permission(self, permission: str) -> bool:
        return may_edit_any_site(self.request.user)


class LoyaltyMenuItem(MenuItem):
    """An item of the menu "Loyalty" for users who may edit the loyalty settings of at least one site."""

    def is_shown(self, request: HttpRequest) -> bool:
        return may_edit_any_site(request.user)

    @classmethod
    def campaigns(cls) -> "LoyaltyMenuItem":
        url, name = reverse("loyalink_khalti_campaigns"), "loyalink-khalti-campaigns"
        return cls(_("Campaigns"), url, name=name, icon_name="calendar-alt", order=300)

    @classmethod
    def settings(cls) -> "LoyaltyMenuItem":
        url = reverse("wagtailsettings:edit", args=("loyalink_khalti", "loyaltysettings"))
        name = "loyalink-khalti-loyalty-settings"
        return cls(_("Loyalty settings"), url, name=name, icon_name="tag", order=900)
