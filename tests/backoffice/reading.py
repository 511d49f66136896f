"""A page of Wagtail's admin as an editor's browser has it: the form as it would be posted, and its words."""

import re
from typing import Any

from bs4 import BeautifulSoup

FORM = "#w-editor-form"


def typed(response: Any) -> dict[str, Any]:
    """What a press of Save would send if nothing were typed."""
    found: dict[str, Any] = {}
    form = BeautifulSoup(response.content, "html.parser").select_one(FORM)
    assert form is not None
    for field in form.select("input[name], select[name], textarea[name]"):
        name = str(field["name"])
        if field.find_parent("template") or (
            field.get("type") in {"checkbox", "radio"} and not field.has_attr("checked")
        ):
            continue
        if field.name == "select":
            chosen = field.select_one("option[selected]") or field.select_one("option")
            value: Any = chosen.get("value", "") if chosen else ""
        else:
            value = (
                field.text
                if field.name == "textarea"
                else field.get("value", "on" if field.get("checked") is not None else "")
            )
        if field.get("type") == "checkbox" and name in found:
            found[name] = [*([found[name]] if isinstance(found[name], str) else found[name]), value]
        else:
            found[name] = value
    found.pop("csrfmiddlewaretoken", None)
    return found


def words(response_or_html: Any) -> str:
    """What is read on the page, on one line."""
    html = response_or_html if isinstance(response_or_html, str) else response_or_html.content.decode()
    return re.sub(r"\s+", " ", BeautifulSoup(html, "html.parser").get_text(" "))


def wrong(response: Any) -> str:
    """What the page says is wrong."""
    soup = BeautifulSoup(response.content, "html.parser")
    return re.sub(r"\s+", " ", " ".join(line.get_text(" ") for line in soup.select(".error-message, .messages")))
