"""How the shopper has chosen to pay, kept in the checkout's session until the order is placed."""

from dataclasses import dataclass
from typing import Any

from loyalink_khalti.money import Points
from loyalink_khalti.ports import Method

_NAMESPACE = "loyalink_khalti"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """``method`` is None until one has been chosen."""

    method: Method | None = None
    points: Points = Points(0)


def read(checkout_session: Any) -> Choice:
    """The choice of this checkout; what is not understood is no choice."""
    method, points = checkout_session.payment_method(), checkout_session._get(_NAMESPACE, "points", 0)
    return Choice(
        method=Method(method) if method in set(Method) else None,
        points=Points(points if isinstance(points, int) and points > 0 else 0),
    )


def store(checkout_session: Any, choice: Choice) -> None:
    checkout_session.pay_by(str(choice.method) if choice.method else None)
    checkout_session._set(_NAMESPACE, "points", int(choice.points))
