"""The API, the payment's own pages, Wagtail's admin, and a page that buys."""

from django.contrib.auth import views as auth
from django.urls import include, path
from rest_framework.authtoken.views import obtain_auth_token
from wagtail.admin import urls as wagtailadmin_urls

from .views import Index, teas

urlpatterns = [
    path("admin/", include(wagtailadmin_urls)),
    path("api/teas/", teas),
    path("api/token/", obtain_auth_token),
    path("api/", include("salesman.urls")),
    path("khalti/", include("loyalink_khalti.storefront.urls")),
    path("login/", auth.LoginView.as_view(), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("", Index.as_view()),
]
