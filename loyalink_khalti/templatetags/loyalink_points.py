"""``{% load loyalink_points %}``: a member's points card, and the points after an order."""

from typing import Any

from django import template
from django.template.context import RequestContext

from loyalink_khalti import conf, flow

register = template.Library()


@register.inclusion_tag("loyalink_khalti/elements/points_card.html", takes_context=True)
def points_card(context: RequestContext) -> dict[str, Any]:
    """Show the points card of the customer who is logged in, for shops without a page of ours; nothing for a guest."""
    request = context["request"]
    card = None
    if request.user.is_authenticated:
        card = flow.member_card(
            site_key=conf.site_key(request), member_id=str(request.user.pk), before=request.GET.get("before", "")
        )
    return {"request": request, "csrf_token": context.get("csrf_token"), "member_card": card}


@register.simple_tag(takes_context=True)
def points_after_order(context: RequestContext, purchase: Any) -> Any:
    """Return what the buyer of an order reads about points after it; None for anybody else."""
    user = getattr(context.get("request"), "user", None)
    if not purchase or user is None or not user.is_authenticated or purchase.earner != str(user.pk):
        return None
    return flow.points_after_order(purchase)


@register.inclusion_tag("loyalink_khalti/elements/accept_terms_field.html", takes_context=True)
def accept_terms_field(context: RequestContext) -> dict[str, Any]:
    """Show the terms of the programme and a checkbox that accepts them, for a form in which customers register."""
    request = context["request"]
    terms = flow.program_terms(conf.site_key(request))
    return {"terms": terms, "is_checked": request.POST.get("accept_terms") == terms.version}
