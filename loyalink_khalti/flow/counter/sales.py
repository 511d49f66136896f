"""Record a sale in the shop: points for its bill, and points that pay for a part of it.

The sale earns by the rules of online orders, as an order of one line without a category, and is a purchase of the
ledger with a key of its own. ``quote_counter_sale`` writes nothing but a wrong try of a code; ``record_counter_sale``
commits by itself, once per form.
"""

from dataclasses import dataclass, field
from datetime import date

from django.db import IntegrityError, transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.clock import database_now
from loyalink_khalti.conf import formats
from loyalink_khalti.errors import CannotSell, CounterLimitExceeded, LedgerError, RepeatedBill, SelfDealing
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing, self_dealing_obstacle
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import OrderSnapshot
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.program import ProgramVersion
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import ascii_digits
from loyalink_khalti.payments.counter_sales import CounterSale
from loyalink_khalti.ports import Line

from .codes import set_claim_code
from .customers import check_member
from .limits import counter_limit_obstacle


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterOrder:
    """A bill as staff type it; ``amount`` is paisa before points.

    ``member_id`` is the user's pk; None for a customer without an account, who is known by ``email`` or ``phone``.
    """

    site_key: str
    bill_number: str
    bill_day: date
    amount: Paisa
    method: str
    member_id: str | None = None
    email: str = ""
    phone: str = ""
    points: Points = Points(0)
    """Points that the customer redeems."""
    code: str = field(default="", repr=False)
    """The digits that the customer's points card shows; needed to redeem."""
    is_another: bool = False
    """Staff have confirmed that another bill of this day has this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterQuote:
    """What a sale does, before it is confirmed."""

    earned: Points
    points: Points
    points_value: Paisa
    amount_due: Paisa
    balance: Points | None
    """Points that the member can use now; None without an account at this shop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSale:
    """A recorded sale. ``claim_code`` is shown this once; "" for a member, and for a form that was sent again."""

    sale: CounterSale
    is_new: bool
    claim_code: str = ""


def sale_snapshot(*, amount: Paisa, points_value: Paisa, at: object) -> OrderSnapshot:
    """Return a bill as an order of one line that is in no category: rules about categories do not apply to it."""
    line = Line(sku="", title="", quantity=1, unit=amount, total=amount)
    return OrderSnapshot(
        lines=(line,), shipping=Paisa(0), discount=Paisa(0), points_value=points_value,
        at=at,  # type: ignore[arg-type]
    )  # fmt: skip


def bill_number_of(typed: str) -> str:
    """Return a number of a bill in one form: without spaces around it, digits 0 to 9, capital letters."""
    return " ".join(ascii_digits(typed).upper().split())


def quote_counter_sale(order: CounterOrder, *, actor: str, may_exceed_limit: bool = False) -> CounterQuote:
    """Return what a sale gives, redeems and leaves to pay.

    Raises ``CannotSell`` with a message for staff, its ``field`` naming what was typed wrong: ``RepeatedBill`` where
    the number of the bill was used before on that day, ``SelfDealing``, ``CounterLimitExceeded``.
    """
    sale, account = _sale_of(order, actor=actor, key="")
    if obstacle := self_dealing_obstacle(actor, members=[order.member_id], email=order.email, phone=order.phone):
        raise SelfDealing(obstacle)
    if not may_exceed_limit and (obstacle := counter_limit_obstacle(conf.counter_limits(order.site_key), sale)):
        raise CounterLimitExceeded(obstacle)
    _check_bill(order)
    if order.points:
        _checked_code(order)
    balance = None if account is None else _balance(account)
    return CounterQuote(
        earned=Points(sale.points_earned), points=order.points, points_value=Paisa(sale.points_value),
        amount_due=sale.amount_due, balance=balance,
    )  # fmt: skip


def record_counter_sale(order: CounterOrder, *, key: str, actor: str, may_exceed_limit: bool = False) -> RecordedSale:
    """Record a sale and move its points, once per ``key`` (of the form); all in one transaction.

    Raises what ``quote_counter_sale`` raises, also for a form that was sent before with other figures, and
    ``InsideTransaction``.
    """
    forbid_transaction("record_counter_sale")
    if (earlier := CounterSale.objects.filter(key=key).first()) is not None:
        return _repeated(earlier, order)
    code = None
    if order.points:
        _sale_of(order, actor=actor, key=key)  # what cannot be sold costs no try of the code
        code = _checked_code(order)
    try:
        return in_one_block(lambda: _record(order, key=key, actor=actor, may_exceed_limit=may_exceed_limit, code=code))
    except LedgerError as exc:
        if isinstance(exc, CannotSell):
            raise
        raise CannotSell(_("The points of this customer have changed meanwhile. Please check the sale.")) from exc


def _record(order: CounterOrder, *, key: str, actor: str, may_exceed_limit: bool, code: int | None) -> RecordedSale:
    limits = None if may_exceed_limit else conf.counter_limits(order.site_key, lock=True)
    sale, _account = _sale_of(order, actor=actor, key=key)
    members = [order.member_id]
    forbid_self_dealing(actor, StaffAction.COUNTER, members=members, email=order.email, phone=order.phone)
    if limits is not None and (obstacle := counter_limit_obstacle(limits, sale)):
        raise CounterLimitExceeded(obstacle)
    _check_bill(order)
    claim_code = "" if order.member_id else set_claim_code(sale)
    try:
        with transaction.atomic():
            sale.save(force_insert=True)
    except IntegrityError as exc:  # the same form, or another sale with this bill, at the same moment
        if (earlier := CounterSale.objects.filter(key=key).first()) is not None:
            return _repeated(earlier, order)
        raise _repeated_bill(order) from exc
    if order.member_id:
        _move_points(sale, code)
    return RecordedSale(sale=sale, is_new=True, claim_code=claim_code)


def _sale_of(order: CounterOrder, *, actor: str, key: str) -> tuple[CounterSale, Account | None]:
    """Return the sale, not saved, with the points that it gives by the rules of now, and the member's account."""
    version, now = ledger.current_version(order.site_key), database_now()
    account = check_member(order.site_key, order.member_id) if order.member_id else None
    if order.amount <= 0:
        raise CannotSell(_("Enter the amount of the bill."), field="amount")
    if order.points:
        _check_points(order, version, account)
    value = ledger.points_value(version.rules, order.points)
    snapshot = sale_snapshot(amount=order.amount, points_value=value, at=now)
    history = ledger.order_history(account, version.rules)
    earned = snapshot.earned(version.rules, tier=account.tier if account else "", history=history)
    sale = CounterSale(
        site_key=order.site_key, key=key, bill_number=bill_number_of(order.bill_number), bill_day=order.bill_day,
        repetition=_repetition(order), amount=order.amount, points_redeemed=order.points, points_value=value,
        method=order.method, points_earned=earned.points, rules_version=version.pk, member_id=order.member_id,
        email="" if order.member_id else order.email, phone="" if order.member_id else order.phone,
        language=get_language() or "", actor=actor, sold_at=now,
    )  # fmt: skip
    return sale, account


def _check_points(order: CounterOrder, version: ProgramVersion, account: Account | None) -> None:
    if order.member_id is None:
        raise CannotSell(_("Only a customer with an account can use points. Leave the points empty."), field="points")
    if account is None or not account.available:
        raise CannotSell(_("This customer has no points to use."), field="points")
    if account.blocked:
        raise CannotSell(_("The points of this customer are blocked."), field="points")
    balance = _balance(account)
    due = Paisa(0)
    if ledger.points_fit(version.rules, order.points, total=order.amount, balance=balance, minimum_due=due):
        return
    if version.rules.redeem_paused:
        raise CannotSell(_("The use of points is paused at the moment."), field="points")
    near = ledger.nearest_redeemable(version.rules, order.points, total=order.amount, balance=balance, minimum_due=due)
    if not near:
        text = _("No points can be used for this bill: the customer has %(balance)s, and the least is %(minimum)s.")
        values = {"balance": balance, "minimum": version.rules.minimum_points}
        raise CannotSell(text % {name: formats.number(n) for name, n in values.items()}, field="points")
    numbers = _(" or ").join(formats.number(number) for number in near)
    text = _("This number of points cannot be used. The customer has %(balance)s; %(numbers)s would do.")
    raise CannotSell(text % {"balance": formats.number(balance), "numbers": numbers}, field="points")


def _checked_code(order: CounterOrder) -> int:
    """Return the pk of the code that the customer's card shows; a wrong one is counted, and committed."""
    digits = "".join(each for each in ascii_digits(order.code) if each.isdecimal())
    found = in_one_block(
        lambda: ledger.check_counter_code(site_key=order.site_key, member_id=str(order.member_id), digits=digits)
    )
    if found is None:
        raise CannotSell(
            _("This code is wrong, used or too old. The customer's points card shows a new one with “Show code”."),
            field="code",
        )
    return found


def _move_points(sale: CounterSale, code: int | None) -> None:
    """Redeem the points and award those that the bill earns, for a member."""
    member = {"site_key": sale.site_key, "member_id": str(sale.member_id), "purchase": sale.purchase}
    if sale.points_redeemed:
        if code is None or not ledger.use_counter_code(code, purchase=sale.purchase):
            raise CannotSell(_("This code was used, or is too old. Ask the customer for a new one."), field="code")
        ledger.hold(**member, points=Points(sale.points_redeemed), version_id=sale.rules_version)
        ledger.capture(purchase=sale.purchase, value=Paisa(sale.points_value))
    award_sale(sale)


def award_sale(sale: CounterSale) -> None:
    """Award what a recorded sale earns to its member, and keep how many points that are, and the new balance."""
    snapshot = sale_snapshot(amount=Paisa(sale.amount), points_value=Paisa(sale.points_value), at=sale.sold_at)
    sale.points_earned = ledger.award(
        site_key=sale.site_key, member_id=str(sale.earner), purchase=sale.purchase, order=snapshot,
        version_id=sale.rules_version,
    )  # fmt: skip
    account = ledger.own_account(sale.site_key, str(sale.earner))
    sale.points_balance = account.available if account else None
    sale.save(update_fields=["points_earned", "points_balance"])


def _balance(account: Account) -> Points:
    return Points(0 if account.blocked else account.available - ledger.overdue_points(account))


# The number of the bill


def _bills(order: CounterOrder) -> list[int]:
    same = CounterSale.objects.filter(
        site_key=order.site_key, bill_day=order.bill_day, bill_number=bill_number_of(order.bill_number)
    )
    return list(same.order_by("repetition").values_list("repetition", flat=True))


def _repetition(order: CounterOrder) -> int:
    if not order.is_another:
        return 0
    earlier = _bills(order)
    return earlier[-1] + 1 if earlier else 0


def _check_bill(order: CounterOrder) -> None:
    if not order.is_another and _bills(order):
        raise _repeated_bill(order)


def _repeated_bill(order: CounterOrder) -> RepeatedBill:
    text = _("A sale with the bill number %(number)s was recorded on that day already.")
    return RepeatedBill(text % {"number": bill_number_of(order.bill_number)}, field="bill_number")


def _repeated(earlier: CounterSale, order: CounterOrder) -> RecordedSale:
    """The answer to a form that was sent before: the same sale, or a refusal where its figures differ."""
    is_same = (
        (earlier.amount, earlier.points_redeemed, earlier.bill_number, earlier.bill_day, earlier.site_key)
        == (order.amount, order.points, bill_number_of(order.bill_number), order.bill_day, order.site_key)
        and order.member_id == earlier.member_id
    )  # fmt: skip
    if not is_same:
        raise CannotSell(_("A sale with other figures was already recorded with this form. Open it again."))
    return RecordedSale(sale=earlier, is_new=False)
