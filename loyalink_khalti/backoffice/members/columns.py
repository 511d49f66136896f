"""Columns of a list of members."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail.admin.ui.tables import BaseColumn, Column, DateColumn, TitleColumn

from loyalink_khalti.backoffice.links import member_url
from loyalink_khalti.money import grouped

SITE = Column("site", label=_("Site"))


class PointsColumn(Column):
    """Points, grouped as Nepal does; nothing where there are none."""

    def get_value(self, instance: Any) -> str:
        number = super().get_value(instance)
        return grouped(number) if number else ""


class ChipsColumn(BaseColumn):
    """What is unusual about a member."""

    cell_template_name: Any = "loyalink_khalti/backoffice/members/chips.html"

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        return context | {"chips": instance.chips}


def columns() -> list[BaseColumn]:
    return [
        TitleColumn("called", label=_("Member"), get_url=lambda member: member_url(member.pk)),
        Column("person.email", label=_("E-mail")),
        PointsColumn("available", accessor="account.available", label=_("Available")),
        PointsColumn("pending", accessor="account.pending", label=_("Pending")),
        PointsColumn("held", accessor="account.held", label=_("On hold")),
        PointsColumn("owed", accessor="account.owed", label=_("Owed")),
        Column("tier", label=_("Tier")),
        DateColumn("touched_at", accessor="account.touched_at", label=_("Last activity")),
        ChipsColumn("status", label=_("Status")),
    ]
