"""A customer with a keyboard and nothing else, whose every page is looked through for faults."""

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser import axe

MOST_TABS = 120
"""More stops than any page has."""
TIMEOUT = 30
"""Seconds to wait for a page."""
HIGHEST, QUALITY = 1800, 50
"""Of a picture: its most pixels from top to bottom, and WebP's quality in per cent."""
FOCUSED = """
const element = document.activeElement;
if (!element || element === document.body || element.tabIndex < 0) return null;
const ring = each => {
  const style = getComputedStyle(each);
  return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== "none";
};
const box = element.getBoundingClientRect();
const x = Math.min(Math.max(box.left + box.width / 2, 0), innerWidth - 1), y = box.top + box.height / 2;
const top = document.elementFromPoint(x, y);
const label = element.closest("label");
return {
  wanted: element.matches(arguments[0]),
  name: element.outerHTML.slice(0, 140),
  ring: ring(element) || (label && ring(label)) || false,
  covered: box.width > 2 && y >= 0 && y < innerHeight && !!top && !element.contains(top) && !top.contains(element)
    ? top.outerHTML.slice(0, 100) : "",
};
"""
SIZE = """
const main = document.querySelector("main");
const end = main ? main.getBoundingClientRect().bottom + scrollY : document.documentElement.scrollHeight;
return [innerWidth, Math.max(Math.ceil(end), 200)];
"""
WIDER = """
const over = document.documentElement.scrollWidth - innerWidth;
if (over <= 0) return "";
const reaches = element => element.getBoundingClientRect().right > innerWidth + 1;
const widest = [...document.querySelectorAll("body *")].reverse().find(reaches);
return `${over} px wider than the window: ${widest ? widest.outerHTML.slice(0, 120) : ""}`;
"""


def start_browser(*, width: int, height: int, scripts: bool = True) -> Chrome:
    """Start a Chromium whose pages are as wide as a phone's or a desk's, and which keeps what pages complain of."""
    options = ChromeOptions()
    for option in ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--lang=en"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_script_timeout(TIMEOUT)
    driver.execute_cdp_cmd(  # a window of Chromium is never narrower than 500 px
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
    return driver


def take_picture(driver: Chrome, file: Path) -> None:
    """Save the page that is shown, from its top to its footer, as a WebP picture."""
    size = driver.execute_script(SIZE)
    clip = {"x": 0, "y": 0, "width": size[0], "height": min(size[1], HIGHEST), "scale": 1}
    options = {"format": "webp", "quality": QUALITY, "clip": clip, "captureBeyondViewport": True}
    taken = driver.execute_cdp_cmd("Page.captureScreenshot", options)
    file.write_bytes(base64.b64decode(taken["data"]))


class Customer:
    """Goes through a shop by Tab, Space, Enter and typing. ``faults`` has what is wrong with the pages on the way."""

    def __init__(self, driver: Chrome, shop: str, *, scripts: bool) -> None:
        self.driver = driver
        self.shop = shop
        self.faults: list[str] = []
        self.pictures: Callable[[str], Path] | None = None
        """Where the picture of a page goes, in a run that only takes pictures."""
        self._scripts = scripts
        self._looked_at: set[str] = set()

    def open(self, path: str) -> None:
        """Type an address."""
        self.driver.get(path if path.startswith("http") else self.shop + path)

    def prefer(self, feature: str, value: str) -> None:
        """Have a preference that pages can ask for: "prefers-color-scheme", "dark"."""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": feature, "value": value}]})

    def come_in_as(self, cookies: dict[str, str]) -> None:
        """Become the browser that has these cookies, and no others."""
        self.driver.delete_all_cookies()
        for name, value in cookies.items():
            self.driver.execute_cdp_cmd("Network.setCookie", {"name": name, "value": value, "url": self.shop})

    def look(self, name: str) -> None:
        """Look through the page that is shown, once for each ``name``: axe, its width, Chromium's log."""
        if name in self._looked_at:
            return
        self._looked_at.add(name)
        if self.pictures:
            take_picture(self.driver, self.pictures(name))
            return
        if wider := self.driver.execute_script(WIDER):
            self._add(f"{name}: {wider}")
        self._add(*(f"{name}: {fault}" for fault in (*self._log(), *self._axe())))

    def _add(self, *faults: str) -> None:
        self.faults += [fault for fault in dict.fromkeys(faults) if fault not in self.faults]

    def _axe(self) -> list[str]:
        if self._scripts:
            return axe.violations(self.driver)
        # The page has been built without scripts, and stays so; axe itself is one.
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        found = axe.violations(self.driver)
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        # Without scripts only a reload can bring the news of a payment that is being confirmed.
        return [each for each in found if " meta-refresh: " not in each]

    def _log(self) -> Iterator[str]:
        """Yield what the page's policy has refused, scripts that failed, and files that are missing."""
        shown = self.driver.current_url
        for entry in self.driver.get_log("browser"):
            is_the_page = entry["message"].startswith(f"{shown} ") and "Failed to load resource" in entry["message"]
            is_icon = "/favicon.ico " in entry["message"]  # a site's own matter
            if (
                entry["level"] == "SEVERE" and not is_icon and not is_the_page
            ):  # a page that says 404 itself is one of ours, too
                yield str(entry["message"])

    def go(self, selector: str) -> None:
        """Press Tab until the wanted element has the focus, and note stops that cannot be seen."""
        for _ in range(MOST_TABS):
            stop = self.driver.execute_script(FOCUSED, selector)
            if stop:
                self._note(stop)
                if stop["wanted"]:
                    return
            self.keys(Keys.TAB)
        raise AssertionError(f"no Tab leads to {selector} on {self.driver.current_url}: {self.text[:400]}")

    def _note(self, stop: dict[str, str]) -> None:
        where = urlsplit(self.driver.current_url).path
        if not stop["ring"]:
            self._add(f"{where}: the focus cannot be seen on {stop['name']}")
        if stop["covered"]:
            self._add(f"{where}: {stop['covered']} covers the focused {stop['name']}")

    def press(self, selector: str) -> None:
        """Go to a link or button, press Enter and wait for the next page."""
        self.go(selector)
        page = self.driver.find_element(By.TAG_NAME, "html")
        self.keys(Keys.ENTER)
        WebDriverWait(self.driver, TIMEOUT, 0.05).until(lambda _driver: self._has_left(page))

    def _has_left(self, page: object) -> bool:
        try:
            is_other = self.driver.find_element(By.TAG_NAME, "html") != page
            return is_other and bool(self.driver.execute_script("return document.readyState === 'complete'"))
        except Exception:  # noqa: BLE001 - between two pages
            return False

    def tick(self, selector: str) -> None:
        """Choose a radio button. The arrows move within its group, of which Tab enters the chosen one."""
        name = self.driver.find_element(By.CSS_SELECTOR, selector).get_attribute("name")
        self.go(f"[name='{name}']")
        for _ in range(len(self.driver.find_elements(By.NAME, str(name)))):
            if self.driver.execute_script("return document.activeElement.matches(arguments[0])", selector):
                self.keys(Keys.SPACE)
                return
            self.keys(Keys.ARROW_DOWN)
        raise AssertionError(f"no arrow leads to {selector}")

    def fill(self, selector: str, text: str) -> None:
        """Type into a field in place of what it has."""
        self.go(selector)
        ActionChains(self.driver).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).send_keys(text).perform()

    def skip_to_content(self, selector: str) -> None:
        """Follow the page's skip link, the first stop but for the bar above it."""
        self.go(selector)
        self.keys(Keys.ENTER)

    def keys(self, keys: str) -> None:
        ActionChains(self.driver).send_keys(keys).perform()

    @property
    def has_scripts(self) -> bool:
        return self._scripts

    def until_shows(self, selector: str, *texts: str) -> None:
        """Wait until the first such element begins with one of these texts."""

        def shows(driver: Chrome) -> bool:
            found = driver.find_elements(By.CSS_SELECTOR, selector)
            return bool(found) and found[0].text.startswith(texts)

        # The page may replace the element between finding it and reading it.
        WebDriverWait(self.driver, TIMEOUT, 0.05, ignored_exceptions=[StaleElementReferenceException]).until(shows)

    def has(self, selector: str) -> bool:
        return bool(self.driver.find_elements(By.CSS_SELECTOR, selector))

    @property
    def text(self) -> str:
        return " ".join(self.driver.find_element(By.TAG_NAME, "body").text.split())
