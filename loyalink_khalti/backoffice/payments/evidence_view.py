"""The evidence of a payment as a file: PDF where the extra ``pdf`` is installed, else a page to print; or JSON."""

import re
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from wagtail.log_actions import log

from loyalink_khalti.conf import formats
from loyalink_khalti.paper import can_make_pdf
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.access import forbidden
from loyalink_khalti.staff.action_log import EVIDENCE_EXPORTED

from .evidence import Evidence, as_json, evidence
from .page import PaymentPage


class EvidenceView(PaymentPage):
    """Download the evidence of one payment; every download is logged as an export."""

    permission = permissions.EXPORT_PAYMENTS
    http_method_names = ["get"]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.has_permission(permissions.VIEW_PAYMENTS):
            return forbidden(request)
        kind = "json" if request.GET.get("format") == "json" else "pdf" if can_make_pdf() else "html"
        response = self._file(request, kind)
        name = re.sub(r"[^\w.-]+", "-", self.payment.purchase_order_id)
        response["Content-Disposition"] = f'attachment; filename="evidence-{name}.{kind}"'
        log(
            instance=self.payment, action=EVIDENCE_EXPORTED, title=self.payment.purchase_order_id,
            data={"format": kind},
        )  # fmt: skip
        return response

    def _file(self, request: HttpRequest, kind: str) -> HttpResponse:
        if kind == "json":
            options = {"ensure_ascii": False, "indent": 2}
            return JsonResponse(as_json(self.payment), json_dumps_params=options)
        found = evidence(self.payment)
        if kind == "pdf":
            return HttpResponse(evidence_pdf(found), content_type="application/pdf")
        return render(request, "loyalink_khalti/backoffice/payments/evidence.html", {"evidence": found})


def evidence_pdf(found: Evidence) -> bytes:
    """Return the evidence as a PDF file (A4), in the active language."""
    from loyalink_khalti.paper.sheet import BOLD, new_sheet, write_head, write_line, write_table, write_title

    pdf = new_sheet(title=found.title, author=found.shop.shop_name)
    write_head(pdf, found.shop.shop_name, found.shop.address.splitlines())
    write_title(pdf, found.title)
    write_line(pdf, formats.moment(found.made_at))
    for section in found.sections:
        pdf.ln(3)
        write_title(pdf, section.title)
        columns = len(section.head) or 2
        widths = {2: (30, 70), 3: (24, 38, 38), 4: (24, 20, 20, 36)}[columns]
        head = [(section.head, BOLD)] if section.head else []
        write_table(pdf, [*head, *((row, None) for row in section.rows)], widths=widths)
    return bytes(pdf.output())
