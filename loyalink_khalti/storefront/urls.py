"""To be included at a fixed path, ``khalti/`` say, outside ``i18n_patterns`` and before any catch-all."""

from django.urls import path, re_path

from . import views
from .claim import ClaimView

app_name = "loyalink_khalti"

_TOKEN = r"(?P<token>[A-Za-z0-9_-]{1,64})"  # noqa: S105 - a pattern; a link that was cut short is told so

urlpatterns = [
    # Khalti glues "/?status=…" to a return_url on some of its channels, so any number of slashes may follow.
    re_path(rf"^return/{_TOKEN}/$", views.ReturnView.as_view(), name="return"),
    re_path(rf"^return/{_TOKEN}/*$", views.ReturnView.as_view()),
    re_path(rf"^status/{_TOKEN}/$", views.StatusView.as_view(), name="status"),
    re_path(rf"^pay/{_TOKEN}/$", views.PayView.as_view(), name="pay"),
    re_path(rf"^again/{_TOKEN}/$", views.StartAgainView.as_view(), name="again"),
    path("claim/<str:token>/", ClaimView.as_view(), name="claim"),
    path("", views.nothing_here, name="index"),
]
