"""All that the flow needs of a site: an address to come back to."""

from django.urls import include, path

urlpatterns = [path("khalti/", include("loyalink_khalti.storefront.urls"))]
