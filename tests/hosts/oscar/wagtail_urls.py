"""The store with the pages of Wagtail's admin to which Oscar's dashboard links."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from sandbox.urls import urlpatterns as store


def there(_request: HttpRequest, _pk: int | None = None) -> HttpResponse:
    return HttpResponse("there")


urlpatterns = [
    path("desk/payments/", there, name="loyalink_khalti_payments"),
    path("desk/payments/<int:_pk>/", there, name="loyalink_khalti_payment"),
    path("desk/members/", there, name="loyalink_khalti_members"),
    path("desk/movement/", there, name="loyalink_khalti_report_movement"),
    *store,
]
