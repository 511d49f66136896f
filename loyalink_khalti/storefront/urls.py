"""URLs of the storefront. Include them at a fixed path such as ``khalti/``, outside ``i18n_patterns`` and before any
catch-all pattern.
"""

from django.urls import path, re_path

from loyalink_khalti.token_pages import TOKEN

from . import views
from .claim import ClaimView
from .counter import ClaimByMailView, ClaimReceiptView, ShowCodeView
from .health import HealthView
from .invoices import InvoiceView
from .look import ThemeView
from .mails import MailsView
from .membership import AcceptTermsView, LeaveView, PointsCardView
from .new_account import NewAccountView
from .receipts import ReceiptView
from .status import StatusNewsView, StatusView

app_name = "loyalink_khalti"

urlpatterns = [
    # Khalti appends "/?status=…" to a return_url on some of its channels, so any number of slashes may follow.
    # https://docs.khalti.com/khalti-epayment/#getting-the-redirect-url-from-the-response
    path("return/<payment_token:token>/", views.ReturnView.as_view(), name="return"),
    re_path(rf"^return/(?P<token>{TOKEN})/*\Z", views.ReturnView.as_view()),
    path("status/<payment_token:token>/", StatusView.as_view(), name="status"),
    path("status/<payment_token:token>/news/", StatusNewsView.as_view(), name="status-news"),
    path("pay/<payment_token:token>/", views.PayView.as_view(), name="pay"),
    path("cancel/<payment_token:token>/", views.CancelView.as_view(), name="cancel"),
    path("claim/<signed_token:token>/", ClaimView.as_view(), name="claim"),
    path("points/", PointsCardView.as_view(), name="points"),
    path("points/accept/", AcceptTermsView.as_view(), name="accept_terms"),
    path("points/leave/", LeaveView.as_view(), name="leave"),
    path("points/code/", ShowCodeView.as_view(), name="counter_code"),
    path("points/receipts/", ClaimReceiptView.as_view(), name="counter_claim"),
    path("points/receipts/<counter_token:token>/", ClaimByMailView.as_view(), name="counter_claim_link"),
    path("receipt/<signed_token:token>.pdf", ReceiptView.as_view(), name="receipt"),
    path("invoice/<signed_token:token>/", InvoiceView.as_view(), name="invoice"),
    path("account/<signed_token:token>/", NewAccountView.as_view(), name="new_account"),
    path("mails/<signed_token:token>/", MailsView.as_view(), name="mails"),
    path("health/", HealthView.as_view(), name="health"),
    path("theme.css", ThemeView.as_view(), name="theme"),
    path("", views.not_found, name="index"),
]
