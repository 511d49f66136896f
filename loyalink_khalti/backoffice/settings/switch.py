"""Khalti off now, and on again: the panel on the first page of the admin, and the page that asks before it happens."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.ui.components import Component
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.models import Site
from wagtail.permission_policies.sites import SitePermissionPolicy

from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.staff.access import forbidden

from .form import report_switch


def editable_sites(user: Any) -> list[Site]:
    """Return the sites whose Khalti settings the user may edit, the default site first."""
    sites = SitePermissionPolicy(KhaltiSettings).sites_user_has_permission_for(user, "change")
    return list(sites.order_by("-is_default_site", "hostname", "port"))


def switch_khalti(site: Site, *, enabled: bool, user: Any) -> bool:
    """Offer Khalti at a site's checkout, or stop that; log and mail it. Return False where it was so already."""
    with transaction.atomic():
        KhaltiSettings.objects.get_or_create(site=site)
        settings = KhaltiSettings.objects.select_for_update().get(site=site)
        if settings.enabled == enabled:
            return False
        settings.enabled = enabled
        settings.save(update_fields=["enabled"])
        report_switch(settings, user=user)
    return True


class SwitchPanel(Component):
    """Whether each site offers Khalti now, with the link that switches it."""

    name = "loyalink_khalti_switch"
    template_name = "loyalink_khalti/backoffice/settings/switch_panel.html"
    order = 95

    def __init__(self, sites: list[Site]) -> None:
        self.sites = sites

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        saved = dict(KhaltiSettings.objects.values_list("site", "enabled"))
        rows = [
            {"site": site_name(site), "enabled": saved.get(site.pk, True), "url": switch_url(site.pk)}
            for site in self.sites
        ]
        return {"rows": rows, "has_several": len(rows) > 1}


def add_switch_panel(request: HttpRequest, panels: list[Any]) -> None:
    """Add the panel for users who may edit the settings of a site."""
    if sites := editable_sites(request.user):
        panels.append(SwitchPanel(sites))


class SwitchView(WagtailAdminTemplateMixin, TemplateView):
    """Ask before Khalti is switched off or on for a site, say what follows, and do it."""

    template_name = "loyalink_khalti/backoffice/settings/switch.html"
    header_icon = "key"
    kwargs: dict[str, Any]

    @cached_property
    def site(self) -> Site:
        found: Site = get_object_or_404(Site, pk=self.kwargs["pk"])
        return found

    @cached_property
    def is_enabled(self) -> bool:
        saved = KhaltiSettings.objects.filter(site=self.site).first()
        return saved.enabled if saved is not None else True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.site not in editable_sites(request.user):
            return forbidden(request)
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.POST.get("enabled") not in {"0", "1"}:
            return HttpResponseRedirect(switch_url(self.site.pk))
        enabled = request.POST["enabled"] == "1"
        switch_khalti(self.site, enabled=enabled, user=request.user)
        if enabled:
            messages.success(request, _("The checkout offers Khalti again."))
        else:
            messages.success(request, _("Khalti is off: no new payments start."))
        return HttpResponseRedirect(f"{reverse('wagtailadmin_home')}#loyalink-khalti-switch")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "site": site_name(self.site), "is_enabled": self.is_enabled}

    def get_page_title(self) -> str:
        return _("Switch Khalti off") if self.is_enabled else _("Switch Khalti on")

    def get_breadcrumbs_items(self) -> Any:
        return [*WagtailAdminTemplateMixin.breadcrumbs_items, {"url": "", "label": self.get_page_title()}]


def site_name(site: Site) -> str:
    """Return what editors call a site."""
    return str(site.site_name or site.hostname)


def switch_url(site_pk: int) -> str:
    """Return the page that switches Khalti for a site."""
    return reverse("loyalink_khalti_switch", args=[site_pk])
