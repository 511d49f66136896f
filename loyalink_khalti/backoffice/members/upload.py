"""Opening balances and adjustments of many members from a file: what it would do, row by row, and then once.

Nothing is kept between the two steps: the rows travel in the form, signed for the colleague who has uploaded them.
"""

import json
import re
import unicodedata
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django import forms
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views import View
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.log_actions import log

from loyalink_khalti import conf, flow
from loyalink_khalti.conf import formats
from loyalink_khalti.errors import AdjustmentLimitExceeded, LedgerError, SelfDealing
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import ImportRow
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.nepal import plain_number
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.access import PermissionRequired
from loyalink_khalti.staff.choices import AdjustReason
from loyalink_khalti.staff.points_table import RawRow, check_rows, missing_columns, with_digits
from loyalink_khalti.staff.sites import has_several_sites, site_choices
from loyalink_khalti.staff.uploaded_table import TableLimits, UnreadableTable, UploadedTable

from .log import UPLOADED

OPENING, ADJUST = "opening", "adjust"
LIMITS = TableLimits(rows=2_001, columns=20)
"""Of one upload, with the row of the headings: all rows are one transaction of a web request."""
ROWS_SHOWN = 200
VALID_SECONDS = 60 * 60
_SALT = "loyalink_khalti.backoffice.members.upload"
_NAME = re.compile(r"[^\s:]{1,40}")


class UploadForm(forms.Form):
    """The file and what it is."""

    site = forms.ChoiceField(label=gettext_lazy("Site"))
    kind = forms.ChoiceField(
        label=gettext_lazy("What is in the file?"),
        choices=[
            (OPENING, gettext_lazy("Opening balances: points that members bring from another programme")),
            (ADJUST, gettext_lazy("Adjustments: points to add, and below 0 to deduct")),
        ],
        widget=forms.RadioSelect,
        initial=OPENING,
    )
    reason = forms.ChoiceField(
        label=gettext_lazy("Reason of the adjustments"),
        choices=[("", gettext_lazy("Choose one")), *AdjustReason.choices],
        required=False,
        help_text=gettext_lazy("Only for adjustments."),
    )
    batch = forms.CharField(
        label=gettext_lazy("Name of this upload"),
        max_length=40,
        required=False,
        help_text=gettext_lazy(
            "Usually empty. The same rows under another name are given once more: every month, for example."
        ),
    )
    file = forms.FileField(
        label=gettext_lazy("File (CSV or XLSX)"),
        help_text=gettext_lazy(
            "Columns with these headings: member (e-mail address or number), points, and if you wish expires (the "
            "last valid day, 2027-03-31) and note. At most 2,000 rows."
        ),
        error_messages={"required": gettext_lazy("Choose a file."), "empty": gettext_lazy("The file is empty.")},
    )

    def __init__(self, data: Any = None, files: Any = None, *, site_key: str) -> None:
        super().__init__(data, files, initial={"site": site_key})
        self.site_key = site_key
        site: Any = self.fields["site"]
        site.choices = site_choices() if has_several_sites() else []
        if not site.choices:
            del self.fields["site"]

    def clean_batch(self) -> str:
        name = unicodedata.normalize("NFKC", self.cleaned_data["batch"]).strip().casefold()
        if name and not _NAME.fullmatch(name):
            raise ValidationError(_("Use up to 40 characters without spaces and colons."))
        return name

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("kind") == ADJUST and not data.get("reason"):
            self.add_error("reason", _("Choose a reason."))
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """The rows of a file that has no errors, on their way from the preview to the confirmation."""

    site_key: str
    batch: str
    rows: tuple[ImportRow, ...]

    @classmethod
    def of(cls, form: UploadForm, rows: tuple[ImportRow, ...]) -> "Upload":
        data = form.cleaned_data
        contents = json.dumps([_plain(row) for row in rows], sort_keys=True)
        # By what is in it, not by its bytes: the same table saved again, or as another kind of file, is the same.
        digest = sha256(contents.encode()).hexdigest()[:24]
        usual = ledger.DEFAULT_BATCH if data["kind"] == OPENING else f"file-{digest}"
        return cls(site_key=data.get("site") or form.site_key, batch=data["batch"] or usual, rows=rows)

    def signed(self, actor: str) -> str:
        stored = [self.site_key, self.batch, [_plain(row) for row in self.rows], actor]
        return signing.dumps(stored, salt=_SALT, compress=True)

    @classmethod
    def read(cls, token: str, actor: str) -> "Upload | None":
        """Return the upload of a token that this colleague has got within the hour; None for any other."""
        try:
            site_key, batch, rows, of_actor = signing.loads(token, salt=_SALT, max_age=VALID_SECONDS)
        except (signing.BadSignature, ValueError, TypeError):
            return None
        if of_actor != actor:
            return None
        return cls(site_key=site_key, batch=batch, rows=tuple(map(_row, rows)))


def _plain(row: ImportRow) -> dict[str, Any]:
    return {**asdict(row), "expires_at": row.expires_at.isoformat() if row.expires_at else None}


def _row(stored: dict[str, Any]) -> ImportRow:
    expires = stored["expires_at"]
    values = {**stored, "points": Points(stored["points"])}
    return ImportRow(**{**values, "expires_at": datetime.fromisoformat(expires) if expires else None})


class UploadPointsView(PermissionRequired, WagtailAdminTemplateMixin, View):
    """Choose a file; see what it would do; confirm it."""

    permission = permissions.ADJUST_POINTS
    template_name = "loyalink_khalti/backoffice/members/upload.html"
    page_title: Any = gettext_lazy("Upload points")
    header_icon = "upload"

    @property
    def actor(self) -> str:
        return str(self.request.user.pk)

    @property
    def _may_exceed(self) -> bool:
        return self.has_permission(permissions.ADJUST_BEYOND_LIMIT)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        members = {"url": reverse("loyalink_khalti_members"), "label": _("Members")}
        return [*self.breadcrumbs_items, members, {"url": "", "label": _("Upload points")}]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._render(UploadForm(site_key=conf.site_key(request)))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.POST.get("step") == "confirm":
            return self._confirm(request)
        form = UploadForm(request.POST, request.FILES, site_key=conf.site_key(request))
        if not form.is_valid():
            return self._render(form)
        try:
            raw = _raw_rows(UploadedTable(form.cleaned_data["file"], limits=LIMITS))
        except UnreadableTable as exc:
            form.add_error("file", str(exc))
            return self._render(form)
        is_signed = form.cleaned_data["kind"] == ADJUST
        reason = form.cleaned_data["reason"] if is_signed else ledger.IMPORT
        table = check_rows(raw, is_signed=is_signed, reason=reason)
        if table.errors:
            return self._render(form, errors=table.errors)
        if not table.rows:
            form.add_error("file", _("The file has no rows below its headings."))
            return self._render(form)
        return self._preview(form, Upload.of(form, table.rows))

    def _preview(self, form: UploadForm, upload: Upload) -> HttpResponse:
        change = flow.preview_points(
            upload.rows, site_key=upload.site_key, batch=upload.batch, actor=self.actor,
            may_exceed_limit=self._may_exceed,
        )  # fmt: skip
        if change.obstacle:
            form.add_error(None, change.obstacle)
        errors = [(each.row.number, each.obstacle) for each in change.errors]
        if errors or change.obstacle:
            return self._render(form, errors=errors, status=403 if change.obstacle else 200)
        people = flow.contacts(row.member_id for row in upload.rows[:ROWS_SHOWN])
        shown = [(each, people.get(each.row.member_id)) for each in change.rows[:ROWS_SHOWN]]
        return self._render(
            form, change=change, shown=shown, hidden=max(len(change.rows) - ROWS_SHOWN, 0),
            repeated=len(change.rows) - len(change.new), upload=upload, token=upload.signed(self.actor),
        )  # fmt: skip

    def _confirm(self, request: HttpRequest) -> HttpResponse:
        upload = Upload.read(request.POST.get("upload", ""), self.actor)
        form = UploadForm(site_key=conf.site_key(request))
        if upload is None:
            messages.error(request, _("This form has expired. Upload the file again."))
            return self._render(form)
        try:
            change = self._apply(upload)
        except LedgerError as exc:
            messages.error(request, _("Nothing was changed. %(error)s") % {"error": exc})
            return self._render(form, status=403 if isinstance(exc, AdjustmentLimitExceeded | SelfDealing) else 200)
        rows = len(change.new)
        if rows:
            text = ngettext("%(rows)s row is done.", "%(rows)s rows are done.", rows)
            messages.success(request, text % {"rows": formats.number(rows)})
        else:
            messages.warning(request, _("All these rows were done before. Nothing was changed."))
        return HttpResponseRedirect(reverse("loyalink_khalti_members"))

    @transaction.atomic
    def _apply(self, upload: Upload) -> flow.BulkChange:
        """Apply and log in one transaction."""
        change = flow.upload_points(
            upload.rows, site_key=upload.site_key, batch=upload.batch, actor=self.actor,
            may_exceed_limit=self._may_exceed,
        )  # fmt: skip
        if change.new:
            data = {
                "rows": len(change.new), "added": change.added, "deducted": change.deducted, "batch": upload.batch,
                "reason": change.new[0].row.reason,
            }  # fmt: skip
            account = Account.objects.filter(
                program__site_key=upload.site_key, member_id=change.new[0].row.member_id
            ).first()
            log(instance=account or self.request.user, action=UPLOADED, title=_("Upload of points"), data=data)
        return change

    def _render(self, form: UploadForm, *, status: int = 200, **context: Any) -> HttpResponse:
        context = self.get_context_data(form=form, members_url=reverse("loyalink_khalti_members"), **context)
        return self.render_to_response(context, status=status)


def _raw_rows(table: UploadedTable) -> list[RawRow]:
    """Return the rows below the headings. Raises ``UnreadableTable`` where those are others."""
    rows = table.rows()
    head = next(rows, None)
    names = [name.strip().casefold() for name in head.cells] if head else []
    if obstacle := missing_columns(names):
        raise UnreadableTable(_("Row %(row)s: %(error)s") % {"row": head.number if head else 1, "error": obstacle})
    found = []
    for row in rows:
        cells = with_digits(dict(zip(names, row.cells, strict=False)))
        cells["points"] = _number(cells["points"])
        found.append(RawRow(line=row.number, number=row.number, cells=cells, has_more=len(row.cells) > len(names)))
    return found


def _number(text: str) -> str:
    """Points as people type them (1,200) in the form that a check reads."""
    try:
        return plain_number(text)
    except ValueError:
        return text
