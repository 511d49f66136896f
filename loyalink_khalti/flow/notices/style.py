"""The inline styles of the mails: many mail programs read no stylesheet. Colours follow the shop's own."""

from loyalink_khalti.colours import text_on

INK, QUIET, LINE, PAPER, GROUND = "#241c36", "#5f5568", "#e3dceb", "#ffffff", "#f4f1f7"
DEFAULT = "#5c2d91"
FONT = "font-family:'Mukta','Noto Sans Devanagari',system-ui,-apple-system,'Segoe UI',Roboto,Arial,sans-serif"


def styles(colour: str) -> dict[str, str]:
    """Return the value of ``style=""`` by the name of what it is for."""
    colour = colour or DEFAULT
    text = f"{FONT};font-size:16px;line-height:1.5;color:{INK}"
    row = f"padding:7px 0;border-bottom:1px solid {LINE};vertical-align:top"
    return {
        "colour": colour,
        "on_colour": text_on(colour),
        "ground": GROUND,
        "body": f"margin:0;padding:0;background:{GROUND};{text}",
        "outer": f"padding:24px 12px;background:{GROUND}",
        "card": f"max-width:600px;margin:0 auto;background:{PAPER};border-radius:12px;border-top:6px solid {colour}",
        "head": "padding:24px 24px 0",
        "content": "padding:16px 24px 28px",
        "name": f"{FONT};font-size:20px;font-weight:700;color:{colour};text-decoration:none",
        "title": f"{FONT};margin:0 0 12px;font-size:24px;line-height:1.25;font-weight:700;color:{INK}",
        "text": f"{text};margin:0 0 14px",
        "quiet": f"{FONT};margin:0 0 10px;font-size:14px;line-height:1.5;color:{QUIET}",
        "box": f"margin:0 0 18px;padding:14px 16px;background:{GROUND};border-radius:8px",
        "box_title": f"{FONT};margin:0 0 6px;font-size:16px;font-weight:700;color:{INK}",
        "table": "width:100%;border-collapse:collapse;margin:4px 0 18px",
        "label": f"{text};{row};text-align:left;font-weight:400",
        "amount": f"{text};{row};padding-left:12px;text-align:right;white-space:nowrap",
        "total_label": f"{text};padding:9px 0;text-align:left;font-weight:700",
        "total": f"{text};padding:9px 0 9px 12px;text-align:right;white-space:nowrap;font-weight:700",
        "small": f"display:block;font-size:14px;color:{QUIET}",
        "figure": f"{FONT};margin:0 0 14px;font-size:32px;line-height:1.2;font-weight:700;color:{colour}",
        "button_cell": f"border-radius:8px;background:{colour}",
        "button": (
            f"{FONT};display:inline-block;padding:13px 24px;font-size:16px;font-weight:600;line-height:1.25;"
            f"color:{text_on(colour)};text-decoration:none;border-radius:8px"
        ),
        "link": f"color:{colour}",
        "foot": "max-width:600px;margin:0 auto;padding:18px 24px 0",
        "hidden": "display:none;max-height:0;overflow:hidden;mso-hide:all",
    }
