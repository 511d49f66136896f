"""Pages on which a campaign is added, edited, tried, ended and deleted."""

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

from loyalink_khalti.backoffice.guard import refused
from loyalink_khalti.backoffice.models import Campaign

from . import rows
from .form import CampaignForm, panels
from .rows import State, state
from .sites import ForSites, editable
from .words import overlaps

LIST = "loyalink_khalti_campaigns"


class CampaignPage(ForSites, WagtailAdminTemplateMixin, View):
    """A page of one campaign, of a site for which somebody may."""

    campaign: Campaign
    name: str
    stands: State | None
    """As it is stored, whatever a form puts on it."""
    header_icon = "calendar-alt"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.may(self.permission) and "pk" in kwargs:
            self.campaign = get_object_or_404(Campaign, pk=kwargs["pk"])
            if self.campaign.site_key not in editable(request.user):
                return refused(request)
        else:
            self.campaign = Campaign()
        self.name = self.campaign.name
        self.stands = state(self.campaign) if self.campaign.pk else None
        return super().dispatch(request, *args, **kwargs)

    def get_page_subtitle(self) -> str:
        return self.name

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        here = {"url": "", "label": self.get_page_title(), "sublabel": self.get_page_subtitle()}
        campaigns = {"url": reverse_lazy(LIST), "label": _("Campaigns")}
        return [*super().get_breadcrumbs_items(), campaigns, here]

    def back(self, request: HttpRequest, text: str) -> HttpResponse:
        """To the list, with a word on why."""
        messages.warning(request, text)
        return redirect(LIST)

    def gone(self, request: HttpRequest) -> HttpResponse:
        """To the list, where it is not any more."""
        return self.back(request, _("“%(name)s” is gone: somebody else has deleted it.") % {"name": self.name})


class EditView(CampaignPage):
    """Add or edit a campaign."""

    template_name = "wagtailadmin/generic/form.html"

    def get_page_title(self) -> str:
        return _("Edit campaign") if self.campaign.pk else _("Add campaign")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._in_the_way(request) or self._page(self._form())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if answer := self._in_the_way(request):
            return answer
        form = self._form(request.POST)
        return self._saved(request, form) if form.is_valid() else self._wrong(request, form)

    def _saved(self, request: HttpRequest, form: CampaignForm) -> HttpResponse:
        try:
            version = rows.save(form.instance, user=request.user, seen=form.cleaned_data["seen"])
        except rows.Over:
            return self._over(request)
        except Campaign.DoesNotExist:
            return self.gone(request)
        except rows.NameTaken:
            form.refuse_name()
            return self._wrong(request, form)
        except rows.Outrun as outrun:
            form.look_again(outrun.now)
            return self._wrong(request, form)
        words = {"name": form.instance.name, "number": version.number}
        messages.success(request, _("“%(name)s” is saved (rules version %(number)s).") % words)
        for overlap in overlaps(rows.others(form.instance)):
            messages.warning(request, overlap)
        return redirect(LIST)

    def _wrong(self, request: HttpRequest, form: CampaignForm) -> HttpResponse:
        messages.validation_error(request, _("The campaign could not be saved due to errors."), form)
        return self._page(form)

    def _in_the_way(self, request: HttpRequest) -> HttpResponse | None:
        """Why there is no form."""
        if self.stands is State.ENDED:
            return self._over(request)
        return None if self.campaign.pk else self._homeless(request)

    def _homeless(self, request: HttpRequest) -> HttpResponse | None:
        """A new one needs a site to be of."""
        if editable(request.user):
            return None
        return self.back(request, _("Make a site first: a campaign belongs to one."))

    def _over(self, request: HttpRequest) -> HttpResponse:
        return self.back(request, _("“%(name)s” is over and stays as it was.") % {"name": self.name})

    def _form(self, typed: Any = None) -> CampaignForm:
        form: CampaignForm = panels().get_form_class()(typed, instance=self.campaign, for_user=self.request.user)
        return form

    def _page(self, form: CampaignForm) -> HttpResponse:
        panel = panels().get_bound_panel(instance=form.instance, request=self.request, form=form, prefix="panel")
        context = {
            "form": form,
            "panel": panel,
            "media": panel.media + form.media + form.example().form.media,
            "action_url": self.address(),
            "submit_button_label": _("Save"),
            "submit_button_active_label": _("Saving…"),
            "has_unsaved_changes": form.is_bound,
        }
        return self.render_to_response(self.get_context_data(**context))

    def address(self) -> str:
        """Where the form is posted."""
        if self.campaign.pk:
            return reverse("loyalink_khalti_campaign_edit", args=(self.campaign.pk,))
        return reverse("loyalink_khalti_campaign_add")

    @property
    def header_buttons(self) -> list[HeaderButton]:  # type: ignore[override]  # of this campaign
        args = (self.campaign.pk,)
        if self.stands in (None, State.ENDED):
            return []
        if self.stands is State.RUNNING:
            return [
                HeaderButton(_("End now"), url=reverse("loyalink_khalti_campaign_end", args=args), icon_name="cross")
            ]
        return [HeaderButton(_("Delete"), url=reverse("loyalink_khalti_campaign_delete", args=args), icon_name="bin")]


class ExampleView(EditView):
    """Try what is typed on an order; nothing is saved."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return HttpResponseRedirect(self.address())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.campaign.pk and (answer := self._homeless(request)):
            return answer
        form = self._form(request.POST)
        if request.accepts("text/html"):
            return self._page(form)
        return JsonResponse({"html": form.example().html})


class ConfirmView(CampaignPage):
    """Ask before something that cannot be taken back."""

    template_name = "loyalink_khalti/backoffice/campaign_confirm.html"
    question: Any
    button: Any
    wanted: State
    too_late: Any
    done: Any

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.stands is not self.wanted:
            return self.back(request, self.too_late % {"name": self.name})
        edit = reverse("loyalink_khalti_campaign_edit", args=(self.campaign.pk,))
        return self.render_to_response(
            self.get_context_data(question=self.question, button=self.button, edit_url=edit, campaign=self.campaign)
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        name = {"name": self.name}
        try:
            done = self.do()
        except Campaign.DoesNotExist:
            return self.gone(request)
        if not done:
            return self.back(request, self.too_late % name)
        messages.success(request, self.done % name)
        return redirect(LIST)

    def do(self) -> bool:
        """Do it; False where it is too late."""
        return False


class EndView(ConfirmView):
    """End a running campaign now."""

    page_title: Any = gettext_lazy("End campaign")
    wanted = State.RUNNING
    question = gettext_lazy("From now on, new orders have nothing of it. Orders that wait for their payment keep it.")
    button = gettext_lazy("Yes, end it now")
    too_late = gettext_lazy("“%(name)s” does not run; nothing was changed.")
    done = gettext_lazy("“%(name)s” has ended.")

    def do(self) -> bool:
        return rows.end(self.campaign, user=self.request.user)


class DeleteView(ConfirmView):
    """Delete a campaign that has not begun."""

    page_title: Any = gettext_lazy("Delete campaign")
    wanted = State.SCHEDULED
    question = gettext_lazy("It has not begun, so nobody has had anything of it.")
    button = gettext_lazy("Yes, delete it")
    too_late = gettext_lazy("“%(name)s” has begun and is not deleted: what it gave is explained by it.")
    done = gettext_lazy("“%(name)s” is deleted.")

    def do(self) -> bool:
        return rows.delete(self.campaign, user=self.request.user)
