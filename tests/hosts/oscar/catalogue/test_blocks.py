"""Product blocks on a page of Wagtail: they show what the public may see of the chosen products."""

import re
from fractions import Fraction
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import QuerySet
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from loyalink_khalti import append_only
from loyalink_khalti.hosts.oscar.catalogue.blocks import ProductBlock, ProductChooserBlock, ProductsBlock
from loyalink_khalti.hosts.oscar.catalogue.cards import cards
from loyalink_khalti.hosts.oscar.pricing import category_tags
from loyalink_khalti.loyalty import ledger, program
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.rules import Rules, Tier
from loyalink_khalti.money import Points
from tests.hosts.oscar.conftest import Store, new_member

from .conftest import Product, family


def html_of(block: Any, value: Any, request: Any = None) -> str:
    """Return a block's HTML, from the value that a page stores."""
    html: str = block.render(block.to_python(value), {"request": request} if request else None)
    return html


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


@pytest.fixture
def guest_request(db: None, rf: RequestFactory) -> Any:
    request = rf.get("/")
    request.user = AnonymousUser()
    return request


def test_a_card_shows_title_price_and_points(catalogue: Store, guest_request: Any) -> None:
    html = html_of(ProductBlock(), {"product": catalogue.notebook.pk, "note": "From the hills"}, guest_request)

    assert text_of(html) == "Lokta notebook Rs 500.00 A member would earn 50 points From the hills"
    assert f'href="{catalogue.notebook.get_absolute_url()}"' in html


def test_a_product_list_keeps_the_editors_order(catalogue: Store, guest_request: Any) -> None:
    value = {"heading": "For school", "products": [catalogue.pen.pk, catalogue.notebook.pk, catalogue.pen.pk]}

    html = text_of(html_of(ProductsBlock(), value, guest_request))

    assert re.findall(r"For school|Gel pen|Lokta notebook", html) == [
        "For school", "Gel pen", "Lokta notebook", "Gel pen",
    ]  # fmt: skip


def test_a_page_stores_the_pk_alone(catalogue: Store) -> None:
    block = ProductBlock()

    assert (
        block.get_prep_value(block.to_python({"product": catalogue.pen.pk, "note": ""}))["product"] == catalogue.pen.pk
    )


def test_deleted_and_private_products_are_left_out(catalogue: Store, guest_request: Any) -> None:
    Product.objects.filter(pk=catalogue.pen.pk).update(is_public=False)
    gone = catalogue.add("Eraser", "ER-1", rupees="15.00", stock=1)
    gone_pk = gone.pk
    gone.delete()

    for pk in (catalogue.pen.pk, gone_pk):
        assert html_of(ProductBlock(), {"product": pk, "note": "Buy me"}, guest_request).strip() == ""
    assert (
        html_of(ProductsBlock(), {"heading": "Old", "products": [catalogue.pen.pk, gone_pk]}, guest_request).strip()
        == ""
    )
    mixed = {"heading": "New", "products": [gone_pk, catalogue.notebook.pk, catalogue.pen.pk]}
    assert (
        text_of(html_of(ProductsBlock(), mixed, guest_request))
        == "New Lokta notebook Rs 500.00 A member would earn 50 points"
    )


def test_a_sold_out_product_is_shown_as_such_without_points(catalogue: Store, guest_request: Any) -> None:
    catalogue.pen.stockrecords.update(num_in_stock=0)

    assert (
        text_of(html_of(ProductBlock(), {"product": catalogue.pen.pk}, guest_request)) == "Gel pen Rs 35.00 Sold out"
    )


def test_a_product_without_a_price_is_not_for_sale(catalogue: Store, guest_request: Any) -> None:
    catalogue.pen.stockrecords.all().delete()

    assert (
        text_of(html_of(ProductBlock(), {"product": catalogue.pen.pk}, guest_request))
        == "Gel pen Not for sale at present"
    )


def test_titles_and_notes_are_shown_as_text(catalogue: Store, guest_request: Any) -> None:
    Product.objects.filter(pk=catalogue.pen.pk).update(title="<script>alert(1)</script>")

    html = html_of(
        ProductBlock(), {"product": catalogue.pen.pk, "note": "<img src=x onerror=alert(1)>"}, guest_request
    )

    assert "<script>" not in html
    assert "<img" not in html


def test_a_page_without_a_request_shows_the_default_price(catalogue: Store) -> None:
    assert (
        text_of(html_of(ProductBlock(), {"product": catalogue.pen.pk}))
        == "Gel pen Rs 35.00 A member would earn 3 points"
    )


def test_no_points_are_shown_while_earning_is_paused(catalogue: Store, guest_request: Any) -> None:
    ledger.set_rules("default", Rules(earn_paused=True))

    assert (
        text_of(html_of(ProductBlock(), {"product": catalogue.notebook.pk}, guest_request))
        == "Lokta notebook Rs 500.00"
    )


def test_broken_rules_remove_nothing_but_the_points_from_the_page(catalogue: Store, guest_request: Any) -> None:
    ledger.current_version("default")
    with append_only.lifted(connection):
        QuerySet(program.ProgramVersion).update(stored=[])

    assert (
        text_of(html_of(ProductBlock(), {"product": catalogue.notebook.pk}, guest_request))
        == "Lokta notebook Rs 500.00"
    )
    assert Product.objects.count() == 2


def test_a_member_sees_the_points_of_their_own_tier(catalogue: Store, guest_request: Any) -> None:
    sita = new_member("sita@example.com", points=10)
    tiers = Tier(name="Silver", threshold=Points(0)), Tier(name="Gold", threshold=Points(1), multiplier=Fraction(2))
    ledger.set_rules("default", Rules(tiers=tiers))
    Account.objects.update(tier="Gold")
    guests = html_of(ProductBlock(), {"product": catalogue.notebook.pk}, guest_request)
    guest_request.user = sita.user

    members = html_of(ProductBlock(), {"product": catalogue.notebook.pk}, guest_request)

    assert ("A member would earn 50 points" in text_of(guests), "Earn 100 points" in text_of(members)) == (True, True)


def test_a_parent_is_for_sale_if_one_of_its_children_is(catalogue: Store, guest_request: Any) -> None:
    parent = family(catalogue)

    assert re.fullmatch(
        r"Ink Rs (120|90)\.00 A member would earn 9 points or more",
        text_of(html_of(ProductBlock(), {"product": parent.pk})),
    )


def test_twelve_cards_take_as_many_queries_as_three(catalogue: Store, guest_request: Any) -> None:
    chosen = [catalogue.pen, catalogue.notebook, family(catalogue)]
    cards(chosen, guest_request)  # fill the caches
    with CaptureQueriesContext(connection) as few:
        assert len(cards(chosen, guest_request)) == 3
    others = [catalogue.add(f"Card {number}", f"C-{number}", rupees="20.00", stock=1) for number in range(9)]

    with CaptureQueriesContext(connection) as many:
        assert len(cards([*chosen, *others], guest_request)) == 12

    assert len(many) == len(few)


def test_a_site_can_use_its_own_template(catalogue: Store, guest_request: Any) -> None:
    block = ProductBlock(template="loyalink_khalti/oscar/blocks/card.html")

    html = html_of(block, {"product": catalogue.pen.pk}, guest_request)

    assert html.strip().startswith('<article class="lk-product">')


def test_a_migration_names_the_choosers_module(db: None) -> None:
    path, _args, _kwargs = ProductChooserBlock().deconstruct()

    assert path == "loyalink_khalti.hosts.oscar.catalogue.blocks.ProductChooserBlock"


def test_a_child_product_has_the_categories_of_its_parent(catalogue: Store) -> None:
    child = family(catalogue).children.first()
    paper = (f"oscar:{catalogue.category.pk}",)

    assert category_tags([child, catalogue.pen]) == {child.pk: paper, catalogue.pen.pk: paper}


def test_a_product_in_a_subcategory_is_in_its_parent_category_too(catalogue: Store) -> None:
    """A campaign on paper must cover a product that is in "Paper › Handmade" alone."""
    below = catalogue.category.add_child(name="Handmade", slug="handmade")
    catalogue.pen.categories.set([below])

    assert category_tags([catalogue.pen]) == {
        catalogue.pen.pk: (f"oscar:{catalogue.category.pk}", f"oscar:{below.pk}")
    }
