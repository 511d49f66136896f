"""The list of campaigns, the newest first."""

from typing import Any

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.admin.ui.tables import Column, StatusTagColumn, TitleColumn
from wagtail.admin.widgets.button import HeaderButton

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import Campaign
from loyalink_khalti.staff.listing import Listing
from loyalink_khalti.staff.permissions import LOYALTY_SETTINGS

from . import labels
from .editors import CampaignPermissionRequired, editable_sites
from .services import STATE_LABELS, CampaignState, campaign_state


class CampaignsView(CampaignPermissionRequired, Listing):  # type: ignore[override]  # as Wagtail's own mixins
    """List the campaigns of the sites that the user may edit."""

    model = Campaign
    page_title: Any = _("Campaigns")
    header_icon = "calendar-alt"
    export_permission = LOYALTY_SETTINGS
    index_url_name: Any = "loyalink_khalti_campaigns"
    index_results_url_name: Any = "loyalink_khalti_campaigns_results"
    results_template_name = "loyalink_khalti/backoffice/campaigns/results.html"
    is_searchable: Any = True
    search_fields: Any = ["name"]
    search_backend_name: Any = None
    list_export: Any = []

    def get_base_queryset(self) -> Any:
        return Campaign.objects.filter(site_key__in=self.sites).order_by("-starts_at", "-pk")

    @cached_property
    def sites(self) -> dict[str, str]:
        return editable_sites(self.request.user)

    @cached_property
    def columns(self) -> list[Column]:  # type: ignore[override]  # depends on the sites
        names = flow.category_names()
        columns = [
            TitleColumn("name", label=_("Name"), get_url=_edit_url),
            Column("period", label=_("From – to, Nepal time"), accessor=labels.period_label),
            Column("benefit", label=_("Benefit"), accessor=labels.benefit_label),
            Column("tags", label=_("Categories"), accessor=lambda row: labels.categories_label(row, names)),
            StatusTagColumn(
                "status",
                label=_("Status"),
                accessor=lambda row: STATE_LABELS[campaign_state(row)],
                primary=lambda row: campaign_state(row) is CampaignState.RUNNING,
            ),
        ]
        if len(self.sites) > 1:
            columns.insert(1, Column("site", label=_("Site"), accessor=lambda row: self.sites[row.site_key]))
        return columns

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:  # type: ignore[override]  # Wagtail's is an attribute
        return [HeaderButton(_("Add campaign"), url=reverse("loyalink_khalti_campaign_add"), icon_name="plus")]


def _edit_url(campaign: Campaign) -> str | None:
    """Return the URL of the form; None for an ended campaign, which cannot be changed."""
    if campaign_state(campaign) is CampaignState.ENDED:
        return None
    return reverse("loyalink_khalti_campaign_edit", args=(campaign.pk,))
