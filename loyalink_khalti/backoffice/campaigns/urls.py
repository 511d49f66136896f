"""Addresses of the campaigns' pages, below Wagtail's admin."""

from django.urls import URLPattern, path

from .listing import CampaignsView
from .views import DeleteView, EditView, EndView, ExampleView

_WHERE = "khalti/campaigns/"


def admin_urls() -> list[URLPattern]:
    results = CampaignsView.as_view(results_only=True)
    return [
        path(_WHERE, CampaignsView.as_view(), name="loyalink_khalti_campaigns"),
        path(f"{_WHERE}results/", results, name="loyalink_khalti_campaigns_results"),
        path(f"{_WHERE}add/", EditView.as_view(), name="loyalink_khalti_campaign_add"),
        path(f"{_WHERE}example/", ExampleView.as_view(), name="loyalink_khalti_campaign_example"),
        path(f"{_WHERE}<int:pk>/", EditView.as_view(), name="loyalink_khalti_campaign_edit"),
        path(f"{_WHERE}<int:pk>/example/", ExampleView.as_view(), name="loyalink_khalti_campaign_example"),
        path(f"{_WHERE}<int:pk>/end/", EndView.as_view(), name="loyalink_khalti_campaign_end"),
        path(f"{_WHERE}<int:pk>/delete/", DeleteView.as_view(), name="loyalink_khalti_campaign_delete"),
    ]
