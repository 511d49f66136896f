"""A running store and a real browser, which can take pictures of its pages."""

import io
import shutil
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.browser import axe
from tests.browser.keyboard import Customer, start_browser
from tests.browser.treks import running_treks
from tests.stories.browser_session import PASSWORD
from tests.stories.conftest import store
from tests.stories.running_store import Store

__all__ = ["store"]

PICTURES = Path(__file__).parent.parent.parent / "docs" / "pictures"
CHROME_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--lang=en",
)  # fmt: skip
WIDTH, MAX_HEIGHT = 1280, 2400
COLOURS = 128
"""Enough for pages, in a third of the bytes."""
TIMEOUT = 15
"""Seconds to wait for a page."""

WIDTHS = {320: 640, 390: 844, 1366: 768}
"""Widths of a customer's window in CSS pixels, and its heights."""
LANGUAGES = ("en", "ne")
USUAL = ("ne", 320, True)
"""What every run has: the longer language on the smallest phone, with scripts."""


def every_way() -> Iterator[Any]:
    """Yield language, width and whether scripts run; but for the usual way, for runs with ``--all``."""
    for language, width, scripts in product(LANGUAGES, WIDTHS, (True, False)):
        way = language, width, scripts
        name = f"{language}-{width}-{'with' if scripts else 'without'}-scripts"
        yield pytest.param(*way, id=name, marks=() if way == USUAL else pytest.mark.slow)


EVERY_WAY = list(every_way())


class Browser:
    """A browser: opens and reads pages, types, and presses buttons by their text."""

    def __init__(self, driver: Chrome, store: Store, *, takes_pictures: bool) -> None:
        self.driver = driver
        self.store = store
        self._takes_pictures = takes_pictures

    def open(self, path: str) -> "Browser":
        self.driver.get(path if path.startswith("http") else self.store.url + path)
        return self

    def log_in(self, name: str) -> "Browser":
        self.driver.delete_all_cookies()
        self.open("/admin/login/")
        self.type("username", name)
        self.type("password", PASSWORD)
        self.find("button[type=submit]").click()
        self.until(lambda: "/login" not in self.driver.current_url)
        return self

    @property
    def text(self) -> str:
        return " ".join(self.driver.find_element(By.TAG_NAME, "body").text.split())

    def find(self, selector: str) -> WebElement:
        """Wait for the first visible element and return it."""
        return self.until(lambda: self._visible(selector))

    def _visible(self, selector: str) -> WebElement | None:
        return next((e for e in self.driver.find_elements(By.CSS_SELECTOR, selector) if e.is_displayed()), None)

    def type(self, name: str, text: str) -> None:
        """Replace the value of a field of a form."""
        field = self.find(f"[name='{name}']")
        if field.tag_name == "select":
            Select(field).select_by_visible_text(text)
            return
        # Typed like a person does, so that the page's scripts get its events; ``clear`` sends none.
        self._scroll_to(field)
        self.driver.execute_script("arguments[0].select()", field)
        field.send_keys(text, Keys.TAB)  # to the next field, which closes a calendar

    def choose(self, name: str, value: str) -> None:
        """Tick one of several options."""
        self.press_element(self.find(f"[name='{name}'][value='{value}']"))

    def press(self, text: str) -> "Browser":
        """Press the button, or follow the link, with this text."""
        self.press_element(self.until(lambda: self._button(text)))
        return self

    def press_element(self, element: WebElement) -> None:
        self._scroll_to(element)
        element.click()

    def _scroll_to(self, element: WebElement) -> None:
        """Scroll an element to the middle: at the foot of a page Wagtail's bar would cover it."""
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)

    def _button(self, text: str) -> WebElement | None:
        css = "main button, main a, main input[type=submit], header a"
        pressable = self.driver.find_elements(By.CSS_SELECTOR, css)
        visible = (element for element in pressable if element.is_displayed())
        return next((each for each in visible if text in (each.text or each.get_attribute("value") or "")), None)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until ``condition`` returns a true value, and return it."""
        # The page may remove an element between finding it and reading it.
        wait = WebDriverWait(self.driver, TIMEOUT, 0.05, ignored_exceptions=[StaleElementReferenceException])
        return wait.until(lambda _driver: condition())

    def shows(self, text: str) -> bool:
        """Wait until the page shows ``text``, in any capitals, and return True."""
        self.until(lambda: text.casefold() in self.text.casefold())
        return True

    def picture(self, name: str) -> None:
        """Save a picture of the whole page in docs/pictures, when the run has ``--pictures``."""
        if not self._takes_pictures:
            return
        self.driver.execute_script("window.scrollTo(0, 0); document.activeElement && document.activeElement.blur()")
        height = self.driver.execute_script("return (document.querySelector('main') || document.body).scrollHeight")
        self.driver.set_window_size(WIDTH, min(max(int(height) + 40, 700), MAX_HEIGHT))
        with Image.open(io.BytesIO(self.driver.get_screenshot_as_png())) as image:
            image.convert("RGB").quantize(COLOURS).save(PICTURES / f"{name}.png", optimize=True)
        self.driver.set_window_size(WIDTH, 1000)


@pytest.fixture
def browser(store: Store, request: pytest.FixtureRequest) -> Iterator[Browser]:
    options = ChromeOptions()
    for option in (*CHROME_OPTIONS, f"--window-size={WIDTH},1000"):
        options.add_argument(option)
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield Browser(driver, store, takes_pictures=request.config.getoption("--pictures"))
    finally:
        driver.quit()


@pytest.fixture
def customer_at(width: int, scripts: bool) -> Iterator[Callable[[str], Customer]]:
    """What opens a customer's browser at a shop; a test has one of them at a time, or two."""
    if not axe.script():
        pytest.skip("no npm here, or no registry: axe-core cannot be installed")
    drivers = []

    def opened(shop: str) -> Customer:
        drivers.append(start_browser(width=width, height=WIDTHS[width], scripts=scripts))
        return Customer(drivers[-1], shop, scripts=scripts)

    try:
        yield opened
    finally:
        for driver in drivers:
            driver.quit()


@pytest.fixture(scope="module")
def treks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the site of ``examples/page``, which runs."""
    with running_treks(tmp_path_factory.mktemp("treks")) as address:
        yield address
