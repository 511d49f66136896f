"""Whole purchases, by keyboard alone: of products of the demo store, and of pages that sell."""

from selenium.webdriver.common.keys import Keys

from tests.browser.keyboard import Customer
from tests.stories.browser_session import PASSWORD

SKIP = "a[href='#main'], a[href='#content']"


def buy_products(customer: Customer, language: str) -> None:
    """Buy as a member, with points, at Khalti, and look at the order and the points."""
    find_a_product(customer, language)
    log_in_at_the_checkout(customer, "sita@example.com")
    choose_delivery_and_points(customer)
    pay_at_khalti(customer)
    customer.look("thank-you")
    look_back(customer)


def buy_pages(customer: Customer, language: str) -> None:
    """The same on the site of ``examples/page``."""
    put_a_page_into_the_basket(customer, language)
    check_out_pages(customer)
    pay_at_khalti(customer)
    customer.look("order")
    look_back_at_pages(customer)


def find_a_product(customer: Customer, language: str) -> None:
    customer.open("/")
    if language != "en":
        customer.press(f"button[name='language'][value='{language}']")
    customer.look("home")
    customer.skip_to_content(SKIP)
    customer.press("main a[href*='/shop/catalogue/category/']")
    customer.look("category")
    customer.skip_to_content(SKIP)
    customer.press("main article h3 a")
    customer.look("product")
    customer.skip_to_content(SKIP)
    customer.press("#add_to_basket_form [type='submit']")
    customer.open("/shop/basket/")
    customer.look("basket")
    customer.skip_to_content(SKIP)
    customer.press("main a[href$='/shop/checkout/']")


def log_in_at_the_checkout(customer: Customer, email: str) -> None:
    customer.look("gateway")
    customer.skip_to_content(SKIP)
    customer.fill("[name='username']", email)
    customer.tick("[name='options'][value='existing']")
    customer.fill("[name='password']", PASSWORD)
    customer.press("main [type='submit']")


def choose_delivery_and_points(customer: Customer) -> None:
    customer.look("delivery-address")
    customer.skip_to_content(SKIP)
    customer.press("form[id^='select_shipping_address'] [type='submit']")
    customer.look("delivery")
    customer.skip_to_content(SKIP)
    customer.press("main [type='submit']")
    customer.look("payment")
    customer.skip_to_content(SKIP)
    customer.tick("[name='payment_method'][value='khalti']")
    choose_hundred_points(customer)
    customer.press("main button.btn-primary[type='submit']")
    customer.look("preview")
    customer.skip_to_content(SKIP)
    customer.press("main button[form='place_order_form']")


def choose_hundred_points(customer: Customer) -> None:
    """Move the slider by a step, and wait for the server's figures; without scripts there is a number to type."""
    slider = "[data-lk-points] [type='range']"
    if not customer.has_scripts:
        customer.fill("[name='points']", "100")
        return
    customer.go(slider)
    customer.keys(Keys.END)
    customer.keys(Keys.HOME)
    customer.keys(Keys.ARROW_RIGHT)
    customer.until_shows("#lk-points-figures dd", "100", "१००")
    customer.look("payment-with-points")


def pay_at_khalti(customer: Customer) -> None:
    customer.look("khalti")
    customer.fill("#khalti_id", "9800000001")
    customer.fill("#mpin", "1111")
    customer.fill("#otp", "987654")
    customer.press("button[value='pay']")


def look_back(customer: Customer) -> None:
    customer.open("/shop/accounts/orders/")
    customer.look("orders")
    customer.skip_to_content(SKIP)
    customer.press("main .orders a, main h2 a")
    customer.look("order")
    customer.open("/shop/accounts/points/")
    customer.look("points")
    assert "100" in customer.text or "१००" in customer.text


def put_a_page_into_the_basket(customer: Customer, language: str) -> None:
    customer.open("/")
    if language != "en":
        customer.press(f"button[name='language'][value='{language}']")
    customer.look("home")
    customer.press("header a[href^='/login/']")
    customer.look("login")
    customer.fill("[name='username']", "sita")
    customer.fill("[name='password']", "himal-demo")
    customer.press("main [type='submit']")
    customer.skip_to_content(SKIP)
    customer.press("main a[href='/trekking-map/']")
    customer.look("product")
    customer.press("button[value='basket']")
    customer.open("/khalti/basket/")
    customer.look("basket")
    customer.press("main a[href$='/khalti/checkout/']")


def check_out_pages(customer: Customer) -> None:
    customer.look("checkout")
    customer.fill("[name='name']", "Sita Maharjan")
    customer.fill("[name='email']", "sita@example.com")
    customer.fill("[name='phone']", "9841000001")
    customer.tick("label:last-of-type > [name='delivery']")
    customer.tick("[name='payment_method'][value='khalti']")
    customer.fill("[name='points']", "100")
    customer.press("button[value='place']")
    if customer.has("button[value='place']"):  # without scripts the total was not known before
        customer.look("checkout-with-its-total")
        customer.press("button[value='place']")


def look_back_at_pages(customer: Customer) -> None:
    customer.open("/khalti/points/")
    customer.look("points")
    assert "100" in customer.text or "१००" in customer.text
    customer.open("/khalti/order/")
    customer.look("find-an-order")
