"""Read a page of Wagtail's admin: its form as a browser would submit it, its text and its errors."""

import re
from typing import Any

from bs4 import BeautifulSoup, Tag
from django import forms

FORM = "#w-editor-form"


def form_data(response: Any) -> dict[str, Any]:
    """Return what "Save" would submit if nothing was changed."""
    data: dict[str, Any] = {}
    form = BeautifulSoup(response.content, "html.parser").select_one(FORM)
    assert form is not None
    for field in form.select("input[name], select[name], textarea[name]"):
        name, kind = str(field["name"]), field.get("type")
        if field.find_parent("template") or (kind in {"checkbox", "radio"} and not field.has_attr("checked")):
            continue
        if field.name == "select":
            chosen = field.select_one("option[selected]") or field.select_one("option")
            value: Any = chosen.get("value", "") if chosen else ""
        elif field.name == "textarea":
            value = field.text
        else:
            value = field.get("value", "on" if field.get("checked") is not None else "")
        if kind == "checkbox" and name in data:
            data[name] = [*([data[name]] if isinstance(data[name], str) else data[name]), value]
        else:
            data[name] = value
    data.pop("csrfmiddlewaretoken", None)
    return data


def page_text(page: Any) -> str:
    """Return the text of a response, of HTML or of a soup, on one line."""
    if not isinstance(page, Tag):
        page = BeautifulSoup(page if isinstance(page, str) else page.content, "html.parser")
    return " ".join(page.get_text(" ").split())


def page_errors(response: Any) -> str:
    """Return the error messages on a page, on one line."""
    soup = BeautifulSoup(response.content, "html.parser")
    return re.sub(r"\s+", " ", " ".join(line.get_text(" ") for line in soup.select(".error-message, .messages")))


def submitted(form: Any) -> dict[str, Any]:
    """Return what an unbound form, with its formsets, would submit if nothing was changed. It renders no page."""
    data: dict[str, Any] = {}
    formsets = getattr(form, "row_formsets", {}).values()
    rows = [row for formset in formsets for row in (formset.management_form, *formset.forms)]
    for bound in (bound for each in (form, *rows) for bound in each):
        value, widget = bound.value(), bound.field.widget
        if isinstance(widget, forms.CheckboxInput):
            if value:
                data[bound.html_name] = "on"
        elif isinstance(widget, forms.CheckboxSelectMultiple):
            data |= {bound.html_name: list(value)} if value else {}
        elif isinstance(widget, forms.Select | forms.RadioSelect):
            data[bound.html_name] = str(value or next(iter(bound.field.choices))[0])
        else:
            data[bound.html_name] = widget.format_value(value) or ""
    return data


def form_errors(form: Any) -> str:
    """Return the errors of a form and its formsets, each with the label of its field."""
    form.is_valid()
    rows = [row for formset in getattr(form, "row_formsets", {}).values() for row in formset.forms]
    return " ".join(
        f"{each.fields[name].label}: {error}" if name in each.fields else str(error)
        for each in (form, *rows)
        for name, errors in each.errors.items()
        for error in errors
    )
