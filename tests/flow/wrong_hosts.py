"""Hosts that are wrong in one point each: the fake shop with a mistake that the author of a host could make."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.core import checks, mail
from django.db import connection, transaction

from loyalink_khalti.errors import BasketTaken, CannotPay, ShopCannot
from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Cart, HostOrder, Outcome, Paid
from loyalink_khalti.testing import FakeShop

Row = dict[str, Any]


class WrongShop(FakeShop):
    """What the mistakes have in common."""

    def change(self, ref: str, **fields: Any) -> None:
        self._write(f"purchase {ref}", {**self._purchase(ref), **fields})

    def restock_all(self, ref: str) -> None:
        self._restock((line.sku, line.quantity) for line in Cart.from_json(self._purchase(ref)["cart"]).lines)

    def take_all(self, ref: str) -> None:
        self._take_stock(Cart.from_json(self._purchase(ref)["cart"]))


# The verbs and the Cart


class HasNoReverseRefund(WrongShop):
    reverse_refund = None  # type: ignore[assignment]  # that is the mistake


class NamesAnArgumentDifferently(WrongShop):
    def record_received(self, ref: str, *, amount: Paisa) -> None:  # type: ignore[override]  # that is the mistake
        super().record_received(ref, received=amount)


class WrongCart(WrongShop):
    """A mistake in the Cart that the freeze returns."""

    mistake: dict[str, Any] = {}

    def freeze(self, cart: Cart) -> Callable[[], Cart]:
        freeze = super().freeze(cart)
        return lambda: replace(freeze(), **self.mistake)


class PricesInRupees(WrongShop):
    def freeze(self, cart: Cart) -> Callable[[], Cart]:
        freeze = super().freeze(cart)
        rupees: Any = Decimal("1000.00")
        return lambda: replace(freeze(), lines=tuple(replace(line, unit=rupees) for line in cart.lines))


class LeavesShippingOutOfTheCart(WrongCart):
    mistake = {"total": Paisa(250_000)}


class NamesNoBasket(WrongCart):
    mistake = {"origin": ""}


class NamesMembersOfACartByNumber(WrongCart):
    mistake = {"member_id": 7}


class SellsUnderAnotherName(WrongCart):
    mistake = {"shop": "market"}


class SellsInDollars(WrongCart):
    mistake = {"currency": "USD"}


class HoldsNothing(WrongShop):
    """The freeze computes a Cart, and writes no order."""

    def freeze(self, cart: Cart) -> Callable[[], Cart]:
        return lambda: cart


class OrdersABasketTwice(WrongShop):
    def freeze(self, cart: Cart) -> Callable[[], Cart]:
        freeze = super().freeze(cart)

        def again() -> Cart:
            self._delete(f"basket {cart.origin}")
            self._delete(f"purchase {cart.ref}")
            return freeze()

        return again


class CallsATakenBasketUnpayable(WrongShop):
    def freeze(self, cart: Cart) -> Callable[[], Cart]:
        freeze = super().freeze(cart)

        def fails() -> Cart:
            try:
                return freeze()
            except BasketTaken as exc:
                raise CannotPay(str(exc)) from exc

        return fails


# confirm


class TakesStockAtEveryConfirm(WrongShop):
    def confirm(self, ref: str, *, paid: Paid) -> str:
        if self._purchase(ref)["state"] == "placed":
            self.take_all(ref)
        return super().confirm(ref, paid=paid)


class TakesStockAtConfirmToo(WrongShop):
    """The freeze has reserved it already."""

    def confirm(self, ref: str, *, paid: Paid) -> str:
        if self._purchase(ref)["state"] == "held":
            self.take_all(ref)
        return super().confirm(ref, paid=paid)


class TakesNoStockAfterRelease(WrongShop):
    def confirm(self, ref: str, *, paid: Paid) -> str:
        if self._purchase(ref)["state"] == "released":
            self.change(ref, state="held")
        return super().confirm(ref, paid=paid)


class SellsWhatIsSoldOut(WrongShop):
    def confirm(self, ref: str, *, paid: Paid) -> str:
        try:
            with transaction.atomic():
                return super().confirm(ref, paid=paid)
        except ShopCannot:
            self.change(ref, state="placed", paid=paid.amount)
            return f"N-{ref}"


class SaysNotWhyItCannot(WrongShop):
    def confirm(self, ref: str, *, paid: Paid) -> str:
        try:
            return super().confirm(ref, paid=paid)
        except ShopCannot as exc:
            raise ShopCannot("host_failed", str(exc)) from exc


class NumbersEveryConfirm(WrongShop):
    def confirm(self, ref: str, *, paid: Paid) -> str:
        super().confirm(ref, paid=paid)
        return f"N-{ref}-{len(self.confirmed)}"


class ReturnsNoNumber(WrongShop):
    def confirm(self, ref: str, *, paid: Paid) -> str:
        super().confirm(ref, paid=paid)
        return ""


class IgnoresPoints(WrongShop):
    def confirm(self, ref: str, *, paid: Paid) -> str:
        return super().confirm(ref, paid=replace(paid, points_value=Paisa(0)))


class CountsPointsAsMoney(WrongShop):
    def confirm(self, ref: str, *, paid: Paid) -> str:
        return super().confirm(ref, paid=replace(paid, amount=Paisa(paid.amount + paid.points_value)))


class OverwritesLargerPaid(WrongShop):
    def confirm(self, ref: str, *, paid: Paid) -> str:
        number = super().confirm(ref, paid=paid)
        self.change(ref, paid=paid.amount)
        return number


class IgnoresCashThatArrives(WrongShop):
    def confirm(self, ref: str, *, paid: Paid) -> str:
        placed = self._purchase(ref)["state"] == "placed"
        return super().confirm(ref, paid=replace(paid, amount=Paisa(0)) if placed else paid)


class BringsBackCancelledOrders(WrongShop):
    def confirm(self, ref: str, *, paid: Paid) -> str:
        if self._purchase(ref).get("cancelled"):
            self.take_all(ref)
            self.change(ref, cancelled=False, refunds={})
        return super().confirm(ref, paid=paid)


class RemembersOrdersInItself(WrongShop):
    """In the process and not in the database, so that a rollback does not reach them."""

    def __init__(self) -> None:
        super().__init__()
        self.placed: set[str] = set()

    def confirm(self, ref: str, *, paid: Paid) -> str:
        self.placed.add(ref)
        return super().confirm(ref, paid=paid)

    def placed_orders(self) -> Iterator[HostOrder]:
        return (self.get_order(ref) for ref in self.placed)


class MailsAtOnce(WrongShop):
    def confirm(self, ref: str, *, paid: Paid) -> str:
        send_mail()
        return super().confirm(ref, paid=paid)


class MailsAtEveryConfirm(WrongShop):
    def confirm(self, ref: str, *, paid: Paid) -> str:
        transaction.on_commit(send_mail)
        return super().confirm(ref, paid=paid)


class MailsAtEveryRefund(WrongShop):
    def refund(self, ref: str, **refund: Any) -> None:
        transaction.on_commit(send_mail)
        super().refund(ref, **refund)


def send_mail() -> None:
    mail.send_mail("Thank you", "for your order", "shop@example.com", ["sita@example.com"])


class AddsUpWhatWasReceived(WrongShop):
    def record_received(self, ref: str, *, received: Paisa) -> None:
        super().record_received(ref, received=Paisa(self._purchase(ref)["paid"] + received))


# release


class ReturnsStockAtEveryRelease(WrongShop):
    def release(self, ref: str, **release: Any) -> None:
        if self._purchase(ref)["state"] == "released":
            self.restock_all(ref)
        super().release(ref, **release)


class KeepsStockAtRelease(WrongShop):
    def release(self, ref: str, **release: Any) -> None:
        super().release(ref, **release)
        if len(self.released) == 1:
            self.take_all(ref)


class KeepsStockWithoutTheCustomer(WrongShop):
    def release(self, ref: str, *, customer_present: bool, **release: Any) -> None:
        held = self._purchase(ref)["state"] == "held"
        super().release(ref, customer_present=customer_present, **release)
        if held and not customer_present:
            self.take_all(ref)


class UndoesPlacedOrders(WrongShop):
    def release(self, ref: str, **release: Any) -> None:
        if self._purchase(ref)["state"] == "placed":
            self.change(ref, state="held")
        super().release(ref, **release)


class ReturnsStockOfPlacedOrders(WrongShop):
    def release(self, ref: str, **release: Any) -> None:
        if self._purchase(ref)["state"] == "placed":
            self.restock_all(ref)
        super().release(ref, **release)


# refund


class ForgetsShipping(WrongShop):
    def refund(self, ref: str, **refund: Any) -> None:
        super().refund(ref, **{**refund, "shipping": Paisa(0)})


class RestocksBeforeTheKey(WrongShop):
    def refund(self, ref: str, *, lines: tuple[tuple[str, int], ...], **refund: Any) -> None:
        skus = {line.key: line.sku for line in Cart.from_json(self._purchase(ref)["cart"]).lines}
        self._restock((skus[line], quantity) for line, quantity in lines)
        super().refund(ref, lines=(), **refund)


class NeverRestocks(WrongShop):
    def refund(self, ref: str, *, lines: tuple[tuple[str, int], ...], **refund: Any) -> None:
        super().refund(ref, lines=(), **refund)


class RestocksEverything(WrongShop):
    def refund(self, ref: str, **refund: Any) -> None:
        all_lines = tuple((line.key, line.quantity) for line in Cart.from_json(self._purchase(ref)["cart"]).lines)
        super().refund(ref, **{**refund, "lines": all_lines})


class RestocksOneOfEach(WrongShop):
    def refund(self, ref: str, *, lines: tuple[tuple[str, int], ...], **refund: Any) -> None:
        super().refund(ref, lines=tuple((line, 1) for line, _quantity in lines), **refund)


class KeepsTheLastRefundAlone(WrongShop):
    def refund(self, ref: str, *, key: str, **refund: Any) -> None:
        super().refund(ref, key=key, **refund)
        self.change(ref, refunds={key: self._purchase(ref)["refunds"][key]})


class KeepsTheFirstRefundAlone(WrongShop):
    def refund(self, ref: str, *, key: str, **refund: Any) -> None:
        if not self._purchase(ref).get("refunds"):
            super().refund(ref, key=key, **refund)


class FailsAtRefunds(WrongShop):
    def refund(self, ref: str, **refund: Any) -> None:
        raise ZeroDivisionError


class KnowsNoKeys(WrongShop):
    def refund(self, ref: str, *, key: str, **refund: Any) -> None:
        super().refund(ref, key=f"{key}-{len(self.refunded)}", **refund)


class LowersPaidByRefunds(WrongShop):
    def get_order(self, ref: str) -> HostOrder:
        order = super().get_order(ref)
        return replace(order, paid=Paisa(order.paid - order.refunded))


class LowersTotalByRefunds(WrongShop):
    def get_order(self, ref: str) -> HostOrder:
        order = super().get_order(ref)
        return replace(order, total=Paisa(order.total - order.refunded))


class HidesRefundedOrders(WrongShop):
    def placed_orders(self) -> Iterator[HostOrder]:
        return (order for order in super().placed_orders() if order.refunded < order.total)


class HidesCancelledOrders(WrongShop):
    def placed_orders(self) -> Iterator[HostOrder]:
        return (order for order in super().placed_orders() if not self._purchase(order.ref).get("cancelled"))


class TakesBackEveryRefund(WrongShop):
    def reverse_refund(self, ref: str, *, key: str) -> None:
        self.change(ref, refunds={})


class TakesBackAtEveryCall(WrongShop):
    def get_order(self, ref: str) -> HostOrder:
        order = super().get_order(ref)
        return replace(order, refunded=Paisa(order.refunded - self._purchase(ref).get("taken_back", 0)))

    def reverse_refund(self, ref: str, *, key: str) -> None:
        purchase = self._purchase(ref)
        amount = purchase["refunds"].get(key, 0)
        self.change(ref, taken_back=purchase.get("taken_back", 0) + amount)


class TakesProductsOutAgain(WrongShop):
    def reverse_refund(self, ref: str, *, key: str) -> None:
        if key in self._purchase(ref).get("refunds", {}):
            self.take_all(ref)
        super().reverse_refund(ref, key=key)


class StaysRefunded(WrongShop):
    def get_order(self, ref: str) -> HostOrder:
        order = super().get_order(ref)
        return replace(order, status="refunded" if self._purchase(ref).get("was_refunded") else order.status)

    def refund(self, ref: str, **refund: Any) -> None:
        super().refund(ref, **refund)
        order = super().get_order(ref)
        self.change(ref, was_refunded=order.refunded == order.total)


# get_order, placed_orders, still_reserved and what the shop says about itself


class ListsHeldPurchases(WrongShop):
    def placed_orders(self) -> Iterator[HostOrder]:
        return (self.get_order(ref) for ref, _purchase in self._purchases())


class CallsHeldPurchasesPlaced(WrongShop):
    def get_order(self, ref: str) -> HostOrder:
        return replace(super().get_order(ref), placed=True)


class ListsReleasedPurchases(WrongShop):
    def placed_orders(self) -> Iterator[HostOrder]:
        return (self.get_order(ref) for ref, purchase in self._purchases() if purchase["state"] != "held")


class KnowsEveryPurchase(WrongShop):
    def get_order(self, ref: str) -> HostOrder:
        try:
            return super().get_order(ref)
        except LookupError:
            return HostOrder(
                ref=ref,
                number="",
                member_id=None,
                total=Paisa(0),
                paid=Paisa(0),
                refunded=Paisa(0),
                status="",
                placed=False,
            )


class NamesMembersByNumber(WrongShop):
    def get_order(self, ref: str) -> HostOrder:
        return replace(super().get_order(ref), member_id=0)  # type: ignore[arg-type]  # that is the mistake


class LeavesShippingOutOfTheTotal(WrongShop):
    def get_order(self, ref: str) -> HostOrder:
        order = super().get_order(ref)
        return replace(order, total=Paisa(order.total - Cart.from_json(self._purchase(ref)["cart"]).shipping))


class ReservesForEver(WrongShop):
    def still_reserved(self, refs: Collection[str]) -> list[str]:
        return [ref for ref in refs if self._read(f"purchase {ref}")]


class ReservesWhatItIsAsked(WrongShop):
    def still_reserved(self, refs: Collection[str]) -> list[str]:
        return list(refs)


class GivesLinesNoId(WrongShop):
    def freeze(self, cart: Cart) -> Callable[[], Cart]:
        return super().freeze(replace(cart, lines=tuple(replace(line, id="") for line in cart.lines)))


class GivesLinesOneId(WrongShop):
    def freeze(self, cart: Cart) -> Callable[[], Cart]:
        return super().freeze(replace(cart, lines=tuple(replace(line, id="1") for line in cart.lines)))


class GivesTagsAsAList(WrongShop):
    def freeze(self, cart: Cart) -> Callable[[], Cart]:
        freeze = super().freeze(cart)
        tags: Any = ["fake:1"]
        return lambda: replace(freeze(), lines=tuple(replace(line, tags=tags) for line in cart.lines))


class SendsCustomersElsewhere(WrongShop):
    def customer_page(self, ref: str, outcome: Outcome, token: str) -> str:
        return f"https://elsewhere.example/{ref}/"


class SendsStaffElsewhere(WrongShop):
    def staff_page(self, ref: str) -> str:
        return f"//elsewhere.example/{ref}"


class CallsTheWholeShopItsBackOffice(WrongShop):
    def staff_url_prefixes(self) -> tuple[str, ...]:
        return ("/",)


class TagsWithoutItsName(WrongShop):
    def categories(self) -> dict[str, str]:
        return {"pens": "Pens"}


class ChecksWithoutId(WrongShop):
    def check(self) -> Iterable[checks.CheckMessage]:
        return [checks.Warning("Something is wrong.", hint="Mend it.")]


# An order that was deleted


class PlacesDeletedOrders(WrongShop):
    def confirm(self, ref: str, *, paid: Paid) -> str:
        return super().confirm(ref, paid=paid) if self._read(f"purchase {ref}") else f"N-{ref}"


class FailsWithoutItsOrder(WrongShop):
    def confirm(self, ref: str, *, paid: Paid) -> str:
        if self._read(f"purchase {ref}") is None:
            raise ShopCannot("host_failed", f"no order {ref}")
        return super().confirm(ref, paid=paid)

    def release(self, ref: str, **release: Any) -> None:
        self._purchase(ref)
        super().release(ref, **release)


class CannotRefundWithoutItsOrder(WrongShop):
    def refund(self, ref: str, **refund: Any) -> None:
        self._purchase(ref)
        super().refund(ref, **refund)


class MissesNoOrder(WrongShop):
    def missing_orders(self, refs: Collection[str]) -> list[str]:
        return []


class MissesEveryOrder(WrongShop):
    def missing_orders(self, refs: Collection[str]) -> list[str]:
        return list(refs)


# Locks


class TakesNoLock(WrongShop):
    def _read(self, name: str) -> Any:
        return read_without_lock(super()._read, name)


class LocksTheStockAlone(WrongShop):
    def _read(self, name: str) -> Any:
        return super()._read(name) if name.startswith("stock") else read_without_lock(super()._read, name)


class LocksTheOrderAlone(WrongShop):
    def _read(self, name: str) -> Any:
        return read_without_lock(super()._read, name) if name.startswith("stock") else super()._read(name)


def read_without_lock(read: Callable[[str], Any], name: str) -> Any:
    in_atomic_block, connection.in_atomic_block = connection.in_atomic_block, False
    try:
        return read(name)
    finally:
        connection.in_atomic_block = in_atomic_block
