import re

import pytest
from django.test import Client
from oscar.core.loading import get_model

from sandbox.home.models import HomePage
from sandbox.shop.people import PASSWORD

PUBLIC = {
    "/": "Saraswati Stationery, Kathmandu",
    "/points/": "Saraswati Points",
    "/shop/catalogue/": "All products",
    "/shop/search/?q=lokta": "Search: lokta",
    "/shop/search/?q=%3Cscript%3E": "Search: &lt;script&gt;",
    "/shop/basket/": "Basket",
    "/shop/offers/": "Offers",
    "/shop/accounts/login/": "Log in or register",
    "/shop/password-reset/": "Password reset",
    "/sandbox/mail/": "Mails",
}
MEMBERS = {
    "/shop/accounts/orders/": "Order History",
    "/shop/accounts/points/": "Points",
    "/shop/accounts/addresses/": "Address Book",
    "/shop/accounts/addresses/add/": "Add a new address",
    "/shop/accounts/profile/": "Profile",
    "/shop/accounts/profile/edit/": "Edit Profile",
    "/shop/accounts/change-password/": "Change Password",
    "/shop/accounts/emails/": "Email History",
    "/shop/accounts/alerts/": "Product Alerts",
}
FROM_ELSEWHERE = re.compile(r"""(?:src|href|action)=["']?(?:https?:)?//(?!testserver)[^"' >]*|url\(\s*["']?https?:""")


@pytest.fixture
def visitor(store):
    return Client()


@pytest.fixture
def member(store):
    client = Client()
    assert client.login(username="sita@example.com", password=PASSWORD)
    return client


@pytest.fixture
def product(store):
    return get_model("catalogue", "Product").objects.get(slug="lokta-journal-a5")


def html(response):
    assert response.status_code == 200
    return response.content.decode()


def title(page):
    return re.sub(r"\s+", " ", re.search(r"<title>(.*?)</title>", page, re.DOTALL)[1]).strip()


@pytest.mark.parametrize(("address", "words"), PUBLIC.items())
def test_a_public_page_is_there_under_its_title(visitor, address, words):
    assert title(html(visitor.get(address))).startswith(words)


@pytest.mark.parametrize(("address", "words"), MEMBERS.items())
def test_a_member_s_page_is_there_under_its_title(member, address, words):
    assert title(html(member.get(address))).startswith(words)


@pytest.mark.parametrize("address", ["/", "/shop/catalogue/", "/shop/basket/", "/shop/accounts/login/", "/points/"])
def test_a_page_fetches_nothing_from_elsewhere(visitor, address):
    assert not FROM_ELSEWHERE.findall(html(visitor.get(address)))


def test_a_page_has_landmarks_one_heading_and_a_way_past_the_menu(visitor):
    page = html(visitor.get("/shop/catalogue/"))

    assert page.index('class="skip" href="#main"') < page.index("<header") < page.index('<main id="main"')
    assert len(re.findall(r"<h1\b", page)) == 1


def test_every_category_and_product_has_its_page(visitor):
    for shelf in get_model("catalogue", "Category").objects.all():
        assert title(html(visitor.get(shelf.get_absolute_url()))).startswith(shelf.name.replace("&", "&amp;"))
    for article in get_model("catalogue", "Product").objects.all():
        assert title(html(visitor.get(article.get_absolute_url()))).startswith(article.title)


def test_an_unknown_page_says_so_in_the_store_s_own_look(visitor):
    response = visitor.get("/no/such/page/")

    assert response.status_code == 404
    assert "We looked on every shelf" in response.content.decode()


def test_prices_are_written_as_in_nepal(visitor, product):
    stock = product.stockrecords.get()
    stock.price = 123456
    stock.save()

    assert "Rs 1,23,456.00" in html(visitor.get(product.get_absolute_url()))


def test_the_store_speaks_nepali_to_who_asks_for_it(visitor):
    page = html(visitor.get("/shop/basket/", headers={"accept-language": "ne"}))

    assert '<html lang="ne"' in page
    assert "तपाईंको झोला" in page


def test_english_says_basket_where_oscar_says_cart(visitor, product):
    visitor.post(f"/shop/basket/add/{product.pk}/", {"quantity": 1})
    page = html(visitor.get("/shop/basket/", headers={"accept-language": "en-US"}))

    assert "has been added to your basket" in page
    assert "cart" not in page.lower()


def test_a_basket_is_filled_changed_and_emptied_without_a_script(visitor, product):
    visitor.post(f"/shop/basket/add/{product.pk}/", {"quantity": 2})
    page = html(visitor.get("/shop/basket/"))
    assert "Rs 5,000.00" in page
    form = dict(re.findall(r'<input type="hidden" name="(form-[^"]+)" value="([^"]*)"', page))

    visitor.post("/shop/basket/", {**form, "form-0-quantity": "3"})
    assert "Rs 7,500.00" in html(visitor.get("/shop/basket/"))

    visitor.post("/shop/basket/", {**form, "form-0-quantity": "3", "form-0-DELETE": "on"})
    assert "Your basket is empty" in html(visitor.get("/shop/basket/"))


def test_a_coupon_takes_its_part_off(visitor, product):
    visitor.post(f"/shop/basket/add/{product.pk}/", {"quantity": 1})
    visitor.post("/shop/basket/vouchers/add/", {"code": "dashain10"})

    page = html(visitor.get("/shop/basket/"))

    assert "−Rs 250.00" in page
    assert "Rs 2,250.00" in page


def test_three_deliveries_are_offered(member, product):
    member.post(f"/shop/basket/add/{product.pk}/", {"quantity": 1})
    address = get_model("address", "UserAddress").objects.get(user__email="sita@example.com")
    member.post("/shop/checkout/shipping-address/", {"action": "ship_to", "address_id": address.pk})

    page = html(member.get("/shop/checkout/shipping-method/"))

    assert re.findall(r'name="method_code" value="(\w+)"', page) == ["standard", "express", "pickup"]
    assert "Rs 150.00" in page


def test_a_guest_writes_an_address_as_in_nepal(visitor, product):
    visitor.post(f"/shop/basket/add/{product.pk}/", {"quantity": 1})
    visitor.post("/shop/checkout/", {"username": "bina@example.com", "options": "anonymous"})

    response = visitor.post(
        "/shop/checkout/shipping-address/",
        {"first_name": "Bina", "last_name": "Rai", "line1": "Mangal Bazar 3", "line4": "Lalitpur",
         "phone_number": "9841234567"},
    )  # fmt: skip

    assert response.url == "/shop/checkout/shipping-method/"


def test_the_editor_gets_into_wagtail_and_to_the_orders(store):
    client = Client()
    assert client.login(username="editor", password=PASSWORD)

    for address in ("/admin/", "/admin/pages/", "/shop/dashboard/", "/shop/dashboard/orders/"):
        assert client.get(address, follow=True).status_code == 200, address


def test_the_front_window_shows_its_goods_in_both_languages(visitor):
    for language, button in (("en", "Add to basket"), ("ne", "झोलामा हाल्नुहोस्")):
        page = html(visitor.get("/", headers={"accept-language": language}))
        window = page[page.index("From the front window") :]

        assert window.count('class="card-product"') == 8
        assert window.count(button) == 8


def test_the_editor_fills_the_front_window_from_the_shop(store):
    client = Client()
    assert client.login(username="editor", password=PASSWORD)
    home = HomePage.objects.get()
    HomePage.objects.update(hero_image=None)  # of which Wagtail leaves a file open

    page = html(client.get(f"/admin/pages/{home.pk}/edit/"))

    assert "/admin/shop/products/" in page
    assert "Choose a product" in page
    assert client.get("/admin/shop/products/").status_code == 200
