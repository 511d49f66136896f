"""The sandbox's addresses, with Salesman's API and the pages that it has in Wagtail's admin."""

from django.urls import include, path
from wagtail.admin.auth import require_admin_access
from wagtail.utils.urlpatterns import decorate_urlpatterns

from loyalink_khalti.hosts.salesman import desk
from sandbox.urls import urlpatterns as sandbox_urls

urlpatterns = [
    path("salesman/", include("salesman.urls")),
    # In a shop Wagtail asks for them when its URLs are imported; here another shop was named then.
    path("admin/", include(decorate_urlpatterns(desk.urls(), require_admin_access))),
    *sandbox_urls,
]
