"""A page that names a payment or a member leads to its page, where the shop has one."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import path

from loyalink_khalti.backoffice import links


def look(_request: HttpRequest, **_which: int) -> HttpResponse:
    return HttpResponse()


urlpatterns = [
    path("payments/<int:pk>/", look, name="loyalink_khalti_payment"),
    path("members/<int:pk>/", look, name="loyalink_khalti_member"),
    path("members/", look, name="loyalink_khalti_members"),
]


@pytest.mark.parametrize(
    ("pages", "found"), [(__name__, ("/payments/7/", "/members/8/", "/members/")), ("tests.flow.urls", ("", "", ""))]
)
def test_a_link_leads_to_the_page_or_is_none(settings: Any, pages: str, found: tuple[str, ...]) -> None:
    settings.ROOT_URLCONF = pages

    assert (links.payment_url(7), links.member_url(8), links.members_url()) == found
