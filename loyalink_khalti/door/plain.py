"""Pages that stand on nothing: no template of the host's, no query, no session. For when there is nothing to show."""

from django.http import HttpResponse
from django.urls import get_script_prefix
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.translation import get_language, get_language_bidi
from django.utils.translation import gettext as _

LOOK_AGAIN = 5
"""seconds until a page without a database looks again"""

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
{way_out}</main>
</body>
</html>
"""


def not_found() -> HttpResponse:
    """The one answer to every token that is nobody's, so that no two can be told apart."""
    return _page(
        404, _("There is no such payment."), _("Perhaps the link was cut short. Please open it again."), home=True
    )


def too_many(*, wait: int) -> HttpResponse:
    """The answer to who tries tokens."""
    response = _page(429, _("Too many tries"), _("Please wait a minute before you open the link again."), home=True)
    response["Retry-After"] = str(wait)
    return response


def unavailable(*, look_at: str) -> HttpResponse:
    """The answer while the database gives none: it looks again by itself, without JavaScript, at ``look_at``."""
    text = _("The shop does not answer just now. Your payment is safe; this page will look again in a moment.")
    response = _page(503, _("One moment, please"), text)
    response["Retry-After"] = str(LOOK_AGAIN)
    response["Refresh"] = f"{LOOK_AGAIN}; url={look_at}"
    add_never_cache_headers(response)
    return response


def _page(status: int, title: str, text: str, *, home: bool = False) -> HttpResponse:
    direction = "rtl" if get_language_bidi() else "ltr"
    way_out = format_html('<p><a href="{}">{}</a></p>\n', get_script_prefix(), _("To the home page")) if home else ""
    page = format_html(
        PAGE, language=get_language() or "en", direction=direction, title=title, text=text, way_out=way_out
    )
    return HttpResponse(page, status=status)
