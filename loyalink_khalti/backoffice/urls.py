"""The URLs of the back office, below Wagtail's admin."""

import logging

from django.urls import URLPattern, path

from loyalink_khalti import conf

from .approvals.page import RefundApprovalView
from .campaigns import views as campaigns
from .campaigns.listing import CampaignsView
from .counter.listing import CounterSalesView
from .counter.views import NewSaleView, RefundSaleView, SaleView
from .invoices import order as order_invoices
from .invoices import views as invoices
from .invoices.listing import InvoicesView
from .mail_preview import MailPreview
from .members.adjust import AdjustView
from .members.block import BlockView
from .members.check_now import CheckNowView
from .members.listing import MembersView
from .members.merge import MergeView
from .members.page import MemberPage
from .members.personal_data import EraseView, ExportView
from .members.upload import UploadPointsView
from .models import KhaltiSettings, LoyaltySettings, ShopDetails
from .orders import actions as orders
from .orders.listing import OrdersView
from .orders.missing_order import MissingOrderView
from .orders.page import OrderView
from .orders.saved_filters import DeleteFilterView, SaveFilterView
from .payments.evidence_view import EvidenceView
from .payments.page import PaymentView, RefundView
from .payments.record import RecordRefundView, ReverseRefundView
from .payments.refresh import MailView, NoteView, RefreshView
from .payments.release import ReleaseView
from .payments.resolution import ResolveFlagView
from .payments.unmatched import UnmatchedView
from .reports.registry import REPORTS
from .rules.views import RulesExampleView
from .settings.switch import SwitchView
from .settings.views import TestKeyView
from .statements.days import DaysView
from .statements.difference import DifferenceView
from .statements.listing import DifferencesView, StatementsView
from .statements.views import MapView, StatementView, UploadView
from .takings.close import NAME as DAILY_CLOSE
from .takings.close import DailyCloseView

log = logging.getLogger(__name__)


def shops_urls() -> list[URLPattern]:
    """Return the pages that a shop has in Wagtail's admin without an app of its own: its ``admin_urls``."""
    try:
        return [url for shop in conf.shops().values() for url in getattr(shop, "admin_urls", list)()]
    except Exception as exc:  # the checks say what is wrong with it
        log.error("no pages of shops in Wagtail's admin: %s", exc, exc_info=exc)
        return []


def payments_urls() -> list[URLPattern]:
    payments, payment, name = "khalti/payments/", "khalti/payments/<int:pk>/", "loyalink_khalti_payment"
    reverse = f"{payment}refunds/<int:refund>/reverse/"
    return [
        path(payments, OrdersView.as_view(), name="loyalink_khalti_payments"),
        path(f"{payments}results/", OrdersView.as_view(results_only=True), name="loyalink_khalti_payments_results"),
        path(payment, PaymentView.as_view(), name=name),
        path(f"{payment}refresh/", RefreshView.as_view(), name=f"{name}_refresh"),
        path(f"{payment}mail/", MailView.as_view(), name=f"{name}_mail"),
        path(f"{payment}note/", NoteView.as_view(), name=f"{name}_note"),
        path(f"{payment}refund/", RefundView.as_view(), name=f"{name}_refund"),
        path(f"{payment}evidence/", EvidenceView.as_view(), name=f"{name}_evidence"),
        path(f"{payment}record-refund/", RecordRefundView.as_view(), name=f"{name}_record_refund"),
        path("khalti/unpaid/<int:pk>/release/", ReleaseView.as_view(), name="loyalink_khalti_release"),
        path(reverse, ReverseRefundView.as_view(), name="loyalink_khalti_refund_reverse"),
        path("khalti/unmatched/<int:pk>/", UnmatchedView.as_view(), name="loyalink_khalti_unmatched"),
        path("khalti/refund-requests/<int:pk>/", RefundApprovalView.as_view(), name="loyalink_khalti_refund_approval"),
        path("khalti/flags/<int:pk>/resolve/", ResolveFlagView.as_view(), name="loyalink_khalti_flag_resolve"),
    ]


def orders_urls() -> list[URLPattern]:
    order, name = "khalti/orders/<int:pk>/", "loyalink_khalti_order"
    return [
        path(order, OrderView.as_view(), name=name),
        path(f"{order}refund/", orders.OrderRefundView.as_view(), name=f"{name}_refund"),
        path(f"{order}apply-refunds/", orders.OrderApplyRefundsView.as_view(), name=f"{name}_apply_refunds"),
        path(f"{order}cancel/", orders.OrderCancelView.as_view(), name=f"{name}_cancel"),
        path(f"{order}received/", orders.OrderReceivedView.as_view(), name=f"{name}_received"),
        path(f"{order}note/", orders.OrderNoteView.as_view(), name=f"{name}_note"),
        path(f"{order}mail/", orders.OrderMailView.as_view(), name=f"{name}_mail"),
        path("khalti/orders/filters/save/", SaveFilterView.as_view(), name="loyalink_khalti_orders_save_filter"),
        path(
            "khalti/orders/filters/<int:pk>/delete/",
            DeleteFilterView.as_view(),
            name="loyalink_khalti_orders_delete_filter",
        ),
        path(f"{order}missing/", MissingOrderView.as_view(), name="loyalink_khalti_missing_order"),
    ]


def invoices_urls() -> list[URLPattern]:
    """The sales register, the page of a document, its printings, and what the page of an order links to."""
    all_, one, order, name = (
        "khalti/invoices/",
        "khalti/invoices/<int:pk>/",
        "khalti/orders/<int:pk>/",
        "loyalink_khalti",
    )
    printed, slip, name = f"{one}prints/<int:number>/", order_invoices.PackingSlipView, "loyalink_khalti"
    return [
        path(all_, InvoicesView.as_view(), name=f"{name}_invoices"),
        path(f"{all_}results/", InvoicesView.as_view(results_only=True), name=f"{name}_invoices_results"),
        path(one, invoices.InvoicePage.as_view(), name=f"{name}_invoice"),
        path(f"{one}print/", invoices.InvoicePrintView.as_view(), name=f"{name}_invoice_print"),
        path(printed, invoices.PrintedView.as_view(), name=f"{name}_invoice_printed"),
        path(f"{printed}pdf/", invoices.PrintedView.as_view(is_pdf=True), name=f"{name}_invoice_pdf"),
        path(f"{order}invoice/", order_invoices.IssueView.as_view(), name=f"{name}_order_invoice"),
        path(f"{order}packing-slip/", slip.as_view(), name=f"{name}_packing_slip"),
        path(f"{order}packing-slip/pdf/", slip.as_view(is_pdf=True), name=f"{name}_packing_slip_pdf"),
    ]


def reports_urls() -> list[URLPattern]:
    """Each report, and its results, which are loaded again when a filter changes."""
    pages = [
        path(f"khalti/reports/{name}/", view.as_view(), name=view.index_url_name) for name, view in REPORTS.items()
    ]
    results = [
        path(f"khalti/reports/{name}/results/", view.as_view(results_only=True), name=view.index_results_url_name)
        for name, view in REPORTS.items()
    ]
    return [*pages, *results, path("khalti/daily-close/", DailyCloseView.as_view(), name=DAILY_CLOSE)]


def members_urls() -> list[URLPattern]:
    members, member, name = "khalti/members/", "khalti/members/<int:pk>/", "loyalink_khalti_member"
    return [
        path(members, MembersView.as_view(), name="loyalink_khalti_members"),
        path(f"{members}results/", MembersView.as_view(results_only=True), name="loyalink_khalti_members_results"),
        path(f"{members}upload/", UploadPointsView.as_view(), name="loyalink_khalti_points_upload"),
        path(member, MemberPage.as_view(), name=name),
        path(f"{member}adjust/", AdjustView.as_view(), name=f"{name}_adjust"),
        path(f"{member}block/", BlockView.as_view(), name=f"{name}_block"),
        path(f"{member}merge/", MergeView.as_view(), name=f"{name}_merge"),
        path(f"{member}export/", ExportView.as_view(), name=f"{name}_export"),
        path(f"{member}erase/", EraseView.as_view(), name=f"{name}_erase"),
        path(f"{member}holds/<int:hold>/check/", CheckNowView.as_view(), name=f"{name}_check_now"),
    ]


def counter_urls() -> list[URLPattern]:
    counter, sales, sale = "khalti/counter/", "khalti/counter/sales/", "khalti/counter/sales/<int:pk>/"
    name = "loyalink_khalti_counter"
    return [
        path(counter, NewSaleView.as_view(), name=name),
        path(sales, CounterSalesView.as_view(), name=f"{name}_sales"),
        path(f"{sales}results/", CounterSalesView.as_view(results_only=True), name=f"{name}_sales_results"),
        path(sale, SaleView.as_view(), name=f"{name}_sale"),
        path(f"{sale}refund/", RefundSaleView.as_view(), name=f"{name}_refund"),
    ]


def statements_urls() -> list[URLPattern]:
    all_, one, name = "khalti/statements/", "khalti/statements/<int:pk>/", "loyalink_khalti_statement"
    differences, difference = f"{all_}differences/", "loyalink_khalti_difference"
    return [
        path(all_, StatementsView.as_view(), name=f"{name}s"),
        path(f"{all_}results/", StatementsView.as_view(results_only=True), name=f"{name}s_results"),
        path(f"{all_}upload/", UploadView.as_view(), name=f"{name}_upload"),
        path(f"{all_}days/", DaysView.as_view(), name=f"{name}_days"),
        path(differences, DifferencesView.as_view(), name=f"{difference}s"),
        path(f"{differences}results/", DifferencesView.as_view(results_only=True), name=f"{difference}s_results"),
        path(f"{differences}<int:pk>/", DifferenceView.as_view(), name=difference),
        path(one, StatementView.as_view(), name=name),
        path(f"{one}map/", MapView.as_view(), name=f"{name}_map"),
    ]


def campaigns_urls() -> list[URLPattern]:
    all_, one, name = "khalti/campaigns/", "khalti/campaigns/<int:pk>/", "loyalink_khalti_campaign"
    example = campaigns.ExampleView.as_view()
    return [
        path(all_, CampaignsView.as_view(), name=f"{name}s"),
        path(f"{all_}results/", CampaignsView.as_view(results_only=True), name=f"{name}s_results"),
        path(f"{all_}add/", campaigns.EditView.as_view(), name=f"{name}_add"),
        path(f"{all_}example/", example, name=f"{name}_example"),
        path(one, campaigns.EditView.as_view(), name=f"{name}_edit"),
        path(f"{one}example/", example, name=f"{name}_example"),
        path(f"{one}end/", campaigns.EndView.as_view(), name=f"{name}_end"),
        path(f"{one}delete/", campaigns.DeleteView.as_view(), name=f"{name}_delete"),
    ]


def settings_urls() -> list[URLPattern]:
    """The pages beside Wagtail's own pages of the settings, for each site."""
    khalti, loyalty, details = (
        {"app_name": m._meta.app_label, "model_name": m._meta.model_name}
        for m in (KhaltiSettings, LoyaltySettings, ShopDetails)
    )
    return [
        path("khalti/switch/<int:pk>/", SwitchView.as_view(), name="loyalink_khalti_switch"),
        path("khalti/<int:pk>/test-key/", TestKeyView.as_view(), khalti, name="loyalink_khalti_test_key"),
        path(
            "khalti/<int:pk>/rules-example/", RulesExampleView.as_view(), loyalty, name="loyalink_khalti_rules_example"
        ),
        path("khalti/<int:pk>/mail/<slug:kind>/", MailPreview.as_view(), details, name="loyalink_khalti_mail_preview"),
    ]
