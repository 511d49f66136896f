"""Addresses of the campaigns' pages, below Wagtail's admin."""

from django.urls import path

from .listing import CampaignsView
from .views import DeleteView, EditView, EndView, ExampleView

urlpatterns = [
    path("", CampaignsView.as_view(), name="loyalink_khalti_campaigns"),
    path("results/", CampaignsView.as_view(results_only=True), name="loyalink_khalti_campaigns_results"),
    path("add/", EditView.as_view(), name="loyalink_khalti_campaign_add"),
    path("example/", ExampleView.as_view(), name="loyalink_khalti_campaign_example"),
    path("<int:pk>/", EditView.as_view(), name="loyalink_khalti_campaign_edit"),
    path("<int:pk>/example/", ExampleView.as_view(), name="loyalink_khalti_campaign_example"),
    path("<int:pk>/end/", EndView.as_view(), name="loyalink_khalti_campaign_end"),
    path("<int:pk>/delete/", DeleteView.as_view(), name="loyalink_khalti_campaign_delete"),
]
