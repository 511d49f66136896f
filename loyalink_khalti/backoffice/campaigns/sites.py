"""For which sites somebody may look after campaigns: those whose loyalty settings they may edit."""

from typing import Any

from wagtail.permission_policies.sites import SitePermissionPolicy

from loyalink_khalti import conf
from loyalink_khalti.backoffice.guard import Guarded
from loyalink_khalti.backoffice.models import LoyaltySettings
from loyalink_khalti.staff.may import LOYALTY_SETTINGS


def may_somewhere(user: Any) -> bool:
    """Whether somebody may for any site, as Wagtail's settings ask."""
    return bool(SitePermissionPolicy(LoyaltySettings).user_has_permission(user, "change"))


def editable(user: Any) -> dict[str, str]:
    """The keys of the sites for which they may, with their names."""
    sites = SitePermissionPolicy(LoyaltySettings).sites_user_has_permission_for(user, "change")
    return {conf.key_of_site(site): str(site) for site in sites.order_by("-is_default_site", "hostname", "port")}


class ForSites(Guarded):
    """A view for whoever may edit the loyalty settings of some site."""

    permission = LOYALTY_SETTINGS

    def may(self, permission: str) -> bool:
        return may_somewhere(self.request.user)
