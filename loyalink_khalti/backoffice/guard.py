"""Who may open a page of ours. Whoever may not is told so with a 403, in Wagtail's frame; buttons ask the same way."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from loyalink_khalti.staff.may import may


class Guarded:
    """A view of Wagtail's admin that needs a permission, or another one for each method.

    Not ``PermissionDenied``: Wagtail turns that into a redirect, which a script takes for success.
    """

    permission: str
    """The permission of Django without which nobody opens it."""
    post_permission: str | None = None
    """The one to POST, where it is another."""

    request: HttpRequest

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        needed = self.post_permission if request.method == "POST" and self.post_permission else self.permission
        if not self.may(self.permission) or not self.may(needed):
            return refused(request)
        response: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # a view's
        return response

    def may(self, permission: str) -> bool:
        return may(self.request.user, permission)


class GuardedSetting:
    """A view beside the settings of a site, for whoever may edit these; Wagtail's own checks, and our 403."""

    _is_refused = False

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        try:
            super().setup(request, *args, **kwargs)  # type: ignore[misc]  # of Wagtail's EditView
        except PermissionDenied:
            self._is_refused = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self._is_refused:
            return refused(request)
        response: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        return response

    def run_before_hook(self) -> None:
        """Nothing is edited."""


def refused(request: HttpRequest, why: str = "") -> HttpResponse:
    """A page that says what is missing, status 403; nothing was changed."""
    words = why or _("You may not do this. Ask whoever looks after the shop's users for the permission.")
    said = {"title": _("Not allowed"), "icon": "lock", "words": words, "so": _("Nothing was changed.")}
    return TemplateResponse(request, "loyalink_khalti/backoffice/refused.html", said, status=403)


def not_exported(request: HttpRequest, why: str, *, back: str) -> HttpResponse:
    """A page that says what could not be read, status 400: who asked for some rows is not given all of them."""
    words = _("Nothing was exported: %(why)s") % {"why": why}
    said = {"title": _("Not exported"), "icon": "warning", "words": words, "back": back}
    return TemplateResponse(request, "loyalink_khalti/backoffice/refused.html", said, status=400)
