"""URLs of a site with pages that sell: one include brings the basket, the checkout and the return from Khalti::

    path("khalti/", include("loyalink_khalti.hosts.page.urls")),

Outside ``i18n_patterns``, and before Wagtail's catch-all. A site that includes ``loyalink_khalti.storefront.urls``
already, as an Oscar shop does, includes ``loyalink_khalti.hosts.page.page_urls`` beside it.
"""

from django.urls import include, path

urlpatterns = [
    path("", include("loyalink_khalti.hosts.page.page_urls")),
    path("", include("loyalink_khalti.storefront.urls")),
]
