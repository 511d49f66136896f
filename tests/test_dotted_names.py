"""Names written as text (messages of the outbox, settings) resolve, and point in the direction that imports may go."""

import ast
import importlib
import inspect
import re
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.utils.module_loading import import_string

import loyalink_khalti
from loyalink_khalti import conf, outbox

ROOT = Path(__file__).parent.parent
PACKAGE = Path(loyalink_khalti.__file__).parent
ROOMS = {path.stem for path in PACKAGE.iterdir() if path.suffix in {"", ".py"}}
DOTTED = re.compile(r"loyalink_khalti(\.\w+)+")
POSTS = {outbox.post.__name__, outbox.post_once.__name__}


def layers() -> dict[str, tuple[int, int]]:
    """The layer of each room, counted from the top, and its place in the layer, as import-linter has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (drawn,) = [
        contract["layers"] for contract in contracts if contract.get("containers") == [loyalink_khalti.__name__]
    ]
    return {
        room: (level, place)
        for level, layer in enumerate(drawn)
        for place, rooms in enumerate(layer.split("|"))  # rooms between bars are strangers; a colon joins
        for room in re.findall(r"\w+", rooms)
    }


LAYERS = layers()


ACROSS = {("loyalink_khalti.hosts.page.urls", "loyalink_khalti.storefront.urls")}
"""Names of strangers that are meant: a site with pages that sell has one line of URLs for both."""


def room_of(dotted: str) -> str:
    return dotted.split(".")[1] if "." in dotted else ""


def may_name(source: str, target: str) -> bool:
    """Whether a module may name this target: something in its own room, or in a room below."""
    here, there = room_of(source), room_of(target)
    if here == there or here not in LAYERS or there not in LAYERS or (source, target) in ACROSS:
        return True
    return LAYERS[here][0] < LAYERS[there][0] or (LAYERS[here] == LAYERS[there])


def modules() -> Iterator[tuple[str, Path]]:
    absent = {name for name in ("salesman",) if find_spec(name) is None}  # it refuses Django 6
    for path in sorted(PACKAGE.rglob("*.py")):
        if not {"migrations", *absent}.intersection(path.parts[len(PACKAGE.parts) :]):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def posted(module: ModuleType, tree: ast.AST) -> Iterator[str]:
    """The functions that a module posts to the outbox."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in POSTS
            and node.args
        ):
            yield eval(compile(ast.Expression(node.args[0]), module.__name__, "eval"), vars(module))


def texts(tree: ast.AST) -> Iterator[str]:
    """The strings in a module that name something in a room."""
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and DOTTED.fullmatch(text) and room_of(text) in ROOMS:
            yield text


def named() -> Iterator[tuple[str, str]]:
    for name, path in modules():
        tree = ast.parse(path.read_text())
        for text in texts(tree):
            yield name, text
        if "outbox.post" in path.read_text():
            for text in posted(importlib.import_module(name), tree):
                yield name, text


NAMED = sorted(set(named()))


def resolve(dotted: str) -> Any:
    try:
        return importlib.import_module(dotted)
    except ModuleNotFoundError:
        return import_string(dotted)


def test_messages_of_the_outbox_are_among_the_names_that_are_read() -> None:
    assert {room_of(target) for _, target in NAMED} >= {"flow", "hosts"}


@pytest.mark.parametrize(("source", "target"), NAMED)
def test_a_dotted_name_resolves(source: str, target: str) -> None:
    assert resolve(target)


@pytest.mark.parametrize(("source", "target"), NAMED)
def test_a_dotted_name_points_down(source: str, target: str) -> None:
    assert may_name(source, target), f"{source} names {target}, which is above it"


NOTICE = ("site_key", "member_id", "points", "points_value", "last_day")
BASELINE_MESSAGES = {
    "loyalink_khalti.flow.review.alerts.send_digest": ("message_id",),
    "loyalink_khalti.flow.members.expiry.send_signal": NOTICE,
    "loyalink_khalti.flow.members.expiry.send_mail": NOTICE,
    "loyalink_khalti.flow.members.signup_bonus.award": ("site_key", "member_id"),
    "loyalink_khalti.hosts.oscar.events.stock_changed": ("pks",),
    "loyalink_khalti.hosts.oscar.events.order_placed": ("number",),
    "loyalink_khalti.hosts.oscar.events.send_order_mail": ("number",),
    "loyalink_khalti.hosts.oscar.events.status_changed": ("number", "before", "after"),
}
"""What ``schema-baseline`` posts to the outbox, with the arguments."""


@pytest.mark.parametrize("function", BASELINE_MESSAGES)
def test_a_message_that_the_version_before_has_posted_can_be_sent(function: str) -> None:
    """R9: messages wait in the outbox while a new version is deployed."""
    inspect.signature(resolve(function)).bind(**dict.fromkeys(BASELINE_MESSAGES[function]))


def test_the_defaults_of_settings_name_no_room() -> None:
    """The settings of the shop name its host; no default of the package does."""
    names = [str(value) for value in conf.DEFAULTS.values() if DOTTED.match(str(value))]

    assert names == []


def test_the_sandbox_names_what_exists(settings: Any) -> None:
    for path in settings.LOYALINK_KHALTI.get("SHOPS", {}).values():
        assert resolve(path)
