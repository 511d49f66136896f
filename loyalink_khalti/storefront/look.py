"""The look of our pages: the stylesheets that they link, and the one with the shop's own colour."""

from collections.abc import Iterator
from contextlib import suppress

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.cache import patch_cache_control
from django.utils.decorators import method_decorator
from django.views.generic import View

from loyalink_khalti import colours, conf
from loyalink_khalti.token_pages import DATABASE_UNAVAILABLE

TOKENS, BASE = "tokens", "payment"
"""Every page of ours has both: the properties of colours, radii and fonts, and buttons, receipt and bar."""
KEPT_FOR = 300
"""Seconds for which a browser may keep the colour of a shop: staff see a new one after five minutes at the latest."""
OURS = ':where([class^="lk-"], [class*=" lk-"])'
SCHEMES = {"light": "light", "dark": "dark", "auto": "light dark"}
"""``color-scheme`` of our pieces by the setting ``COLOUR_SCHEME``; with "host" they have that of the page."""


def stylesheets(*pieces: str) -> Iterator[str]:
    """Return the addresses of the stylesheets of a page with these pieces (``page``, ``oscar``, …), in their order."""
    yield static(f"loyalink_khalti/{TOKENS}.css")
    with suppress(NoReverseMatch):  # a site without our addresses may show elements of ours
        yield reverse("loyalink_khalti:theme")
    for name in (BASE, *pieces):
        yield static(f"loyalink_khalti/{name}.css")


def theme(site_key: str) -> str:
    """Return the stylesheet with the colour that a site's editors have chosen, and with the scheme of the deployment.

    No specificity, as in tokens.css: a property that the site sets itself wins.
    """
    rules = []
    if chosen := conf.shop_details(site_key).colour:
        light = colours.readable(chosen, on=colours.WHITE)
        dark = colours.readable(chosen, on=colours.DARK_PAPER)
        rules.append(
            f":where(:root) {{ --lk-shop-accent: {light}; --lk-shop-on-accent: {colours.text_on(light)};"
            f" --lk-shop-accent-dark: {dark}; --lk-shop-on-accent-dark: {colours.text_on(dark)}; }}\n"
        )
    if scheme := SCHEMES.get(conf.get("COLOUR_SCHEME")):
        rules.append(f"{OURS}, :where(:root:has(> .lk-page)) {{ color-scheme: {scheme}; }}\n")
    return "".join(rules)


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class ThemeView(View):
    """Serve ``theme``. Without a database the pages have the package's own colours."""

    http_method_names = ("get", "head", "options")

    def get(self, request: HttpRequest) -> HttpResponse:
        try:
            css = theme(conf.site_key(request))
        except DATABASE_UNAVAILABLE:
            return HttpResponse(status=503, headers={"Cache-Control": "no-store"})
        response = HttpResponse(css, content_type="text/css; charset=utf-8")
        patch_cache_control(response, public=True, max_age=KEPT_FOR)
        response["X-Content-Type-Options"] = "nosniff"
        return response
