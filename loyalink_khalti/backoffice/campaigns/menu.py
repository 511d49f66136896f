"""Items of the menu "Loyalty": campaigns, and the settings."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail.admin.menu import MenuItem

from .sites import may_somewhere


class LoyaltyMenuItem(MenuItem):
    """Shown to whoever may edit the loyalty settings of some site."""

    def is_shown(self, request: HttpRequest) -> bool:
        return may_somewhere(request.user)

    @classmethod
    def campaigns(cls) -> "LoyaltyMenuItem":
        return cls(
            _("Campaigns"),
            reverse("loyalink_khalti_campaigns"),
            name="loyalink-khalti-campaigns",
            icon_name="calendar-alt",
            order=300,
        )

    @classmethod
    def settings(cls) -> "LoyaltyMenuItem":
        address = reverse("wagtailsettings:edit", args=("loyalink_khalti", "loyaltysettings"))
        name = "loyalink-khalti-loyalty-settings"
        return cls(_("Loyalty settings"), address, name=name, icon_name="tag", order=900)
