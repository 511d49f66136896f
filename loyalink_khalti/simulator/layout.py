"""The layout of every page of the simulator, its style sheet, and small HTML elements. All text is escaped."""

from html import escape
from pathlib import Path
from string import Template

from .payment import PAID, State
from .web import Response

_STYLE = (Path(__file__).parent / "layout.css").read_text(encoding="utf-8")
_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="referrer" content="same-origin">
<title>$title · Khalti simulator</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle \
cx='8' cy='8' r='8' fill='%235C2D91'/%3E%3C/svg%3E">
$head<style>$style</style>
</head>
<body class="$kind">
<header class="top"><div class="in"><a class="wordmark" href="/">Khalti <span>simulator</span></a>$corner</div>
</header>
<aside class="banner" aria-label="Simulation">
<strong>Simulated: no money moves</strong><span> · this is not Khalti</span>
</aside>
<main class="in">
$body
</main>
<footer class="in">$foot</footer>
</body>
</html>
""")


def page(
    title: str, body: str, *, kind: str, corner: str = "", foot: str = "", head: str = "", status: int = 200
) -> Response:
    """Return one page; ``title`` is text, the other parts are HTML."""
    text = _PAGE.substitute(
        title=escape(title), body=body, kind=kind, corner=corner, foot=foot, head=head, style=_STYLE
    )
    return Response.html(text, status=status)


def panel_link(pidx: str = "", css: str = "text") -> str:
    """Return a link to the tester's panel, to one payment on it if ``pidx`` is set."""
    return link(f"/panel/#p-{pidx}" if pidx else "/panel/", "Tester’s panel", css)


def link(url: str, label: str, css: str = "button") -> str:
    return f'<a class="{css}" href="{escape(url)}">{escape(label)}</a>'


def badge(state: State) -> str:
    """Return a payment's state as a coloured badge."""
    colour = {State.INITIATED: "open", State.PENDING: "wait", State.COMPLETED: "good"}
    css = colour.get(state, "back" if state in PAID else "bad")
    return f'<span class="status {css}">{escape(state.value)}</span>'
