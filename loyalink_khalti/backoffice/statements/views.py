"""Upload a statement, map its columns, look at what was matched, and take it back."""

import io
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.generic import View
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.widgets.button import HeaderButton

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotMatch
from loyalink_khalti.payments.statement_values import Mapping
from loyalink_khalti.payments.statements import (
    DifferenceKind,
    DifferenceState,
    Statement,
    StatementDifference,
    StatementFormat,
)
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.access import PermissionRequired
from loyalink_khalti.staff.uploaded_table import LIMITS, TableRow, UnreadableTable, UploadedTable

from . import log
from .forms import MappingForm, UploadForm, headings_of
from .listing import statement_url

_ROWS_TO_LOOK_AT = 20
_ROWS_SHOWN = 8


@method_decorator([transaction.non_atomic_requests, never_cache], name="dispatch")
class StatementPage(PermissionRequired, WagtailAdminTemplateMixin, View):
    """A page about statements. Its forms commit by themselves."""

    permission = permissions.VIEW_PAYMENTS
    post_permission = permissions.MATCH_STATEMENTS
    header_icon = "table"

    @property
    def actor(self) -> str:
        return str(self.request.user.pk)

    @property
    def may_match(self) -> bool:
        return self.has_permission(permissions.MATCH_STATEMENTS)

    @property
    def last_breadcrumb(self) -> str:
        return str(self.page_title)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        statements = {"url": reverse("loyalink_khalti_statements"), "label": _("Statements")}
        return [*self.breadcrumbs_items, statements, {"url": "", "label": self.last_breadcrumb}]


class UploadView(StatementPage):
    """Choose a file; it is kept until its columns are mapped."""

    permission = permissions.MATCH_STATEMENTS
    template_name = "loyalink_khalti/backoffice/statements/upload.html"
    page_title: Any = gettext_lazy("Upload a statement")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._page(UploadForm(site_key=conf.site_key(request)))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = UploadForm(request.POST, request.FILES, site_key=conf.site_key(request))
        if not form.is_valid():
            return self._page(form)
        file = form.cleaned_data["file"]
        try:
            table = UploadedTable(file)
            if not table.first_rows(1):
                raise UnreadableTable(_("The file is empty."))
            for _row in table.rows():  # every error of the file itself is found before anything is kept
                pass
        except UnreadableTable as exc:
            form.add_error("file", str(exc))
            return self._page(form)
        file.seek(0)
        statement, is_new = flow.keep_statement(
            file.read(LIMITS.bytes), site_key=form.site_of_file, name=file.name, digest=table.digest, actor=self.actor
        )
        if statement.matched_at is not None:
            messages.warning(request, _("This file was uploaded before. It counts once, and nothing was changed."))
            return HttpResponseRedirect(statement_url(statement.pk))
        if not is_new:
            messages.info(request, _("This file was uploaded before, and its columns are not mapped yet."))
        return HttpResponseRedirect(reverse("loyalink_khalti_statement_map", args=(statement.pk,)))

    def _page(self, form: UploadForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form))


class OneStatementView(StatementPage):
    """A page of one statement."""

    @cached_property
    def statement(self) -> Statement:
        found: Statement = get_object_or_404(Statement, pk=self.kwargs["pk"])
        return found

    def get_page_subtitle(self) -> str:
        return self.statement.name


class MapView(OneStatementView):
    """Say which column is what, look at what that means, and match."""

    permission = permissions.MATCH_STATEMENTS
    template_name = "loyalink_khalti/backoffice/statements/map.html"
    page_title: Any = gettext_lazy("Map the columns")

    def table(self, delimiter: str = "") -> UploadedTable:
        return UploadedTable(io.BytesIO(bytes(self.statement.content or b"")), delimiter=delimiter)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.has_permission(self.permission) and self.statement.matched_at is not None:
            return HttpResponseRedirect(statement_url(self.statement.pk))
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.statement.content is None:
            return HttpResponseRedirect(reverse("loyalink_khalti_statements"))
        rows = self.table().first_rows(_ROWS_TO_LOOK_AT)
        known, header = self._known_format(rows)
        if known is None:
            initial: dict[str, Any] = {"header": rows[0].number, "unit": "rupees", "date_order": "clear"}
        else:
            initial = MappingForm.initial_of(Mapping.from_json(known.mapping)) | {
                "header": header,
                "format_name": known.name,
            }
            try:
                rows = self.table(str(initial["delimiter"])).first_rows(_ROWS_TO_LOOK_AT)
            except UnreadableTable:  # the same headings, separated otherwise: as recognized they were found
                initial["delimiter"] = ""
        form = MappingForm(initial=initial, headings=headings_of(rows, int(initial["header"])))
        return self._page(form, rows, known=known.name if known else "")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        step = request.POST.get("step")
        if step == "discard":
            flow.discard_statement(self.statement.pk)
            messages.success(request, _("The file is deleted. Nothing was changed."))
            return HttpResponseRedirect(reverse("loyalink_khalti_statements"))
        if self.statement.content is None:
            return HttpResponseRedirect(reverse("loyalink_khalti_statements"))
        delimiter = request.POST.get("delimiter", "")
        try:
            rows = self.table(delimiter if delimiter in {",", ";", "\t", "|"} else "").first_rows(_ROWS_TO_LOOK_AT)
        except UnreadableTable as exc:
            rows = []
            messages.error(request, str(exc))
        typed = request.POST.get("header", "")
        headings = headings_of(rows, int(typed) if typed.isdecimal() and len(typed) < 4 else 1)
        form = MappingForm(request.POST, headings=headings)
        if step == "show":  # the headings of another row, or cut otherwise: what was chosen stays
            form = MappingForm(initial=request.POST.dict(), headings=headings)
            return self._page(form, rows)
        if not form.is_valid():
            return self._page(form, rows)
        try:
            return self._preview_or_match(form, rows, is_confirmed=step == "match")
        except (UnreadableTable, CannotMatch) as exc:
            form.add_error(None, str(exc))
            return self._page(form, rows)

    def _preview_or_match(self, form: MappingForm, rows: list[TableRow], *, is_confirmed: bool) -> HttpResponse:
        mapping = form.mapping
        checked = flow.check_statement(mapping, self.table(mapping.delimiter).rows())
        if checked.number_of_errors:
            for name in {error.asks for error in checked.errors} & set(form.fields):
                first = next(error for error in checked.errors if error.asks == name)
                form.add_error(name, _("Row %(row)s: %(text)s") % {"row": first.number, "text": first.message})
            return self._page(form, rows, checked=checked)
        if not is_confirmed or not (checked.payments or checked.refunds):
            return self._page(form, rows, checked=checked, is_preview=bool(checked.payments or checked.refunds))
        statement = flow.match_statement(
            self.statement, mapping, format_name=form.cleaned_data["format_name"], actor=self.actor,
            headings=flow.headings_hash(headings_of(rows, mapping.header)),
            rows=lambda: self.table(mapping.delimiter).rows(),
        )  # fmt: skip
        log.record_match(statement)
        messages.success(self.request, _("The statement is matched. No payment was changed."))
        return HttpResponseRedirect(statement_url(statement.pk))

    def _known_format(self, rows: list[TableRow]) -> tuple[StatementFormat | None, int]:
        """Return the format of the site for these headings, and their row."""
        hashes = {flow.headings_hash(headings_of(rows, row.number)): row.number for row in reversed(rows)}
        formats = StatementFormat.objects.filter(site_key=self.statement.site_key, headings__in=hashes)
        found = formats.order_by("-updated_at").first()
        return found, hashes[found.headings] if found else 0

    def _page(self, form: MappingForm, rows: list[TableRow], **context: Any) -> HttpResponse:
        shown = rows[:_ROWS_SHOWN]
        width = max([len(row.cells) for row in shown] or [0])
        context = self.get_context_data(
            form=form, statement=self.statement, is_western=self.table().is_western,
            letters=[label for _value, label in form.fields["amount"].choices[1 : width + 1]],  # type: ignore[attr-defined]
            rows=[(row.number, [row[index] for index in range(width)]) for row in shown], **context,
        )  # fmt: skip
        return self.render_to_response(context)


class StatementView(OneStatementView):
    """What was matched, what differs; POST compares again, or takes the statement back."""

    template_name = "loyalink_khalti/backoffice/statements/page.html"
    page_title: Any = gettext_lazy("Statement")

    def get_header_buttons(self) -> list[Any]:
        url = f"{reverse('loyalink_khalti_differences')}?statement={self.statement.pk}"
        return [HeaderButton(_("Differences"), url=url, icon_name="warning"), *super().get_header_buttons()]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        statement = self.statement
        if statement.matched_at is None:
            return HttpResponseRedirect(reverse("loyalink_khalti_statement_map", args=(statement.pk,)))
        labels = dict(DifferenceKind.choices)
        differences = StatementDifference.objects.filter(statement=statement)
        counts = flow.count_differences(statement.pk)
        shown = differences.filter(state=DifferenceState.OPEN).select_related("row", "payment__purchase")
        context = self.get_context_data(
            statement=statement, kinds=[(kind, labels[kind], *each) for kind, each in counts.items()],
            differences=list(shown.order_by("day", "pk")[:20]), is_refreshed=True, may_match=self.may_match,
            actor=str(flow.contacts({statement.actor}).get(statement.actor, statement.actor)),
            matched=statement.lines.filter(payment__isnull=False).count(), new_rows=statement.lines.count(),
            list_url=f"{reverse('loyalink_khalti_differences')}?statement={statement.pk}",
        )  # fmt: skip
        return self.render_to_response(context)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        statement = self.statement
        if request.POST.get("step") != "take_back":
            solved = flow.check_again(statement.site_key, statement=statement.pk)
            messages.success(request, _("Compared again. Solved: %(number)s") % {"number": solved})
            return HttpResponseRedirect(statement_url(statement.pk))
        try:
            flow.take_back_statement(statement.pk)
        except CannotMatch as exc:
            messages.error(request, str(exc))
            return HttpResponseRedirect(statement_url(statement.pk))
        log.record_take_back(request.user, statement)
        messages.success(request, _("The statement is taken back, as if it had not been uploaded."))
        return HttpResponseRedirect(reverse("loyalink_khalti_statements"))
