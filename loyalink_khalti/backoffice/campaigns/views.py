"""The pages that add, edit, try, end and delete a campaign."""

from abc import ABC, abstractmethod
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import View
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.widgets.button import HeaderButton

from loyalink_khalti.backoffice.models import Campaign
from loyalink_khalti.staff.access import forbidden

from . import services
from .editors import CampaignPermissionRequired, editable_sites
from .form import CampaignForm, campaign_panels
from .labels import overlap_warnings
from .services import CampaignState, campaign_state

LIST = "loyalink_khalti_campaigns"


class CampaignView(CampaignPermissionRequired, WagtailAdminTemplateMixin, View):
    """A page about one campaign of a site that the user may edit."""

    campaign: Campaign
    name: str
    state: CampaignState | None
    """The stored state, whatever a form sets on ``campaign``; None for a new one."""
    header_icon = "calendar-alt"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.has_permission(self.permission) and "pk" in kwargs:
            self.campaign = get_object_or_404(Campaign, pk=kwargs["pk"])
            if self.campaign.site_key not in editable_sites(request.user):
                return forbidden(request)
        else:
            self.campaign = Campaign()
        self.name = self.campaign.name
        self.state = campaign_state(self.campaign) if self.campaign.pk else None
        return super().dispatch(request, *args, **kwargs)

    def get_page_subtitle(self) -> str:
        return self.name

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        this = {"url": "", "label": self.get_page_title(), "sublabel": self.get_page_subtitle()}
        campaigns = {"url": reverse_lazy(LIST), "label": _("Campaigns")}
        return [*super().get_breadcrumbs_items(), campaigns, this]

    def redirect_to_list(self, request: HttpRequest, warning: str) -> HttpResponse:
        messages.warning(request, warning)
        return redirect(LIST)

    def deleted_meanwhile(self, request: HttpRequest) -> HttpResponse:
        return self.redirect_to_list(request, _("Another user has deleted “%(name)s”.") % {"name": self.name})


class EditView(CampaignView):
    """Add or edit a campaign."""

    template_name = "wagtailadmin/generic/form.html"

    def get_page_title(self) -> str:
        return _("Edit campaign") if self.campaign.pk else _("Add campaign")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._not_editable(request) or self._render(self._form())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if response := self._not_editable(request):
            return response
        form = self._form(request.POST)
        return self._save(request, form) if form.is_valid() else self._invalid(request, form)

    def _save(self, request: HttpRequest, form: CampaignForm) -> HttpResponse:
        try:
            version = services.save(form.instance, user=request.user, seen=form.cleaned_data["seen"])
        except services.CampaignEnded:
            return self._ended(request)
        except Campaign.DoesNotExist:
            return self.deleted_meanwhile(request)
        except services.NameTaken:
            form.add_name_error()
            return self._invalid(request, form)
        except services.CampaignChanged as exc:
            form.show_stored(exc.stored)
            return self._invalid(request, form)
        saved = {"name": form.instance.name, "number": version.number}
        messages.success(request, _("“%(name)s” is saved (rules version %(number)s).") % saved)
        for warning in overlap_warnings(services.overlapping(form.instance)):
            messages.warning(request, warning)
        return redirect(LIST)

    def _invalid(self, request: HttpRequest, form: CampaignForm) -> HttpResponse:
        messages.validation_error(request, _("The campaign could not be saved due to errors."), form)
        return self._render(form)

    def _not_editable(self, request: HttpRequest) -> HttpResponse | None:
        """Return a redirect where there is nothing to edit: an ended campaign, or a new one without a site."""
        if self.state is CampaignState.ENDED:
            return self._ended(request)
        return None if self.campaign.pk else self._without_site(request)

    def _without_site(self, request: HttpRequest) -> HttpResponse | None:
        if editable_sites(request.user):
            return None
        return self.redirect_to_list(request, _("Create a site first: each campaign belongs to a site."))

    def _ended(self, request: HttpRequest) -> HttpResponse:
        return self.redirect_to_list(request, _("“%(name)s” has ended and cannot be changed.") % {"name": self.name})

    def _form(self, data: Any = None) -> CampaignForm:
        form_class = campaign_panels().get_form_class()
        form: CampaignForm = form_class(data, instance=self.campaign, for_user=self.request.user)
        return form

    def _render(self, form: CampaignForm) -> HttpResponse:
        panel = campaign_panels().get_bound_panel(
            instance=form.instance, request=self.request, form=form, prefix="panel"
        )
        context = {
            "form": form,
            "panel": panel,
            "media": panel.media + form.media + form.example().form.media,
            "action_url": self.form_url(),
            "submit_button_label": _("Save"),
            "submit_button_active_label": _("Saving…"),
            "has_unsaved_changes": form.is_bound,
        }
        return self.render_to_response(self.get_context_data(**context))

    def form_url(self) -> str:
        """Return the URL that the form posts to."""
        if self.campaign.pk:
            return reverse("loyalink_khalti_campaign_edit", args=(self.campaign.pk,))
        return reverse("loyalink_khalti_campaign_add")

    @property
    def header_buttons(self) -> list[HeaderButton]:  # type: ignore[override]  # Wagtail's is an attribute
        args = (self.campaign.pk,)
        if self.state is CampaignState.RUNNING:
            url = reverse("loyalink_khalti_campaign_end", args=args)
            return [HeaderButton(_("End now"), url=url, icon_name="cross")]
        if self.state is CampaignState.SCHEDULED:
            url = reverse("loyalink_khalti_campaign_delete", args=args)
            return [HeaderButton(_("Delete"), url=url, icon_name="bin")]
        return []


class ExampleView(EditView):
    """Compute the example from the values in the form; nothing is saved."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return HttpResponseRedirect(self.form_url())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.campaign.pk and (response := self._without_site(request)):
            return response
        form = self._form(request.POST)
        if request.accepts("text/html"):
            return self._render(form)
        return JsonResponse({"html": form.example().html})


class ConfirmView(CampaignView, ABC):
    """Ask for confirmation of something that cannot be undone."""

    template_name = "loyalink_khalti/backoffice/campaigns/confirm.html"
    required_state: CampaignState
    question: Any
    button: Any
    too_late: Any
    done: Any

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.state is not self.required_state:
            return self.redirect_to_list(request, self.too_late % {"name": self.name})
        edit_url = reverse("loyalink_khalti_campaign_edit", args=(self.campaign.pk,))
        return self.render_to_response(
            self.get_context_data(
                question=self.question, button=self.button, edit_url=edit_url, campaign=self.campaign
            )
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        name = {"name": self.name}
        try:
            done = self.execute()
        except Campaign.DoesNotExist:
            return self.deleted_meanwhile(request)
        if not done:
            return self.redirect_to_list(request, self.too_late % name)
        messages.success(request, self.done % name)
        return redirect(LIST)

    @abstractmethod
    def execute(self) -> bool:
        """Do what was confirmed. Return False if it is too late."""


class EndView(ConfirmView):
    """End a running campaign now."""

    page_title: Any = gettext_lazy("End campaign")
    required_state = CampaignState.RUNNING
    question = gettext_lazy("New orders no longer benefit from this campaign. Orders that await payment still do.")
    button = gettext_lazy("End campaign")
    too_late = gettext_lazy("“%(name)s” is not running. Nothing was changed.")
    done = gettext_lazy("“%(name)s” has ended.")

    def execute(self) -> bool:
        return services.end(self.campaign, user=self.request.user)


class DeleteView(ConfirmView):
    """Delete a campaign that has not started."""

    page_title: Any = gettext_lazy("Delete campaign")
    required_state = CampaignState.SCHEDULED
    question = gettext_lazy("This campaign has not started, so no order has benefited from it.")
    button = gettext_lazy("Delete campaign")
    too_late = gettext_lazy(
        "“%(name)s” has started and cannot be deleted, because it explains the points that it added."
    )
    done = gettext_lazy("“%(name)s” is deleted.")

    def execute(self) -> bool:
        return services.delete(self.campaign, user=self.request.user)
