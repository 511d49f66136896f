"""Change how many of a product, and of each of its choices, can be sold: what was counted, with a reason.

Stock is not in the form of Wagtail's page editor: a draft is saved by itself there, and publishing an older one would
bring back what was sold since.
"""

from typing import Any

from django import forms
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse, reverse_lazy
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.log_actions import log
from wagtail.models import ModelLogEntry

from loyalink_khalti.flow import member_emails
from loyalink_khalti.hosts.page import stock
from loyalink_khalti.hosts.page.models import Stock
from loyalink_khalti.staff.access import PermissionRequired
from loyalink_khalti.staff.fields import WholeNumberField
from loyalink_khalti.staff.timeline import Event

from .order_log import STOCK_CHANGED
from .order_permissions import CHANGE_STOCK, VIEW_STOCK
from .products_in_stock import StockRow, find_page, levels_of, not_sent, stock_rows

MAXIMUM = 1_000_000
"""More of one product is a typing error."""
_SHOWN_CHANGES = 20


class StockForm(forms.Form):
    """How many there are of each row; an empty field changes nothing. ``seen_…`` is what the page has shown."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("For example: delivery, counted, damaged. Colleagues read it in the history."),
        max_length=200,
        error_messages={"required": gettext_lazy("Enter a reason: colleagues will need it later.")},
    )

    def __init__(self, data: Any = None, *, rows: list[StockRow]) -> None:
        super().__init__(data)
        self._rows = rows
        self._not_sent = not_sent(rows[0].product)
        for index, row in enumerate(rows):
            field = WholeNumberField(required=False, maximum=MAXIMUM, label=row.title or _("In stock"))
            field.widget.attrs |= {"aria-label": row.title or _("New quantity"), "placeholder": str(row.quantity)}
            self.fields[f"quantity_{index}"] = field
            seen = forms.IntegerField(widget=forms.HiddenInput, initial=row.quantity, localize=False)
            self.fields[f"seen_{index}"] = seen
            self.fields[f"choice_{index}"] = forms.CharField(
                widget=forms.HiddenInput, initial=row.choice, required=False, max_length=64
            )

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The rows as the page lists them, each with its fields."""
        return [
            {
                "row": row,
                "not_sent": self._not_sent.get((row.product, row.choice), 0),
                "field": self[f"quantity_{index}"],
                "seen": self[f"seen_{index}"],
                "choice": self[f"choice_{index}"],
            }
            for index, row in enumerate(self._rows)
        ]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if any(data.get(f"choice_{index}") != row.choice for index, row in enumerate(self._rows)):
            raise forms.ValidationError(_("The choices of this product have changed. Please open the page again."))
        if not self.errors and not self.changes:
            raise forms.ValidationError(_("Enter the new quantity of at least one row."))
        return data

    @property
    def changes(self) -> list[tuple[int, StockRow, int, int]]:
        """The index, the row, what was seen, and the new quantity of each row that is changed."""
        data = self.cleaned_data
        numbers = ((index, row, data.get(f"quantity_{index}")) for index, row in enumerate(self._rows))
        return [
            (index, row, data[f"seen_{index}"], number)
            for index, row, number in numbers
            if number is not None and data.get(f"seen_{index}") is not None and number != data[f"seen_{index}"]
        ]

    def save(self) -> bool:
        """Change the stock of all rows, or of none: False where customers have bought since the page was opened."""
        with transaction.atomic():
            product = self._rows[0].product
            list(Stock.objects.select_for_update(of=("self",)).filter(product=product).order_by("pk"))
            for index, row, seen, number in self.changes:
                try:
                    stock.set_level((product, row.choice), number, seen=seen)
                except stock.StockChanged as exc:
                    self.add_error(f"quantity_{index}", str(exc))
            if self.errors:
                transaction.set_rollback(True)
        return not self.errors


class StockChangeView(PermissionRequired, WagtailAdminTemplateMixin, TemplateView):
    """The stock of one product, and how it was changed by staff."""

    permission = VIEW_STOCK
    post_permission = CHANGE_STOCK
    template_name = "loyalink_khalti/page/desk/stock.html"
    header_icon = "clipboard-list"
    breadcrumbs_items: Any = [
        *WagtailAdminTemplateMixin.breadcrumbs_items,
        {"url": reverse_lazy("loyalink_khalti_page_stock"), "label": gettext_lazy("Stock")},
    ]
    kwargs: dict[str, Any]

    @cached_property
    def page(self) -> Any:
        found = find_page(self.kwargs["product"])
        if found is None:
            raise Http404
        return found

    def _rows(self) -> list[StockRow]:
        return stock_rows(self.page, levels_of([self.page.product]))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {
            **super().get_context_data(**kwargs),
            "page": self.page,
            "edit_url": reverse("wagtailadmin_pages:edit", args=[self.page.pk]),
            "may_change": self.has_permission(CHANGE_STOCK),
            "form": StockForm(rows=self._rows()),
            "history": self._history(),
            **kwargs,
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        rows = self._rows()
        form = StockForm(request.POST, rows=rows)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        if not form.save():
            return self._again(form)
        for _index, row, seen, number in form.changes:
            of = Stock.objects.get(product=row.product, choice=row.choice)
            data = {"before": seen, "after": number, "reason": form.cleaned_data["reason"], "choice": row.title}
            log(instance=of, action=STOCK_CHANGED, user=request.user, title=self._name(row), data=data)
        messages.success(request, _("The stock is changed."))
        return HttpResponseRedirect(request.path)

    def _again(self, stale: StockForm) -> HttpResponse:
        """Show the form again with what is left now, so that the second submission is about that."""
        data: Any = self.request.POST.copy()
        rows = self._rows()
        for index, row in enumerate(rows):
            data[f"seen_{index}"] = str(row.quantity)
        form = StockForm(data, rows=rows)
        form.is_valid()
        for name, errors in stale.errors.items():
            if name in form.fields:
                form.add_error(name, list(errors))
        return self.render_to_response(self.get_context_data(form=form))

    def _name(self, row: StockRow) -> str:
        return f"{self.page.title} ({row.title})" if row.title else str(self.page.title)

    def _history(self) -> list[Event]:
        """Return what staff have changed, the newest first. Sales are in the orders."""
        rows = Stock.objects.filter(product=self.page.product).values_list("pk", flat=True)
        entries = list(
            ModelLogEntry.objects.filter(action=STOCK_CHANGED, object_id__in=[str(pk) for pk in rows])
            .filter(content_type__app_label=Stock._meta.app_label, content_type__model=Stock._meta.model_name)
            .order_by("-timestamp")[:_SHOWN_CHANGES]
        )
        names = member_emails([str(entry.user_id) for entry in entries if entry.user_id])
        return [
            Event(
                at=entry.timestamp,
                icon="edit",
                title=f"{entry.label}: {entry.data['before']} → {entry.data['after']}",
                detail=entry.data["reason"],
                actor=names.get(str(entry.user_id), ""),
            )
            for entry in entries
        ]

    def get_page_title(self) -> str:
        return _("Stock of %(product)s") % {"product": self.page.title}

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.page.title}]
