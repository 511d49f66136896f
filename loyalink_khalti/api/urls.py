"""The URLs of the API: ``path("api/khalti/v1/", include("loyalink_khalti.api.urls"))``, outside ``i18n_patterns``."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.http import HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt

from loyalink_khalti.token_pages import DATABASE_UNAVAILABLE
from loyalink_khalti.token_pages.plain_pages import RELOAD_AFTER

from .problems import Kind, Problem

try:
    from .operations import api
except ModuleNotFoundError as exc:
    if not (exc.name or "").startswith("ninja"):
        raise
    raise ImproperlyConfigured(
        "The URLs of loyalink_khalti.api need django-ninja, which is not installed:"
        ' pip install "loyalink-khalti[api]", or remove their include.'
    ) from exc

View = Callable[..., HttpResponseBase]


def api_view(view: View) -> View:
    """Return a view of the API whose every answer is JSON, is in no shared cache, and whose flow commits by itself."""

    @csrf_exempt  # ``callers.identify`` checks it where a session identifies the caller
    @transaction.non_atomic_requests
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except DATABASE_UNAVAILABLE:
            response = Problem(Kind.UNAVAILABLE, retry_after=RELOAD_AFTER).response()
        if isinstance(response, HttpResponseNotAllowed):
            allowed = response["Allow"]
            response = Problem(Kind.METHOD_NOT_ALLOWED).response()
            response["Allow"] = allowed
        response.headers.setdefault("Cache-Control", "no-store")
        response["X-Content-Type-Options"] = "nosniff"
        patch_vary_headers(response, ["Accept-Language", "Authorization", "Cookie"])
        return response

    return answer


app_name = "loyalink_khalti_api"

urlpatterns = list(api.urls[0])
for pattern in urlpatterns:
    pattern.callback = api_view(pattern.callback)  # type: ignore[arg-type]  # they are patterns of views
