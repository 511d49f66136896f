"""All that the flow needs of a site: an address to come back to. What is shown there is the storefront's."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def come_back(_request: HttpRequest, token: str) -> HttpResponse:
    return HttpResponse(token)


ours = [
    path("return/<str:token>/", come_back, name="return"),
    path("claim/<str:token>/", come_back, name="claim"),
    path("status/<str:token>/", come_back, name="status"),
    path("mails/<str:token>/", come_back, name="mails"),
    path("points/receipts/<str:token>/", come_back, name="counter_claim_link"),
]
urlpatterns = [path("khalti/", include((ours, "loyalink_khalti")))]
