"""Completes the OpenAPI document: the problems of each operation, headers, and each shop's baskets."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings

from loyalink_khalti import conf

from .callers import SECRET_HEADER
from .problems import MEDIA_TYPE, Kind
from .purchases import selling_shops

ALWAYS = (Kind.NOT_AUTHENTICATED, Kind.INVALID_REQUEST, Kind.THROTTLED, Kind.METHOD_NOT_ALLOWED, Kind.UNAVAILABLE)
BODY = (Kind.NOT_JSON, Kind.CSRF_FAILED, Kind.TOO_LARGE, Kind.NOT_JSON_TYPE)
PRICE = (*BODY, Kind.INVALID_DETAILS, Kind.POINTS_DO_NOT_FIT, Kind.SOLD_OUT, Kind.CANNOT_PAY)
PROBLEMS: Mapping[str, tuple[Kind, ...]] = {
    "quote": PRICE,
    "begin": (
        *PRICE, Kind.BASKET_TAKEN, Kind.IN_PROGRESS, Kind.METHOD_UNAVAILABLE, Kind.PAYMENT_PENDING,
        Kind.RESERVED_TOO_MUCH, Kind.TOTAL_CHANGED, Kind.KEY_REUSED,
    ),
    "status": (Kind.NOT_FOUND,),
    "receipt": (Kind.NOT_FOUND,),
    "cancel": (*BODY, Kind.NOT_FOUND, Kind.CANNOT_CANCEL),
    "acceptTerms": (*BODY, Kind.MEMBERSHIP),
    "leave": (*BODY, Kind.MEMBERSHIP),
}  # fmt: skip
"""The problems of each operation, by its id, beside those of ``ALWAYS``."""
MEMBERS_ONLY = frozenset({"points", "history"})

_TEXTS = {"type": "array", "items": {"type": "string"}}
_PROBLEM = {
    "type": "object",
    "description": "A refusal: https://www.rfc-editor.org/rfc/rfc9457. Nothing was held, and nothing was paid.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "Stable, for programs."},
        "title": {"type": "string", "description": "For the app's author."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For the customer, in their language."},
        "errors": {
            "type": "array",
            "description": "What is wrong in the request, and where.",
            "items": {
                "type": "object",
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
                "required": ["pointer", "detail"],
            },
        },
        "fields": {
            "type": "object",
            "description": "What the shop cannot use, by field of its basket.",
            "additionalProperties": _TEXTS,
        },
        "nearest": {"type": "array", "items": {"type": "integer"}, "description": "Numbers of points that fit."},
        "amount_due": {"type": "integer", "description": "The amount due now, in paisa."},
        "payment": {
            "type": ["object", "null"],
            "description": "The pending payment, for the customer who began it alone.",
            "properties": {
                "id": {"type": "string"},
                "amount": {"type": "integer"},
                "payment_url": {"type": ["string", "null"]},
            },
        },
    },
}
_SECRET = {
    "in": "header",
    "name": SECRET_HEADER,
    "required": False,
    "schema": {"type": "string"},
    "description": "Of a guest's payment: the `secret` that begin has answered with.",
}
_IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "required": False,
    "schema": {"type": "string"},
    "description": "The ETag of the status that the app has.",
}


def document(schema: Any, *, server: str) -> dict[str, Any]:
    """Return ninja's document with all that ninja does not know of; ``server`` is the path of the API."""
    completed: dict[str, Any] = json.loads(json.dumps(schema))
    completed["servers"] = [{"url": server.rstrip("/")}]
    components = completed["components"]
    components["schemas"]["Problem"] = _PROBLEM
    components["securitySchemes"] = {
        "session": {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME},
        "token": {"type": "http", "scheme": "bearer", "description": "Whatever the shop's own function reads."},
    }
    for methods in completed["paths"].values():
        for operation in methods.values():
            _complete(operation)
    _add_baskets(components["schemas"])
    return completed


def _complete(operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    anyone: list[dict[str, list[str]]] = [] if name in MEMBERS_ONLY else [{}]
    operation["security"] = [*anyone, {"session": []}, {"token": []}]
    operation["responses"].update(_responses((*ALWAYS, *PROBLEMS.get(name, ()))))
    if name in {"status", "cancel", "receipt"}:
        operation.setdefault("parameters", []).append(_SECRET)
    if name == "status":
        operation["parameters"].append(_IF_NONE_MATCH)
        tag = {"ETag": {"schema": {"type": "string"}, "required": True}}
        operation["responses"]["200"]["headers"] = operation["responses"]["304"]["headers"] = tag


def _responses(kinds: Iterable[Kind]) -> dict[str, Any]:
    by_status: dict[int, list[Kind]] = defaultdict(list)
    for kind in kinds:
        by_status[kind.status].append(kind)
    return {str(status): _response(by_status[status]) for status in sorted(by_status)}


def _response(kinds: list[Kind]) -> dict[str, Any]:
    types = {"properties": {"type": {"enum": [kind.type for kind in kinds]}}}
    response: dict[str, Any] = {
        "description": " ".join(kind.title for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": {"allOf": [{"$ref": "#/components/schemas/Problem"}, types]}}},
    }
    if kinds[0].status in {409, 429, 503}:
        response["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}}
    return response


def _add_baskets(schemas: dict[str, Any]) -> None:
    """Let the two requests with a basket name each shop and its own form of a basket."""
    shops = selling_shops()
    for name, shop in shops.items():
        schemas[f"Basket_{name}"] = _moved(dict(shop.basket_schema()), f"#/components/schemas/Basket_{name}")
    if addresses := conf.api_options().return_addresses:
        schemas["BeginRequest"]["properties"]["return_to"] |= {"enum": ["", *addresses]}
    for name in ("QuoteRequest", "BeginRequest"):
        form = schemas[name]
        form["properties"]["shop"] |= {"enum": list(shops)}
        form["oneOf"] = [
            {"properties": {"shop": {"const": name}, "basket": {"$ref": f"#/components/schemas/Basket_{name}"}}}
            for name in shops
        ]


def _moved(value: Any, place: str) -> Any:
    """Return a schema whose references to its own ``$defs`` work at its place in the document."""
    if isinstance(value, dict):
        return {
            key: f"{place}{each[1:]}" if key == "$ref" and str(each).startswith("#/") else _moved(each, place)
            for key, each in value.items()
            if key != "$schema"
        }
    return [_moved(each, place) for each in value] if isinstance(value, list | tuple) else value
