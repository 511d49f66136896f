"""A running store and a real browser, which can make a picture of what it shows."""

import io
import shutil
from collections.abc import Callable, Iterator
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

from tests.stories.conftest import store
from tests.stories.running import Store
from tests.stories.shopper import PASSWORD

__all__ = ["store"]

PICTURES = Path(__file__).parent.parent.parent / "docs" / "pictures"
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--lang=en",
)  # fmt: skip
WIDTH, TALLEST = 1280, 2400
COLOURS = 128
"""Enough for pages, and a third of the bytes."""
PATIENCE = 15
"""Seconds within which what a page does by itself is done."""


class Browser:
    """Somebody at a browser: opens pages, reads them, types and presses buttons by the words on them."""

    def __init__(self, driver: Chrome, store: Store, *, keeps_pictures: bool) -> None:
        self.driver = driver
        self.store = store
        self._keeps_pictures = keeps_pictures

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
    def words(self) -> str:
        return " ".join(self.driver.find_element(By.TAG_NAME, "body").text.split())

    def find(self, selector: str) -> WebElement:
        """The first that can be seen, waited for a moment."""
        return self.until(lambda: self._seen(selector))

    def _seen(self, selector: str) -> WebElement | None:
        return next((e for e in self.driver.find_elements(By.CSS_SELECTOR, selector) if e.is_displayed()), None)

    def type(self, name: str, text: str) -> None:
        """Type into the field of a form, over whatever stands there."""
        field = self.find(f"[name='{name}']")
        if field.tag_name == "select":
            Select(field).select_by_visible_text(text)
            return
        # As a person does, so that whatever listens to typing hears it; ``clear`` is silent.
        self._show(field)
        self.driver.execute_script("arguments[0].select()", field)
        field.send_keys(text, Keys.TAB)  # on to the next, which closes a calendar

    def choose(self, name: str, value: str) -> None:
        """Tick one of several."""
        self.press_element(self.find(f"[name='{name}'][value='{value}']"))

    def press(self, words: str) -> "Browser":
        """Press the button, or follow the link, with these words on it."""
        self.press_element(self.until(lambda: self._worded(words)))
        return self

    def press_element(self, element: WebElement) -> None:
        self._show(element)
        element.click()

    def _show(self, element: WebElement) -> None:
        """Into the middle, at once: at the foot of a page Wagtail's own bar would lie over it."""
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)

    def _worded(self, words: str) -> WebElement | None:
        css = "main button, main a, main input[type=submit], header a"
        pressable = self.driver.find_elements(By.CSS_SELECTOR, css)
        seen = (element for element in pressable if element.is_displayed())
        return next((each for each in seen if words in (each.text or each.get_attribute("value") or "")), None)

    def until(self, true: Callable[[], Any]) -> Any:
        """Wait until it is so, and give what it is."""
        # An element may go from the page between finding it and reading it.
        wait = WebDriverWait(self.driver, PATIENCE, 0.05, ignored_exceptions=[StaleElementReferenceException])
        return wait.until(lambda _driver: true())

    def reads(self, words: str) -> bool:
        """Whether the page comes to say so, in whatever capitals its style sets it."""
        self.until(lambda: words.casefold() in self.words.casefold())
        return True

    def picture(self, name: str) -> None:
        """Keep what is shown, whole, in docs/pictures: only where the run was asked to."""
        if not self._keeps_pictures:
            return
        self.driver.execute_script("window.scrollTo(0, 0); document.activeElement && document.activeElement.blur()")
        tall = self.driver.execute_script("return (document.querySelector('main') || document.body).scrollHeight")
        self.driver.set_window_size(WIDTH, min(max(int(tall) + 40, 700), TALLEST))
        with Image.open(io.BytesIO(self.driver.get_screenshot_as_png())) as seen:
            seen.convert("RGB").quantize(COLOURS).save(PICTURES / f"{name}.png", optimize=True)
        self.driver.set_window_size(WIDTH, 1000)


@pytest.fixture
def browser(store: Store, request: pytest.FixtureRequest) -> Iterator[Browser]:
    options = ChromeOptions()
    for option in (*QUIET, f"--window-size={WIDTH},1000"):
        options.add_argument(option)
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield Browser(driver, store, keeps_pictures=request.config.getoption("--pictures"))
    finally:
        driver.quit()
