"""Customers who return from Khalti again and again while a server of the shop restarts."""

from itertools import cycle
from threading import Event

import requests

ALLOWED = {200, 302, 503}
"""What they may see: a page, or one that reloads itself."""


def keep_returning(backs: list[str], over: Event) -> list[int]:
    """Return again and again, as pages that reload themselves do; return the status of each visit."""
    statuses: list[int] = []
    for back in cycle(backs):
        if over.is_set():
            return statuses
        statuses += [page.status_code for page in _pages(back)]
    return statuses


def _pages(url: str) -> list[requests.Response]:
    with requests.Session() as browser:
        browser.trust_env = False
        page = browser.get(url, timeout=60)
        return [*page.history, page]
