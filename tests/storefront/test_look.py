"""The look of our pages is the site's: properties in one file, the shop's colour, a dark scheme, readable in each."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.template import Context, Template
from wagtail.models import Site

from loyalink_khalti import colours, conf

STATIC = Path(apps.get_app_config("loyalink_khalti").path, "static", "loyalink_khalti")
PROPERTY = re.compile(r"--lk-([a-z-]+): ([^;]+);")
LIGHT_DARK = re.compile(r"light-dark\((.+), (.+)\)")
OWN = re.compile(r"var\(--lk-shop-[a-z-]+, (#[0-9a-f]+)\)")
STAFF_ONLY = {"desk.css", "members.css", "reports.css", "sentence.css"}
PAPER = {"counter.css", "daily_close.css", "paper.css"}
"""Black on white in every theme, as it is printed."""
TEXT = ("ink", "muted", "accent", "good", "warn", "bad")
TINTS = {"accent": 0.08, "good": 0.1, "warn": 0.1, "bad": 0.1, "ink": 0.07}
"""What share of a colour the backgrounds ``--lk-tint…`` have."""


TEMPLATES = Path(apps.get_app_config("loyalink_khalti").path, "templates")
NOT_FOR_CUSTOMERS = ("/backoffice/", "/dashboard/", "/mail/", "_mail.html", "/staff/", "/desk/")
INLINE = re.compile(
    r"""\sstyle=|<style\b|\son[a-z]+\s*=\s*["']|<script(?![^>]*\bsrc=)[^>]*>|javascript:""", re.IGNORECASE
)


def values(scheme: int) -> dict[str, str]:
    """Return the colours of the light (0) or the dark scheme (1), as a browser sees them without a shop's colour."""
    tokens = (STATIC / "tokens.css").read_text()
    block = tokens[tokens.index("@supports") : tokens.index('[data-theme="light"]')]
    pairs = {name: LIGHT_DARK.fullmatch(OWN.sub(r"\1", value)) for name, value in PROPERTY.findall(block)}
    return {name: found[scheme + 1] for name, found in pairs.items() if found}


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", TEXT)
def test_every_colour_of_text_can_be_read_on_every_ground(scheme: int, name: str) -> None:
    has = values(scheme)
    tint = colours.mix(has["paper"], has[name], TINTS.get(name, 0.1))

    for ground in (has["paper"], has["ground"], tint):
        assert colours.contrast(has[name], ground) >= colours.READABLE, (name, ground)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_on_the_accent_can_be_read_and_fields_have_a_visible_border(scheme: int) -> None:
    has = values(scheme)

    assert colours.contrast(has["on-accent"], has["accent"]) >= colours.READABLE
    assert colours.contrast(has["field-line"], has["paper"]) >= 3


def test_the_dark_values_are_the_same_by_color_scheme_and_by_attribute() -> None:
    tokens = (STATIC / "tokens.css").read_text()
    block = tokens[tokens.rindex('[data-bs-theme="dark"]) {') : tokens.index("/* Made of")]

    by_attribute = {name: OWN.sub(r"\1", value) for name, value in PROPERTY.findall(block)}

    assert {name: by_attribute[name] for name in values(1) if name != "shade"} == {
        name: value for name, value in values(1).items() if name != "shade"
    }


@pytest.mark.parametrize("path", sorted(set(STATIC.glob("*.css"))), ids=lambda path: path.name)
def test_no_other_stylesheet_names_a_colour(path: Path) -> None:
    if path.name in STAFF_ONLY | PAPER | {"tokens.css"}:
        return  # the desk has Wagtail's colours
    without_comments = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)

    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(", without_comments) == []


def test_styles_are_linked_with_those_of_the_pieces(client) -> None:
    page = Template('{% load loyalink_khalti %}{% loyalink_styles "page" %}').render(Context())

    names = re.findall(r'<link rel="stylesheet" href="[^"]*/([\w.]+)">', page)
    assert names == ["tokens.css", "theme.css", "payment.css", "page.css"]
    assert "style=" not in page


@pytest.mark.django_db
def test_the_colour_of_the_shop_reaches_every_page_and_can_be_read_in_both_schemes(client) -> None:
    site = Site.objects.get(is_default_site=True)
    row = apps.get_model("loyalink_khalti", "ShopDetails").for_site(site)
    row.colour = "#f4a81d"
    row.save()

    answer = client.get("/khalti/theme.css")

    css = answer.content.decode()
    has = dict(PROPERTY.findall(css))
    assert answer["Content-Type"] == "text/css; charset=utf-8"
    assert answer["Cache-Control"] == "public, max-age=300"
    assert colours.contrast(has["shop-accent"], colours.WHITE) >= colours.READABLE
    assert colours.contrast(has["shop-accent"], has["shop-on-accent"]) >= colours.READABLE
    assert colours.contrast(has["shop-accent-dark"], colours.DARK_PAPER) >= colours.READABLE
    assert colours.contrast(has["shop-accent-dark"], has["shop-on-accent-dark"]) >= colours.READABLE


@pytest.mark.django_db
def test_a_shop_without_a_colour_keeps_that_of_its_stylesheet(client) -> None:
    assert client.get("/khalti/theme.css").content == b""


@pytest.mark.django_db
@pytest.mark.parametrize(("chosen", "scheme"), [("dark", "dark"), ("auto", "light dark"), ("light", "light")])
def test_a_deployment_may_decide_on_the_scheme(client, settings, chosen: str, scheme: str) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "COLOUR_SCHEME": chosen}

    assert f"color-scheme: {scheme}; }}" in client.get("/khalti/theme.css").content.decode()


def test_an_unknown_scheme_is_named_by_the_checks(settings) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "COLOUR_SCHEME": "night"}

    assert "COLOUR_SCHEME" in dict(conf.wrong_types())


def test_no_page_for_customers_needs_more_than_a_strict_policy_allows() -> None:
    """T35: ``script-src 'self'; style-src 'self'``: nothing inline. Mails are styled inline."""
    shown = [path for path in TEMPLATES.rglob("*.html") if not any(part in str(path) for part in NOT_FOR_CUSTOMERS)]

    inline = {path.name: found for path in shown if (found := INLINE.findall(path.read_text()))}

    assert len(shown) > 80
    assert inline == {}
