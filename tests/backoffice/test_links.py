"""Links to the page of a payment or a member, if the project has one."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import path

from loyalink_khalti.backoffice import links


def page(_request: HttpRequest, **_which: int) -> HttpResponse:
    return HttpResponse()


urlpatterns = [
    path("payments/<int:pk>/", page, name="loyalink_khalti_payment"),
    path("members/<int:pk>/", page, name="loyalink_khalti_member"),
    path("members/", page, name="loyalink_khalti_members"),
]


@pytest.mark.parametrize(
    ("urlconf", "urls"), [(__name__, ("/payments/7/", "/members/8/", "/members/")), ("tests.flow.urls", ("", "", ""))]
)
def test_a_link_is_empty_without_a_page(settings: Any, urlconf: str, urls: tuple[str, ...]) -> None:
    settings.ROOT_URLCONF = urlconf

    assert (links.payment_url(7), links.member_url(8), links.members_url()) == urls
