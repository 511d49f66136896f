"""Pages that need no template, no database query and no session, for when there is no payment to show."""

from django.http import HttpResponse
from django.urls import get_script_prefix
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.translation import get_language, get_language_bidi
from django.utils.translation import gettext as _

RELOAD_AFTER = 5
"""seconds until the page without a database reloads itself"""
UPDATED_AFTER = 60
"""seconds that an update of the shop may take"""

PAGE = """<!DOCTYPE html>
<html lang="{language}" dir="{direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
body {{ margin: 0; background: #f6f2ec; color: #241b2f;
  font: 1.0625rem/1.55 system-ui, "Noto Sans Devanagari", sans-serif }}
main {{ max-width: 30rem; margin: 12vh auto; padding: 1.75rem 1.5rem; text-align: center; background: #fff;
  border: 1px solid #e4dcd0; border-radius: 16px }}
h1 {{ margin: 0; font-size: 1.45rem }}
a {{ color: #5c2d91 }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
{home_link}</main>
</body>
</html>
"""


def not_found() -> HttpResponse:
    """Return the one answer to every unknown token, so that no two differ."""
    return _page(404, _("Payment not found"), _("The link may be incomplete. Please open it again."), link_home=True)


def too_many(*, wait: int) -> HttpResponse:
    """Return the answer to a network that has tried too many unknown tokens; ``wait`` in seconds."""
    response = _page(
        429, _("Too many attempts"), _("Please wait a minute before you open the link again."), link_home=True
    )
    response["Retry-After"] = str(wait)
    return response


def unavailable(*, reload_url: str) -> HttpResponse:
    """Return the answer while the database is down. It loads ``reload_url`` after a moment, without JavaScript."""
    text = _("The shop does not respond at the moment. Your payment is safe; this page reloads automatically.")
    response = _page(503, _("One moment, please"), text)
    response["Retry-After"] = str(RELOAD_AFTER)
    response["Refresh"] = f"{RELOAD_AFTER}; url={reload_url}"
    add_never_cache_headers(response)
    return response


def being_updated() -> HttpResponse:
    """Return the answer to a request that meets a database without the migrations of this version."""
    text = _("The shop is being updated. Please try again in a minute; your basket is kept.")
    response = _page(503, _("One moment, please"), text)
    response["Retry-After"] = str(UPDATED_AFTER)
    add_never_cache_headers(response)
    return response


def _page(status: int, title: str, text: str, *, link_home: bool = False) -> HttpResponse:
    direction = "rtl" if get_language_bidi() else "ltr"
    home_link = ""
    if link_home:
        home_link = format_html('<p><a href="{}">{}</a></p>\n', get_script_prefix(), _("To the home page"))
    page = format_html(
        PAGE, language=get_language() or "en", direction=direction, title=title, text=text, home_link=home_link
    )
    return HttpResponse(page, status=status)
