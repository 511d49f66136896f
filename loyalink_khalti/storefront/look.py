"""The look of our pages: the stylesheets that they link."""

from collections.abc import Iterator

from django.templatetags.static import static

TOKENS, BASE = "tokens", "payment"
"""Every page of ours has both: the properties of colours, radii and fonts, and buttons, receipt and bar."""


def stylesheets(*pieces: str) -> Iterator[str]:
    """Return the addresses of the stylesheets of a page with these pieces (``page``, ``oscar``, …), in their order."""
    for name in (TOKENS, BASE, *pieces):
        yield static(f"loyalink_khalti/{name}.css")
