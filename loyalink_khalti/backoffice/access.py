"""Permissions of the settings' pages, and those that Wagtail offers to groups."""

from typing import Any

from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.access import forbidden


class SettingPermissionRequired:
    """A view beside the settings of a site: Wagtail checks the permission of the setting, and this answers 403."""

    _is_forbidden = False

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        try:
            super().setup(request, *args, **kwargs)  # type: ignore[misc]  # of Wagtail's EditView
        except PermissionDenied:
            self._is_forbidden = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self._is_forbidden:
            return forbidden(request)
        response: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # of a view
        return response

    def run_before_hook(self) -> None:
        """Run no ``before_edit_setting`` hook: this view edits nothing."""


def assignable_permissions() -> "QuerySet[Permission]":
    """Return the permissions that Wagtail offers in Settings › Groups."""
    codenames = [name.partition(".")[2] for name in permissions.ALL]
    return Permission.objects.filter(content_type__app_label="loyalink_khalti", codename__in=codenames)
