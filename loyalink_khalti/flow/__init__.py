"""The spine: a purchase enters on one side and leaves as one paid order and one award of points.

::

    quote      what would be earned, what can be spent, what is left to pay                    writes nothing
    begin      the shop freezes its basket into a Cart; Purchase, Payment and points hold are committed;
               then Khalti is asked for a payment page, and the shopper is sent there
    finish     Khalti is asked what became of the payment; then, in one block: paid, and in a savepoint the shop
               confirms, the points are spent and the new ones awarded; or all of it is given back
    place      the same without Khalti: points cover all, cash on delivery, a bank transfer
    received   staff say that the cash or the transfer has come: the points are awarded
    undo       a Refund is committed; Khalti gives the cash back; the shop and the points follow
    give_back  the same for a payment that bought nothing: no goods and no points move
    decide     staff answer a Flag: fulfil, accept, refund, dismiss, with a reason
    look       staff have Khalti asked about one payment, now
    reconcile  a look at everything that nobody came back for
    claim      a guest, who has made an account since, has the points of an order
    warn       members are told that points expire soon
    start_again  the shopper gives up a payment that waits: Khalti is asked first

``finish`` is called by the return page, the status page, the reconciler and staff alike, any number of times, in any
order, by any number of processes. Nothing but lookup's own word makes a Khalti payment paid. Every verb commits by
itself and raises ``InsideTransaction`` when it is called inside a transaction.
"""

from .begin import PaymentWaiting, begin
from .claim import LinkNotValid, claim, claim_link, claim_quote, claim_worth
from .decide import Decision, choices, decide
from .finish import finish, start_again
from .give_back import give_back
from .health import Health, health
from .look import Said, look
from .member import member
from .place import place
from .quote import PointsDoNotFit, Quote, quote
from .received import received
from .reconcile import Pass, nudge, reconcile
from .undo import Back, meanwhile, undo, undo_again, undo_quote, worth_back
from .waiting import join, waiting
from .warn import warn

__all__ = [
    "Back",
    "Decision",
    "Health",
    "LinkNotValid",
    "Pass",
    "PaymentWaiting",
    "PointsDoNotFit",
    "Quote",
    "Said",
    "begin",
    "choices",
    "claim",
    "claim_link",
    "claim_quote",
    "claim_worth",
    "decide",
    "finish",
    "give_back",
    "health",
    "join",
    "look",
    "meanwhile",
    "member",
    "nudge",
    "place",
    "quote",
    "received",
    "reconcile",
    "start_again",
    "undo",
    "undo_again",
    "undo_quote",
    "waiting",
    "warn",
    "worth_back",
]
