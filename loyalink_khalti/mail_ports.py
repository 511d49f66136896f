"""The part of the interface between the flow and a host that is about e-mails: all of it may be left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderForMail:
    """What an e-mail about an order says besides its receipt; all of it may be left out."""

    path: str = ""
    """The path of the page on which the customer sees the order, which opens from a mail."""
    address: tuple[str, ...] = field(default=(), repr=False)
    """The lines of the delivery address."""
    note: str = field(default="", repr=False)
    """What the customer wrote to the shop."""
    shop_name: str = ""
    footer: str = ""
    """The shop's name and the last lines of its mails, where the host has its own settings for them."""
    is_test: bool = False
    """Whether no money has moved."""
    row: Any = field(default=None, repr=False)
    """The host's own order, which ``send_mail`` finds again in ``Mail.context["order"]``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """An e-mail to a customer, in their language."""

    kind: str
    """A ``MailKind``, for example "order_refunded"."""
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    context: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What its templates were rendered with."""


class MailsOrders(Protocol):
    """What a Shop has besides, so that the mails about its orders say more, or leave by its own ways."""

    def order_for_mail(self, ref: str) -> OrderForMail | None:
        """Return what is known of an order, in the active language; None if it is gone, so that there is no mail."""

    def mails_itself(self, kind: str) -> bool:
        """Return whether the shop sends a mail of its own where one of this kind would be sent."""

    def send_mail(self, ref: str, mail: Mail, *, to: str) -> bool:
        """Send a mail as the shop does, or return False: then it is sent by Django's mail."""
