"""The basket of pages: what it costs, and what cannot be bought."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override
from wagtail.models import Locale, PageViewRestriction

from loyalink_khalti.errors import CannotPay, InvalidDetails, SoldOut
from loyalink_khalti.hosts.page.basket import SESSION_KEY, Item, SessionBasket
from loyalink_khalti.hosts.page.details import Details
from loyalink_khalti.hosts.page.models import Category
from loyalink_khalti.hosts.page.open_basket import of_session
from loyalink_khalti.hosts.page.wanted import basket_schema, of_wanted
from tests.hosts.page.conftest import SITA, TeaHouse, add, basket_of, freeze, new_member, new_request
from tests.hosts.page.site.models import TextPage, TrekPage

pytestmark = pytest.mark.django_db


def problem(basket: Any) -> str:
    """Why a basket cannot be ordered, in words."""
    with pytest.raises(CannotPay) as refused:
        basket.costs()
    return str(refused.value)


def test_a_basket_of_several_pages_costs_what_its_live_pages_say(house: TeaHouse) -> None:
    trek = house.trek(rupees=15_000, stock=8, needs_delivery=True)
    tea = house.trek("Tea", choices=[("choice", {"title": "Large", "price": 250_00, "sku": "TEA-L"})])
    large = tea.product_choices()[0].id
    tea.product_categories = [Category.objects.create(name="Tea")]
    tea.save()
    fund = house.donation()

    request = new_request()
    add(request, trek, 2)
    add(request, tea, 3, choice=large)
    add(request, fund, amount=1000_00)
    basket = of_session(request, Details(delivery=house.courier))
    costs = basket.costs()

    assert [(line.title, line.options, line.quantity, line.total) for line in costs.lines] == [
        ("Langtang trek", "", 2, 30_000_00),
        ("Tea", "Large", 3, 750_00),
        ("School fund", "", 1, 1000_00),
    ]
    assert (costs.subtotal, costs.shipping, costs.total) == (31_750_00, 150_00, 31_900_00)
    assert [line.stock for line in costs.lines] == [8, None, None]
    assert costs.lines[1].sku == "TEA-L"
    assert costs.lines[1].tags == (f"page:{Category.objects.get().pk}",)


def test_the_queries_do_not_grow_with_the_basket(house: TeaHouse) -> None:
    def queries(number: int) -> int:
        pages = [house.trek(f"Trek {uuid4()}", stock=5) for _ in range(number)]
        basket = basket_of(*(Item(page=page.pk) for page in pages))
        with CaptureQueriesContext(connection) as seen:
            basket.costs()
        return len(seen)

    queries(1)  # the paths of the sites are kept in the cache

    assert queries(1) == queries(12) == 5


def test_what_is_no_product_cannot_be_bought(house: TeaHouse) -> None:
    """W4: Drafts, pages of another kind, of another site, unpublished or deleted since, and private ones."""
    draft = TrekPage(title="Draft", price=100_00, live=False)
    text, elsewhere = TextPage(title="About us"), TrekPage(title="Elsewhere", price=100_00)
    for page in (draft, text):
        house.site.root_page.add_child(instance=page)
    house.site.root_page.get_parent().add_child(instance=elsewhere)
    unpublished, deleted = house.trek("Unpublished"), house.trek("Deleted")
    private = house.trek("Private")
    group = Group.objects.create(name="Guides")
    PageViewRestriction.objects.create(page=private, restriction_type="groups").groups.add(group)
    gone = Item(page=deleted.pk, title="Deleted")
    unpublished.unpublish()
    deleted.delete()

    for item in (
        *(Item(page=page.pk, title=page.title) for page in (draft, text, elsewhere, unpublished, private)),
        gone,
    ):
        assert problem(basket_of(item)) == f"“{item.title}” is not for sale any more."
    guide = new_member()
    guide.groups.add(group)
    assert basket_of(Item(page=private.pk), user=guide).costs().total == 500_00


def test_the_price_of_a_draft_is_not_the_price(house: TeaHouse) -> None:
    trek = house.trek(rupees=500)
    trek.price = 100
    trek.save_revision()

    assert basket_of(Item(page=trek.pk)).costs().total == 500_00


def test_amounts_that_no_editor_allows_are_refused(house: TeaHouse) -> None:
    """W8"""
    fund = house.donation()
    bounded = house.donation("Fee", minimum_amount=500_00, maximum_amount=900_00)
    refused = "please choose an amount from"

    for amount in (0, 9_99, 1_000_000_01, 100_000_000_000):
        assert refused in problem(basket_of(Item(page=fund.pk, amount=amount)))
    for amount in (499_99, 900_01):
        assert "from Rs 500.00 to Rs 900.00" in problem(basket_of(Item(page=bounded.pk, amount=amount)))
    assert "choose an amount" in problem(basket_of(Item(page=fund.pk)))
    assert "can be paid once" in problem(basket_of(Item(page=fund.pk, amount=50_00, quantity=2)))
    assert "another price" in problem(basket_of(Item(page=house.trek().pk, amount=10_00)))
    assert basket_of(Item(page=fund.pk, amount=10_00)).costs().total == 10_00
    assert refused in problem(basket_of(Item(page=house.donation("Low", minimum_amount=1).pk, amount=9_99)))
    page = house.trek("Nothing")
    type(page).objects.filter(pk=page.pk).update(price=0)  # past the editor, which refuses it
    assert "not for sale" in problem(basket_of(Item(page=page.pk)))


def test_a_choice_that_an_editor_has_removed_is_chosen_again(house: TeaHouse) -> None:
    tea = house.trek("Tea", choices=[("choice", {"title": "Large", "price": None, "sku": ""})])
    large = tea.product_choices()[0].id
    plain = house.trek("Plain")

    assert "choose one of the choices" in problem(basket_of(Item(page=tea.pk)))
    assert "not offered in that choice" in problem(basket_of(Item(page=tea.pk, choice="no-such")))
    assert "not offered in that choice" in problem(basket_of(Item(page=plain.pk, choice=large)))
    assert basket_of(Item(page=tea.pk, choice=large)).costs().total == 500_00


def test_translations_of_a_page_sell_from_one_stock_and_a_copy_from_none(house: TeaHouse, settings: Any) -> None:
    """W9"""
    settings.WAGTAIL_I18N_ENABLED = True
    trek = house.trek(stock=3)
    nepali, _created = Locale.objects.get_or_create(language_code="ne")
    house.site.root_page.copy_for_translation(nepali).save_revision().publish()
    translated = trek.copy_for_translation(nepali)
    translated.save_revision().publish()
    copied = trek.copy(update_attrs={"title": "Copy", "slug": "copy"})

    both = basket_of(Item(page=trek.pk, quantity=2), Item(page=translated.pk, quantity=2))
    with pytest.raises(SoldOut, match="only 3 are left"):
        both.costs()
    with pytest.raises(SoldOut, match="sold out"):
        basket_of(Item(page=copied.pk)).costs()
    freeze(basket_of(Item(page=translated.pk, quantity=2)))
    assert house.left(trek) == 1
    alias = trek.create_alias(update_slug="alias")
    freeze(basket_of(Item(page=alias.pk)))
    assert house.left(trek) == 0


def test_an_order_has_the_titles_of_its_pages_in_every_language(house: TeaHouse, settings: Any) -> None:
    settings.WAGTAIL_I18N_ENABLED = True
    trek, tea = house.trek(), house.trek("Tea")
    nepali, _created = Locale.objects.get_or_create(language_code="ne")
    house.site.root_page.copy_for_translation(nepali)
    translated = trek.copy_for_translation(nepali)
    translated.title = "लाङटाङ पदयात्रा"
    translated.save_revision().publish()

    cart = freeze(basket_of(Item(page=trek.pk), Item(page=tea.pk)))

    assert [line.titles for line in cart.lines] == [{"ne": "लाङटाङ पदयात्रा"}, {}]
    with override("ne"):
        assert [line.name for line in cart.lines] == ["लाङटाङ पदयात्रा", "Tea"]


def test_a_session_basket_adds_up_and_reads_anything_a_session_may_hold(house: TeaHouse) -> None:
    trek, fund = house.trek(), house.donation()
    request = new_request()
    add(request, trek)
    add(request, trek, 2)
    for _click in range(2):
        add(request, fund, amount=50_00)

    assert [(item.quantity, item.amount) for item in SessionBasket(request).items] == [(3, None), (1, 50_00)]
    with pytest.raises(CannotPay):
        add(request, trek, 997)
    SessionBasket(request).set_quantity(f"{trek.pk}--", 0)
    assert SessionBasket(request).count == 1
    for stored in (
        None, 7, {}, {"items": 3}, {"id": 4, "items": [{}]}, {"items": [{"page": "1"}, {"page": True}, {"page": -1}]},
        {"items": [{"page": 1, "quantity": 10**9}, {"page": 1, "amount": -1}, {"page": 1, "choice": "\0"}]},
    ):  # fmt: skip
        request.session[SESSION_KEY] = stored
        assert SessionBasket(request).items == []


def test_delivery_is_chosen_where_something_is_delivered(house: TeaHouse) -> None:
    rug = house.trek("Rug", needs_delivery=True)
    item = Item(page=rug.pk)

    for code in ("", "no-such"):
        with pytest.raises(InvalidDetails) as refused:
            basket_of(item, details=Details(delivery=code)).costs()
        assert list(refused.value.fields) == ["delivery"]
    assert basket_of(item, details=Details(delivery=house.courier)).costs().shipping == 150_00
    assert basket_of(Item(page=house.trek().pk), details=Details(delivery=house.courier)).costs().shipping == 0


def test_details_are_checked_by_field_before_anything_is_held(house: TeaHouse) -> None:
    rug = house.trek("Rug", needs_delivery=True, stock=1)

    def refused(**typed: str) -> set[str]:
        details = Details(**{"delivery": house.courier, **typed})
        with pytest.raises(InvalidDetails) as found:
            freeze(basket_of(Item(page=rug.pk), details=details))
        return set(found.value.fields)

    assert refused() == {"name", "email", "phone", "address"}
    assert refused(name="S", email="no", phone="call me", address="x" * 1001) == {"email", "phone", "address"}
    assert refused(name="\0 ", email="a@b.np", phone="९८४१२३४५६७", address="Naxal", note="n" * 1001) == {
        "name",
        "note",
    }
    assert house.left(rug) == 1


def test_json_of_any_shape_is_a_basket_or_a_refusal_by_field(house: TeaHouse) -> None:
    trek = house.trek()
    request = new_request(new_member())
    basket = of_wanted(request, {"items": [{"page": trek.pk, "quantity": 2}], "customer": {"name": "Hari"}})

    assert (basket.costs().total, basket.details.name, basket.details.email) == (1000_00, "Hari", "sita@example.com")
    one = [{"page": trek.pk}]
    for wanted, field in (
        ({"items": []}, "items"), ({"items": 3}, "items"), ({"items": one * 51}, "items"),
        ({"items": one * 2}, "items"),
        ({"items": [{"page": "1"}]}, "items.0"), ({"items": [7]}, "items.0"), ({"items": one, "basket": 3}, "basket"),
        ({"items": one, "basket": "x"}, "basket"), ({"items": one, "customer": "Sita"}, "customer"),
        ({"items": one, "delivery": [1]}, "delivery"), ({"items": one, "delivery": {"option": 3}}, "delivery"),
        ({"items": one, "note": ["Ring"]}, "note"), ({"items": one, "customer": {"phone": 9841234567}}, "phone"),
    ):  # fmt: skip
        with pytest.raises(InvalidDetails) as refused:
            of_wanted(request, wanted)
        assert list(refused.value.fields) == [field]
    assert set(basket_schema()["properties"]) == {"basket", "items", "customer", "delivery", "note"}


def test_an_empty_basket_costs_nothing_and_says_so(house: TeaHouse) -> None:
    assert problem(of_session(new_request(), SITA)) == "Your basket is empty."
