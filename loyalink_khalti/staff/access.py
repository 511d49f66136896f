"""Permission checks of pages in Wagtail's admin. A page that is not allowed answers 403 within Wagtail's frame."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti.nepal import KATHMANDU

from . import permissions


class PermissionRequired:
    """A view of Wagtail's admin that needs a permission, or another one for POST.

    It does not raise ``PermissionDenied``: Wagtail turns that into a redirect, which a script takes for success.
    It shows times in Nepal's, whatever ``TIME_ZONE`` is and whatever zone the member of staff has chosen in Wagtail:
    days, months and reports are Nepal's, too.
    """

    permission: str
    """The Django permission that the page needs."""
    post_permission: str | None = None
    """The permission that POST needs as well, where it differs."""

    request: HttpRequest

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        needed = self.post_permission if request.method == "POST" and self.post_permission else self.permission
        if not self.has_permission(self.permission) or not self.has_permission(needed):
            return forbidden(request)
        with timezone.override(KATHMANDU):
            response: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # of a view
            return response.render() if isinstance(response, SimpleTemplateResponse) else response

    def has_permission(self, permission: str) -> bool:
        return permissions.has_permission(self.request.user, permission)


def forbidden(request: HttpRequest, message: str = "") -> HttpResponse:
    """Return a page with status 403 that says what is missing."""
    context = {
        "title": _("Not allowed"),
        "icon": "lock",
        "message": message or _("You do not have permission to do this. Ask an administrator for it."),
        "detail": _("Nothing was changed."),
    }
    return TemplateResponse(request, "loyalink_khalti/staff/message.html", context, status=403)


def export_refused(request: HttpRequest, errors: str, *, list_url: str) -> HttpResponse:
    """Return a page with status 400 that names the invalid filters: an export of all rows instead would mislead."""
    message = _("Nothing was exported: %(errors)s") % {"errors": errors}
    context = {"title": _("Not exported"), "icon": "warning", "message": message, "list_url": list_url}
    return TemplateResponse(request, "loyalink_khalti/staff/message.html", context, status=400)
