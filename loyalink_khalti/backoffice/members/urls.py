"""Where the pages of members are."""

from django.urls import URLPattern, path

from . import adjust, ask, erase, export, freeze, listing, merge, page


def admin_urls() -> list[URLPattern]:
    one, name = "khalti/members/<int:pk>/", "loyalink_khalti_member"
    results = listing.MembersView.as_view(results_only=True)
    return [
        path("khalti/members/", listing.MembersView.as_view(), name="loyalink_khalti_members"),
        path("khalti/members/results/", results, name="loyalink_khalti_members_results"),
        path(one, page.MemberPage.as_view(), name=name),
        path(f"{one}adjust/", adjust.AdjustView.as_view(), name=f"{name}_adjust"),
        path(f"{one}freeze/", freeze.FreezeView.as_view(), name=f"{name}_freeze"),
        path(f"{one}merge/", merge.MergeView.as_view(), name=f"{name}_merge"),
        path(f"{one}export/", export.ExportView.as_view(), name=f"{name}_export"),
        path(f"{one}erase/", erase.EraseView.as_view(), name=f"{name}_erase"),
        path(f"{one}holds/<int:hold>/ask/", ask.AskView.as_view(), name=f"{name}_ask"),
    ]
