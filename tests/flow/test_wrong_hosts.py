"""H10a: the contract finds each of these wrong hosts, and what it says names the mistake."""

import inspect
from typing import Any

import pytest

from loyalink_khalti.ports import Cart, ReleaseReason
from loyalink_khalti.testing import FakeShop, ShopContract
from tests.flow import wrong_hosts as wrong
from tests.flow.test_fake_shop import FakeShopFixtures

pytestmark = pytest.mark.money

WRONG = [
    (wrong.HasNoReverseRefund, "the_shop_has_every_verb", r"reverse_refund\(ref, \*, key\) is missing"),
    (wrong.NamesAnArgumentDifferently, "the_shop_has_every_verb", r"record_received\(ref, \*, received\) is .*amount"),
    (wrong.PricesInRupees, "a_cart_is_complete_and_adds_up", "a whole number of paisa.*Decimal"),
    (wrong.LeavesShippingOutOfTheCart, "a_cart_is_complete_and_adds_up", "total less shipping is 235000"),
    (wrong.NamesNoBasket, "a_cart_is_complete_and_adds_up", "not empty.*{'origin': ''}"),
    (wrong.NamesMembersOfACartByNumber, "a_cart_is_complete_and_adds_up", "{'member_id': 7}"),
    (wrong.SellsUnderAnotherName, "a_cart_is_complete_and_adds_up", "'market' is no name in"),
    (wrong.SellsInDollars, "a_cart_is_complete_and_adds_up", "rupees alone"),
    (wrong.HoldsNothing, "the_fixtures_are_as_the_contract_needs_them", "must hold one in the database"),
    (wrong.OrdersABasketTwice, "a_basket_is_not_ordered_twice", "must raise BasketTaken; it returned"),
    (wrong.CallsATakenBasketUnpayable, "a_basket_is_not_ordered_twice", "must raise BasketTaken; it raised CannotPay"),
    (wrong.TakesStockAtEveryConfirm, "confirming_twice_has_the_effect_of_once", "a second confirm.. changed"),
    (wrong.TakesStockAtConfirmToo, "confirm_keeps_the_stock_that_was_reserved", "reserved when the Cart was frozen"),
    (wrong.TakesNoStockAfterRelease, "confirm_after_release_takes_the_stock_again_once", "take the stock again, once"),
    (wrong.SellsWhatIsSoldOut, "confirm_after_release_fails_once_others_have_bought_the_rest", "others had bought"),
    (
        wrong.SellsWhatIsSoldOut,
        "an_order_that_was_cancelled_unpaid_is_not_placed_again_once_others_have_bought_the_rest",
        "sold products that others had bought",
    ),
    (wrong.SaysNotWhyItCannot, "confirm_after_release_fails_once_others_have_bought_the_rest", "not 'host_failed'"),
    (wrong.NumbersEveryConfirm, "confirming_twice_has_the_effect_of_once", "in place of"),
    (wrong.ReturnsNoNumber, "confirm_turns_it_into_one_placed_order", "must return the number"),
    (wrong.IgnoresPoints, "points_lower_the_total_of_the_order", "left to pay after points"),
    (wrong.CountsPointsAsMoney, "points_lower_the_total_of_the_order", "Points are no money"),
    (wrong.OverwritesLargerPaid, "what_was_paid_is_not_lowered_by_a_later_confirm", "the money arrives later"),
    (wrong.IgnoresCashThatArrives, "cash_that_arrives_after_the_order_is_recorded", "the cash has arrived"),
    (wrong.BringsBackCancelledOrders, "an_order_that_was_cancelled_unpaid_stays_cancelled_without_money", "cancelled"),
    (wrong.RemembersOrdersInItself, "a_rollback_undoes_confirm", "rolled back"),
    (wrong.AddsUpWhatWasReceived, "cash_that_arrives_in_parts_is_recorded", "received in all so far"),
    (wrong.ReturnsStockAtEveryRelease, "a_release_returns_the_stock_once", "returned the same stock again"),
    (wrong.KeepsStockAtRelease, "a_release_returns_the_stock_once", "must return what the Cart has reserved"),
    (wrong.KeepsStockWithoutTheCustomer, "a_release_returns_the_stock_once", "must return what the Cart has reserved"),
    (wrong.UndoesPlacedOrders, "a_placed_order_is_not_released", "undid an order"),
    (wrong.ReturnsStockOfPlacedOrders, "a_placed_order_is_not_released", "returned the stock of an order"),
    (wrong.ForgetsShipping, "a_refund_of_shipping_is_recorded", "of shipping are 15001"),
    (wrong.RestocksBeforeTheKey, "a_refund_restocks_its_lines_once", "Look for the key first"),
    (wrong.NeverRestocks, "a_refund_restocks_its_lines_once", "the refund restocks .*changed by {}"),
    (wrong.RestocksEverything, "a_refund_restocks_as_many_as_it_names", "names no lines restocked some"),
    (wrong.RestocksEverything, "a_refund_restocks_the_lines_that_it_names_and_no_other", "staff choose for each line"),
    (wrong.RestocksOneOfEach, "a_refund_restocks_its_lines_once", "the refund restocks"),
    (wrong.KeepsTheLastRefundAlone, "refunds_with_other_keys_add_up", "are 3 in all, and the order says 1"),
    (wrong.KeepsTheFirstRefundAlone, "refunds_with_other_keys_add_up", "are 3 in all, and the order says 1"),
    (wrong.KnowsNoKeys, "a_refund_is_recorded_once_for_its_key", "recorded as 2 after two calls"),
    (wrong.LowersPaidByRefunds, "an_order_that_is_refunded_in_full_stays_a_placed_order", "nor what was paid"),
    (wrong.LowersTotalByRefunds, "an_order_that_is_refunded_in_full_stays_a_placed_order", "neither the total"),
    (wrong.HidesRefundedOrders, "an_order_that_is_refunded_in_full_stays_a_placed_order", "hides an order"),
    (wrong.HidesCancelledOrders, "a_cancelled_order_stays_among_the_placed_ones", "hides an order"),
    (wrong.TakesBackEveryRefund, "a_refund_that_was_not_made_is_taken_back_once", "the order says 0"),
    (wrong.TakesBackEveryRefund, "an_unknown_refund_is_not_taken_back", "unknown key changed"),
    (wrong.TakesBackAtEveryCall, "a_refund_that_was_not_made_is_taken_back_once", "the order says 1"),
    (wrong.TakesProductsOutAgain, "a_refund_that_was_not_made_is_taken_back_once", "changed the stock"),
    (wrong.StaysRefunded, "an_order_whose_full_refund_was_not_made_is_an_order_as_before", "that was not made"),
    (wrong.ListsHeldPurchases, "a_held_purchase_is_no_order_yet", "lists a purchase that was not confirmed"),
    (wrong.CallsHeldPurchasesPlaced, "a_held_purchase_is_no_order_yet", "calls a purchase placed"),
    (
        wrong.ListsReleasedPurchases,
        "a_released_purchase_is_no_order_however_often_it_is_released",
        "lists a purchase that was released",
    ),
    (wrong.KnowsEveryPurchase, "an_unknown_purchase_is_a_lookup_error", "must raise LookupError"),
    (wrong.NamesMembersByNumber, "confirm_turns_it_into_one_placed_order", "another member"),
    (wrong.LeavesShippingOutOfTheTotal, "confirm_turns_it_into_one_placed_order", "total, paid and refunded"),
    (wrong.ReservesForEver, "an_unpaid_placed_order_reserves_its_stock_until_it_is_cancelled", "was cancelled"),
    (wrong.ReservesWhatItIsAsked, "an_unpaid_placed_order_reserves_its_stock_until_it_is_cancelled", "no such order"),
    (wrong.GivesLinesNoId, "each_line_of_a_cart_has_an_id_of_its_own", "needs an id"),
    (wrong.GivesLinesOneId, "each_line_of_a_cart_has_an_id_of_its_own", "the same id"),
    (wrong.GivesTagsAsAList, "a_cart_survives_serialisation", "the same after it was stored"),
    (wrong.SendsCustomersElsewhere, "the_customers_page_is_a_path_of_the_shop", "must be a path of the shop"),
    (wrong.SendsStaffElsewhere, "the_staffs_page_is_a_path_of_the_shop", "must be a path of the shop"),
    (wrong.CallsTheWholeShopItsBackOffice, "the_back_office_is_below_paths_of_the_shop", "only the back office"),
    (wrong.TagsWithoutItsName, "categories_map_the_tags_of_lines_to_names", "the shop's name, a colon"),
    (wrong.ChecksWithoutId, "checks_are_messages_of_django_with_an_id", "needs an id"),
    (wrong.PlacesDeletedOrders, "an_order_that_was_deleted_can_neither_be_placed_nor_paid", "must raise ShopCannot"),
    (wrong.FailsWithoutItsOrder, "an_order_that_was_deleted_can_neither_be_placed_nor_paid", "not 'host_failed'"),
    (
        wrong.FailsWithoutItsOrder,
        "an_order_that_was_deleted_holds_nothing_up",
        "release.. of an order that was deleted",
    ),
    (wrong.CannotRefundWithoutItsOrder, "an_order_that_was_deleted_holds_nothing_up", "refund.. of an order that was"),
    (wrong.MissesNoOrder, "an_order_that_was_deleted_is_known_to_be_missing", "missing_orders.. returned"),
    (wrong.MissesEveryOrder, "an_order_that_was_deleted_is_known_to_be_missing", "while 'order-1' existed"),
]
"""A wrong host, the test of the contract that finds it, and words of what that says."""
COMMITTED = [
    (wrong.MailsAtOnce, "mails_are_sent_after_the_commit_and_once", "before the commit"),
    (wrong.MailsAtEveryConfirm, "mails_are_sent_after_the_commit_and_once", "sent 1 mails more"),
    (wrong.MailsAtEveryRefund, "mails_are_sent_after_the_commit_and_once", "with the same key sent a mail again"),
]
AT_ONCE = [
    (wrong.TakesNoLock, "the_last_products_are_not_sold_twice_at_the_same_moment", "lock the stock rows"),
    (wrong.LocksTheOrderAlone, "the_last_products_are_not_sold_twice_at_the_same_moment", "lock the stock rows"),
    (wrong.TakesNoLock, "two_confirms_at_the_same_moment_have_the_effect_of_one", "confirm"),
    (wrong.LocksTheStockAlone, "two_confirms_at_the_same_moment_have_the_effect_of_one", "confirm"),
    (wrong.LocksTheStockAlone, "a_refund_that_is_recorded_twice_at_the_same_moment_is_one", "restocks"),
]
"""Only PostgreSQL shows these."""
PARAMETERS: dict[str, Any] = {"release_reason": ReleaseReason.EXPIRED, "customer_present": False}


class TestWrongHosts(FakeShopFixtures):
    @pytest.fixture
    def shop(self, request: pytest.FixtureRequest, fake_shop: FakeShop) -> FakeShop:
        wrong_shop: FakeShop = request.param()
        return wrong_shop

    @pytest.mark.django_db
    @pytest.mark.parametrize(("shop", "test", "message"), WRONG, indirect=["shop"])
    def test_a_wrong_host_fails_the_contract(
        self, shop: FakeShop, test: str, message: str, request: pytest.FixtureRequest
    ) -> None:
        """H10a, H10c"""
        fails(test, message, request)

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize(("shop", "test", "message"), COMMITTED, indirect=["shop"])
    def test_a_host_that_mails_too_often_or_too_early_fails_the_contract(
        self, shop: FakeShop, test: str, message: str, request: pytest.FixtureRequest
    ) -> None:
        """H10a"""
        fails(test, message, request)

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize(("shop", "test", "message"), AT_ONCE, indirect=["shop"])
    def test_a_host_that_takes_no_lock_fails_the_contract_on_postgresql(
        self, shop: FakeShop, test: str, message: str, request: pytest.FixtureRequest
    ) -> None:
        """H10a"""
        fails(test, message, request)


def fails(test: str, message: str, request: pytest.FixtureRequest) -> None:
    """Run one test of the contract against the wrong host, and expect it to fail with a message like this."""
    check = getattr(ShopContract, f"test_{test}")
    wanted = [name for name in inspect.signature(check).parameters if name not in {"self", "outcome"}]
    given = PARAMETERS | {"request": request}
    arguments: dict[str, Any] = {
        name: given[name] if name in given else request.getfixturevalue(name) for name in wanted
    }
    if "outcome" in inspect.signature(check).parameters:
        arguments["outcome"] = "paid"

    with pytest.raises((AssertionError, pytest.fail.Exception), match=message):
        check(ShopContract(), **arguments)


class TestFailingHost(FakeShopFixtures):
    @pytest.mark.django_db
    def test_a_host_that_fails_is_named_with_what_follows(self, fake_shop: FakeShop, cart: Cart) -> None:
        """H10a, H10c"""
        with pytest.raises(ZeroDivisionError) as caught:
            ShopContract().test_a_refund_is_recorded_once_for_its_key(wrong.FailsAtRefunds(), cart)

        assert "The shop's refund() raised this" in caught.value.__notes__[0]


def test_every_wrong_host_is_tried() -> None:
    tried = {row[0] for row in (*WRONG, *COMMITTED, *AT_ONCE)} | {wrong.FailsAtRefunds}
    hosts = {each for each in vars(wrong).values() if isinstance(each, type) and issubclass(each, wrong.WrongShop)}

    assert hosts - {wrong.WrongShop, wrong.WrongCart} == tried
