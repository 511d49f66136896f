"""The operations of the API: their addresses, forms and answers. What they do is in the modules beside this one."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.params.functions import Header, Query
from ninja.parser import Parser

from loyalink_khalti.session_payments import session_id

from . import points, purchases, receipts, schemas, statuses
from .bodies import read_body
from .callers import Caller, identify
from .openapi import document
from .problems import Kind, Problem

KEY = r'^"?[A-Za-z0-9_.:-]{16,128}"?$'
"""An idempotency key: random, for example a UUID. The quotation marks are those of the IETF's draft."""


class Request(HttpRequest):
    """A request whose caller is known."""

    auth: Caller


def authenticate(request: HttpRequest) -> Caller:
    """Read the body and find out who calls, before anything else is done. Raises ``Problem``."""
    if request.method == "POST" and _has_body(request):
        request._loyalink_body = read_body(request)  # type: ignore[attr-defined]  # for the parser
    return identify(request)


def _has_body(request: HttpRequest) -> bool:
    return request.META.get("CONTENT_LENGTH") not in {"", "0", None} or "Transfer-Encoding" in request.headers


class BodyParser(Parser):
    """Gives ninja the body that was read and checked before."""

    def parse_body(self, request: HttpRequest) -> Any:
        return request._loyalink_body  # type: ignore[attr-defined]  # by ``authenticate``


class Api(NinjaAPI):
    """Our API, with every answer in its OpenAPI document."""

    def get_openapi_schema(self, **_options: Any) -> Any:
        return document(super().get_openapi_schema(path_prefix=""), server=self.get_root_path({}))


api = Api(
    title="Payments and points",
    version="1",
    description="Quote, begin, follow and cancel payments at Khalti, and a member's points. Amounts are in paisa.",
    urls_namespace="loyalink_khalti_api",
    docs_url=None,
    auth=authenticate,
    parser=BodyParser(),
)


@api.exception_handler(Problem)
def refuse(_request: HttpRequest, problem: Problem) -> HttpResponse:
    return problem.response()


@api.exception_handler(ValidationError)
def refuse_form(_request: HttpRequest, exc: ValidationError) -> HttpResponse:
    errors = [{"pointer": _pointer(each["loc"]), "detail": each["msg"]} for each in exc.errors]
    return Problem(Kind.INVALID_REQUEST, errors=errors).response()


@api.exception_handler(HttpError)
def refuse_body(_request: HttpRequest, _exc: HttpError) -> HttpResponse:
    return Problem(Kind.NOT_JSON).response()


def _pointer(loc: Any) -> str:
    """Return where a value is: a JSON pointer into the body, or the name of a parameter."""
    source, *path = [str(each) for each in loc]
    return "#/" + "/".join(path[1:]) if source == "body" else f"{source}: {'.'.join(path)}"


@api.get("/session", response=schemas.Session, operation_id="session")
def session(request: Request) -> dict[str, Any]:
    """Begin to use a browser's session: the answer sets its cookies. Not for apps with tokens."""
    if hasattr(request, "session"):
        session_id(request)
    return {"csrf_token": get_token(request), "is_member": request.auth.member_id is not None}


@api.post("/quote", response=schemas.Quote, operation_id="quote")
def quote(request: Request, body: schemas.QuoteRequest) -> dict[str, Any]:
    """What a basket costs, earns and can redeem, and how it can be paid. Nothing is held."""
    return purchases.show_price(purchases.price(request.auth, body.dict()))


@api.post("/purchases", response={201: schemas.Begun}, operation_id="begin")
def begin(
    request: Request,
    body: schemas.BeginRequest,
    idempotency_key: str = Header(..., alias="Idempotency-Key", pattern=KEY),
) -> Any:
    """Open a payment at Khalti, or place the order: cash, bank transfer, or points for all of it.

    The same key with the same body has the same answer, for 24 hours.
    """
    return purchases.begin(request.auth, body.dict(), key=idempotency_key.strip('"'))


@api.get("/payments/{payment_id}", response={200: schemas.Status, 304: None}, operation_id="status")
def status(
    request: Request,
    response: HttpResponse,
    payment_id: str,
    wait: int = Query(0, ge=0, le=60, description="Seconds to wait for a change, within the shop's limit."),
) -> Any:
    """What became of a payment. With `If-None-Match` it waits until the status is another one than that."""
    known = request.headers.get("If-None-Match", "")
    found = statuses.read_status(request.auth, payment_id, wait=wait, known=known)
    response["ETag"] = statuses.etag(found)
    if known == response["ETag"]:
        return HttpResponse(status=304, headers={"ETag": known})
    return found


@api.post("/payments/{payment_id}/cancel", response=schemas.Status, operation_id="cancel")
def cancel(request: Request, payment_id: str) -> dict[str, Any]:
    """Cancel a pending payment and release what it holds. Khalti is asked first whether it was paid."""
    return statuses.cancel(request.auth, payment_id)


@api.get("/receipts/{shop}/{reference}", response=receipts.Receipt, operation_id="receipt")
def receipt(request: Request, shop: str, reference: str) -> dict[str, Any]:
    """The receipt of an order: its state, its figures, its course, and how to pay what is left.

    For its member, or with the session or the secret of one of its payments.
    """
    return receipts.show_receipt(request.auth, shop, reference)


@api.get("/points", response=schemas.PointsCard, operation_id="points")
def points_card(request: Request) -> dict[str, Any]:
    """The points of the member who calls."""
    return points.show_card(request.auth)


@api.get("/points/history", response=schemas.PointsHistory, operation_id="history")
def history(
    request: Request,
    before: int | None = Query(None, ge=0, le=10**9, description="The place that the part before has named."),
    size: int = Query(20, ge=1, le=100),
) -> dict[str, Any]:
    """The history of the member's points, in parts."""
    return points.show_history(request.auth, before=before, size=size)


@api.post("/points/terms", response=schemas.PointsCard, operation_id="acceptTerms")
def accept_terms(request: Request, body: schemas.TermsAccepted) -> dict[str, Any]:
    """Record that the member accepts the terms of the programme; who has left it joins it again."""
    return points.accept_terms(request.auth, version=body.version)


@api.post("/points/leave", response=schemas.PointsCard, operation_id="leave")
def leave(request: Request) -> dict[str, Any]:
    """Let the member leave the programme: the points are lost. Ask the customer first."""
    return points.leave(request.auth)


@api.get("/program", response=schemas.Program, operation_id="program")
def program(request: Request) -> dict[str, Any]:
    """The rules of the loyalty programme as text."""
    return points.show_program(request.auth)
