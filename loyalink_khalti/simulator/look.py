"""What every page of the simulator shares: its frame, its style, and small pieces of HTML, always escaped."""

from html import escape
from pathlib import Path
from string import Template

from .payment import PAID, State
from .web import Response

_STYLE = (Path(__file__).parent / "look.css").read_text(encoding="utf-8")
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
<p class="banner"><strong>Simulated: no money moves</strong><span> · this is not Khalti</span></p>
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
    """One page; ``title`` is text, the rest is HTML already."""
    text = _PAGE.substitute(
        title=escape(title), body=body, kind=kind, corner=corner, foot=foot, head=head, style=_STYLE
    )
    return Response.html(text, status=status)


def panel_link(pidx: str = "", css: str = "text") -> str:
    """The way to the tester's panel."""
    return link(f"/panel/#p-{pidx}" if pidx else "/panel/", "Tester’s panel", css)


def link(url: str, words: str, css: str = "button") -> str:
    return f'<a class="{css}" href="{escape(url)}">{escape(words)}</a>'


def chip(state: State) -> str:
    """A state as a coloured word."""
    colour = {State.INITIATED: "open", State.PENDING: "wait", State.COMPLETED: "good"}
    css = colour.get(state, "back" if state in PAID else "bad")
    return f'<span class="chip {css}">{escape(state.value)}</span>'
