"""URLs of the storefront. Include them at a fixed path such as ``khalti/``, outside ``i18n_patterns`` and before any
catch-all pattern.
"""

from django.urls import path, re_path

from . import views
from .claim import ClaimView

app_name = "loyalink_khalti"

_TOKEN = r"(?P<token>[A-Za-z0-9_-]{1,64})"  # noqa: S105 - a pattern; a link that was cut short gets "Payment not found"

urlpatterns = [
    # Khalti appends "/?status=…" to a return_url on some of its channels, so any number of slashes may follow.
    # https://docs.khalti.com/khalti-epayment/#getting-the-redirect-url-from-the-response
    re_path(rf"^return/{_TOKEN}/$", views.ReturnView.as_view(), name="return"),
    re_path(rf"^return/{_TOKEN}/*$", views.ReturnView.as_view()),
    re_path(rf"^status/{_TOKEN}/$", views.StatusView.as_view(), name="status"),
    re_path(rf"^pay/{_TOKEN}/$", views.PayView.as_view(), name="pay"),
    re_path(rf"^cancel/{_TOKEN}/$", views.CancelView.as_view(), name="cancel"),
    path("claim/<str:token>/", ClaimView.as_view(), name="claim"),
    path("", views.not_found, name="index"),
]
