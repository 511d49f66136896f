"""The list of campaigns, newest first."""

from typing import Any

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.admin.ui.tables import Column, StatusTagColumn, TitleColumn
from wagtail.admin.widgets.button import HeaderButton

from loyalink_khalti.backoffice.categories import known
from loyalink_khalti.backoffice.listing import Listing
from loyalink_khalti.backoffice.models import Campaign
from loyalink_khalti.staff.may import LOYALTY_SETTINGS

from . import words
from .rows import STATES, State, state
from .sites import ForSites, editable


class CampaignsView(ForSites, Listing):  # type: ignore[override]  # as Wagtail's own mixture
    """What runs, will run and has run."""

    model = Campaign
    page_title: Any = _("Campaigns")
    header_icon = "calendar-alt"
    export_permission = LOYALTY_SETTINGS
    index_url_name: Any = "loyalink_khalti_campaigns"
    index_results_url_name: Any = "loyalink_khalti_campaigns_results"
    results_template_name = "loyalink_khalti/backoffice/campaigns_results.html"
    is_searchable: Any = True
    search_fields: Any = ["name"]
    search_backend_name: Any = None
    list_export: Any = []

    def get_base_queryset(self) -> Any:
        return Campaign.objects.filter(site_key__in=self.sites).order_by("-starts_at", "-pk")

    @cached_property
    def sites(self) -> dict[str, str]:
        return editable(self.request.user)

    @cached_property
    def columns(self) -> list[Column]:  # type: ignore[override]  # by site
        names = known()
        columns = [
            TitleColumn("name", label=_("Name"), get_url=_edit),
            Column("period", label=_("From – to, Nepal time"), accessor=words.period),
            Column("gives", label=_("Gives"), accessor=words.gives),
            Column("tags", label=_("For"), accessor=lambda one: words.categories(one, names)),
            StatusTagColumn(
                "status",
                label=_("Status"),
                accessor=lambda one: STATES[state(one)],
                primary=lambda one: state(one) is State.RUNNING,
            ),
        ]
        if len(self.sites) > 1:
            columns.insert(1, Column("site", label=_("Site"), accessor=lambda one: self.sites[one.site_key]))
        return columns

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:  # type: ignore[override]  # read only
        return [HeaderButton(_("Add campaign"), url=reverse("loyalink_khalti_campaign_add"), icon_name="plus")]


def _edit(campaign: Campaign) -> str | None:
    """Where it is edited; what is over stays as it was."""
    return None if state(campaign) is State.ENDED else reverse("loyalink_khalti_campaign_edit", args=(campaign.pk,))
