"""The control for using points at a checkout: the numbers at which it stops, and what the chosen one does.

Every figure is the flow's, for what the customer has chosen so far: the page computes nothing. Its template is
``elements/use_points.html``, its script ``use_points.js``; without the script the customer presses "Apply".
"""

from dataclasses import dataclass

from loyalink_khalti import flow
from loyalink_khalti.conf import formats
from loyalink_khalti.money import Points
from loyalink_khalti.ports import Costs

from .checkout import PaymentChoice, quote_costs
from .payment_choice import PaymentMethodForm


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsControl:
    """What the control shows. Where ``obstacle`` is not "", a line says why there is none."""

    quote: flow.Quote
    """With the points that are used: the chosen ones, none where they do not fit."""
    is_member: bool
    takes_points: bool
    """Whether the chosen payment method does."""
    refusal: str = ""
    """Why the chosen number cannot be used, written for the customer."""
    nearest: tuple[Points, ...] = ()
    """The numbers next to it that can be used."""

    @property
    def obstacle(self) -> str:
        """Return what keeps this customer from using points on this order, "" where they can use some."""
        quote = self.quote
        obstacles = {
            "guest": not self.is_member,
            "merged": quote.account_merged,
            "left": quote.has_left,
            "blocked": quote.points_blocked,
            "none": quote.points_balance <= 0,
            "few": quote.points_balance < quote.minimum,
            "order": not quote.steps.stops,
        }
        return next((name for name, is_met in obstacles.items() if is_met), "")

    @property
    def stop(self) -> int:
        """Return where the range stands."""
        return self.quote.steps.stop_of(self.quote.points)

    @property
    def points_left(self) -> Points:
        """Return the points that the member can use after this order, without those that it earns."""
        return Points(self.quote.points_balance - self.quote.points)

    @property
    def points_missing(self) -> Points:
        """Return how many points the member lacks to use any."""
        return Points(max(self.quote.minimum - self.quote.points_balance, 0))

    @property
    def locale(self) -> str:
        """Return the BCP 47 locale in which the script writes a number before the server's figures arrive."""
        return "en-IN" if formats.number(0) == "0" else "ne-NP-u-nu-deva"


def points_control(costs: Costs, form: PaymentMethodForm, *, site_key: str, member_id: str | None) -> PointsControl:
    """Return the control for what a payment form shows, sent or not. Raises ``CannotPay`` as the quote does."""
    choice, refusal, nearest = form.choice_so_far, form.points_error, form.nearest
    method = PaymentChoice.of(choice.code) if choice.code else PaymentChoice()
    quoted = quote_costs(costs, method, site_key=site_key, member_id=member_id)
    try:
        quoted = quote_costs(costs, choice, site_key=site_key, member_id=member_id)
    except flow.PointsDoNotFit as exc:
        if form.is_member:  # a guest has a line instead
            refusal, nearest = refusal or str(exc), nearest or exc.nearest
    return PointsControl(
        quote=quoted,
        is_member=form.is_member,
        takes_points=form.takes_points,
        refusal=refusal,
        nearest=nearest,
    )
