"""How tests call the API: as a guest's app, as an app with a member's token, or from a browser's session."""

import itertools
import json
from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from django.test import Client

ROOT = "/api/khalti/v1"
URN = "urn:loyalink-khalti:problem:"
_keys = itertools.count(1)


def user_of_token(request: HttpRequest) -> Any:
    """The user of ``Authorization: Token NAME``, as a shop's own function finds it; None for no such user."""
    scheme, _space, name = request.headers.get("Authorization", "").partition(" ")
    return get_user_model().objects.filter(username=name).first() if scheme == "Token" else None


def new_key() -> str:
    return f"a-key-of-a-test-{next(_keys):06}"


class App:
    """An app, with a member's token or without."""

    def __init__(self, token: str = "", client: Client | None = None) -> None:
        self.client = client or Client()
        self.headers = {"Authorization": f"Token {token}"} if token else {}

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(ROOT + path, headers=self.headers | _named(headers))

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        data = body if isinstance(body, str | bytes) else json.dumps(body) if body is not None else b""
        return self.client.post(
            ROOT + path, data, content_type="application/json", headers=self.headers | _named(headers)
        )

    def quote(self, **changes: Any) -> Any:
        return self.post("/quote", {"shop": "fake", "basket": basket(), **changes})

    def begin(self, key: str = "", language: str = "en", **changes: Any) -> Any:
        body = {"shop": "fake", "basket": basket(), "method": "khalti", "expected_due": 250_000, **changes}
        return self.post("/purchases", body, idempotency_key=key or new_key(), accept_language=language)


def basket(sku: str = "pen", quantity: int = 1, **changes: Any) -> dict[str, Any]:
    customer = {"name": "Sita", "email": "sita@example.com", "phone": "9800000001"}
    return {"items": [{"sku": sku, "quantity": quantity}], "customer": customer, **changes}


def problem(response: HttpResponse) -> tuple[int, str]:
    """The status and the kind of a refusal; "" for what is none."""
    if response.headers.get("Content-Type") != "application/problem+json":
        return response.status_code, ""
    body = json.loads(response.content)
    assert body["status"] == response.status_code
    assert body["title"]
    assert body["detail"]
    return response.status_code, body["type"].removeprefix(URN)


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").title(): value for name, value in headers.items()}
