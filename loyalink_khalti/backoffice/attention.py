"""On the first page of Wagtail's admin: what waits for somebody to decide, and whether the jobs run."""

from typing import Any

from django.http import HttpRequest
from wagtail.admin.ui.components import Component

from loyalink_khalti import flow

PERMISSION = "loyalink_khalti.view_payment"


class AttentionPanel(Component):
    """Says in words what needs a person; shows nothing where nothing does."""

    name = "loyalink_khalti_attention"
    template_name = "loyalink_khalti/backoffice/attention.html"
    order = 90

    def __init__(self, health: flow.Health) -> None:
        self.health = health

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        return {"health": self.health}


def add_panel(request: HttpRequest, panels: list[Any]) -> None:
    """Put it on top for whoever may see payments, as long as there is something to say."""
    if not request.user.has_perm(PERMISSION):
        return
    health = flow.health()
    if health.flags or health.is_late or health.stuck or not health.is_scheduled:
        panels.append(AttentionPanel(health))
