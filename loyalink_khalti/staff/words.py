"""What staff read of a payment, in their own language: where it stands, what may be decided, what a flag tells."""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.flow import Decision
from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.payments.states import State
from loyalink_khalti.ports import Why

DECISIONS: dict[Decision, Promise] = {
    Decision.FULFIL: _("The money has come: grant the goods."),
    Decision.ACCEPT: _("Take the money as it came, and grant the goods."),
    Decision.REFUND: _("Give the payment back at Khalti."),
    Decision.GIVE_UP: _("Let go of what a payment holds that Khalti does not know."),
    Decision.MADE: _("Khalti's dashboard shows the refund."),
    Decision.NOT_MADE: _("Khalti's dashboard does not show the refund."),
    Decision.AMOUNT: _("So much was given back in Khalti's dashboard."),
    Decision.DISMISS: _("Nothing more is to be done."),
}


IN_SHORT: dict[Decision, Promise] = {
    Decision.FULFIL: _("grant the goods"),
    Decision.ACCEPT: _("take the money as it came"),
    Decision.REFUND: _("give the money back"),
    Decision.GIVE_UP: _("let go of what it holds"),
    Decision.MADE: _("say that the refund was made"),
    Decision.NOT_MADE: _("say that the refund was not made"),
    Decision.AMOUNT: _("say how much went back"),
    Decision.DISMISS: _("nothing more to do"),
}
"""The same in a word or two, for a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A state as a chip: its words, a mark that needs no colour, and whether it stands out."""

    label: Promise
    mark: str
    loud: bool = False


STATES: dict[State, Standing] = {
    State.CREATED: Standing(label=_("Being begun"), mark="…"),
    State.INITIATED: Standing(label=_("Waiting for the shopper"), mark="…"),
    State.PAID: Standing(label=_("Paid, goods not granted"), mark="!", loud=True),
    State.FULFILLED: Standing(label=_("Paid"), mark="✓"),
    State.RELEASED: Standing(label=_("Not paid"), mark="–"),
    State.MISMATCHED: Standing(label=_("Does not match"), mark="!", loud=True),
    State.PART_REFUNDED: Standing(label=_("Partly given back"), mark="↩"),
    State.REFUNDED: Standing(label=_("Given back"), mark="↩"),
}

NOT_PAID: dict[Why, Standing] = {
    Why.REFUSED: Standing(label=_("Not begun"), mark="–"),
    Why.CANCELLED: Standing(label=_("Cancelled by the shopper"), mark="–"),
    Why.EXPIRED: Standing(label=_("Expired"), mark="–"),
    Why.FAILED: Standing(label=_("Failed"), mark="–"),
    Why.ABANDONED: Standing(label=_("Given up"), mark="–"),
}


def standing(payment: Payment) -> Standing:
    """Where a payment stands, in a word or two."""
    state = State(payment.state)
    if state is State.RELEASED and payment.why:
        return NOT_PAID.get(Why(payment.why), STATES[state])
    return STATES[state]


def evidence(flag: Flag) -> list[tuple[str, Any]]:
    """What a flag was raised for, as names and figures that people read."""
    return [
        (_NAMES.get(name, name), figure(name, value))
        for name, value in flag.evidence.items()
        if value not in ("", None)
    ]


_NAMES = {
    "pidx": _("Khalti's pidx"),
    "status": _("Khalti says"),
    "total_amount": _("Khalti's amount"),
    "transaction_id": _("Khalti's transaction"),
    "refunded": _("Marked as refunded at Khalti"),
    "khalti": _("Khalti's words"),
    "status_code": _("HTTP status"),
    "shop": _("The shop says"),
    "refund": _("Refund"),
    "cash": _("Cash"),
    "rest": _("The rest"),
    "error": _("Error"),
}
_IN_PAISA = frozenset({"cash", "rest", "total_amount"})


def figure(name: str, value: Any) -> Any:
    """One thing of a flag's evidence: money in rupees, a yes or no in words."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    return npr(Paisa(value)) if name in _IN_PAISA and isinstance(value, int) else value
