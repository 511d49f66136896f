"""The hosted page on which the customer signs in and pays: one page, one form, no JavaScript."""

from html import escape
from string import Template

from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.nepal import KATHMANDU

from .database import MAX_WRONG_TRIES
from .layout import badge, link, page, panel_link
from .payment import PAID, CallbackPlan, NotPossible, Payment, State
from .service import KhaltiService
from .web import Request, Response

KHALTI_IDS = frozenset(f"980000000{digit}" for digit in range(6))
MPIN = "1111"
OTP = "987654"

_SUMMARY = Template("""<section class="summary">
<p class="shop"><span class="initial" aria-hidden="true">$initial</span><span>$shop</span></p>
<h1>$name</h1>
<p class="amount">$amount</p>
<dl>
<div><dt>Order</dt><dd>$order</dd></div>
<div><dt>Pay before</dt><dd>$before, Nepal time</dd></div>
</dl>
</section>""")

_FORM = Template("""<section class="card">
<h2>$heading</h2>
$problem
<form method="post" action="$action" autocomplete="off">
<label for="khalti_id">Khalti ID <small>mobile number</small></label>
<input id="khalti_id" name="khalti_id" type="tel" inputmode="numeric" maxlength="20" placeholder="9800000000" \
value="$khalti_id" required>
<div class="pair">
<div><label for="mpin">MPIN</label>
<input id="mpin" name="mpin" type="password" inputmode="numeric" maxlength="20" placeholder="1111" required></div>
<div><label for="otp">OTP <small>from the SMS</small></label>
<input id="otp" name="otp" type="text" inputmode="numeric" maxlength="20" placeholder="987654" required></div>
</div>
<button class="button" name="action" value="pay">Pay $amount</button>
<button class="button plain" name="action" value="cancel" formnovalidate>Cancel payment</button>
</form>
<aside class="hint"><strong>Test credentials</strong> Khalti ID <code>9800000000</code> to <code>9800000005</code>, \
MPIN <code>1111</code>, OTP <code>987654</code></aside>
</section>""")

_DOUBLE_VISIT = Template("""<section class="card lone">
<h1>Returning to the shop twice</h1>
<p>This page opens the return address in a hidden frame, and again in this window after three seconds: two visits, \
as from a browser that reloads the page.</p>
<p class="row">$first $second</p>
<iframe title="The first visit" src="$url"></iframe>
</section>""")


def answer(service: KhaltiService, request: Request) -> Response:
    """Show the page. A POST pays or cancels the payment."""
    pidx = request.args.get("pidx", "").rstrip("/")
    if not pidx:
        return _welcome()
    payment = service.database.find(pidx)
    if payment is None:
        return not_found("Payment not found", "The link is incomplete, or another simulator made it.")
    if request.method not in {"GET", "HEAD", "POST"}:
        return Response(status=405)
    if request.method != "POST":
        return _show(service, request, payment)
    if request.form.get("action") == "cancel":
        return _cancel(service, payment)
    return _pay(service, request, payment)


def not_found(title: str = "Page not found", text: str = "The simulator has no page at this address.") -> Response:
    body = f'<section class="card lone"><h1>{escape(title)}</h1><p>{escape(text)}</p></section>'
    return page(title, body, kind="pay", corner=panel_link(css="corner"), status=404)


def _welcome() -> Response:
    body = (
        '<section class="card lone"><h1>Khalti simulator</h1><p>A shop’s server opens a payment at '
        "<code>/api/v2/epayment/initiate/</code> and redirects the customer to the <code>payment_url</code> of the "
        f"response.</p><p>{link('/panel/', 'Open the tester’s panel')}</p></section>"
    )
    return page("Welcome", body, kind="pay")


def _show(
    service: KhaltiService, request: Request, payment: Payment, problem: str = "", status: int = 200
) -> Response:
    if payment.state is not State.INITIATED:
        return _closed(service, payment)
    if payment.wrong_tries >= MAX_WRONG_TRIES:
        problem = "Transaction processing is disabled after multiple incorrect pin attempts."
    amount = npr(Paisa(payment.amount))
    form = _FORM.substitute(
        heading="Pay from your bank or card" if _by_bank(request) else "Pay with your wallet",
        problem=f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else "",
        action=escape(f"{request.path}?{request.query}"),
        khalti_id=escape(request.form.get("khalti_id", "")[:20] if request.method == "POST" else ""),
        amount=escape(amount),
    )
    return _framed(payment, f"Pay {amount}", form, status=status)


def _pay(service: KhaltiService, request: Request, payment: Payment) -> Response:
    if payment.state is not State.INITIATED:
        return _closed(service, payment, status=409)
    if payment.wrong_tries >= MAX_WRONG_TRIES:
        return _show(service, request, payment, status=403)
    khalti_id = request.form.get("khalti_id", "").strip()
    if khalti_id not in KHALTI_IDS or request.form.get("mpin", "").strip() != MPIN:
        return _reject(service, request, payment, "Mobile or pin invalid.")
    if request.form.get("otp", "").strip() != OTP:
        return _reject(service, request, payment, "Confirmation code or transaction pin does not match.")
    try:
        paid = service.pay(payment.pidx, khalti_id, bank=_by_bank(request))
    except NotPossible:
        return _closed(service, service.database.get(payment.pidx), status=409)
    return _return_to_shop(service, paid)


def _reject(service: KhaltiService, request: Request, payment: Payment, message: str) -> Response:
    remaining = service.database.wrong_try(payment.pidx)
    tries = f"{remaining} {'try' if remaining == 1 else 'tries'} remaining."
    return _show(service, request, service.database.get(payment.pidx), f"{message} {tries}", status=400)


def _cancel(service: KhaltiService, payment: Payment) -> Response:
    try:
        return _return_to_shop(service, service.cancel(payment.pidx))
    except NotPossible:
        return _closed(service, service.database.get(payment.pidx), status=409)


def _return_to_shop(service: KhaltiService, payment: Payment) -> Response:
    """Redirect to the shop as the payment's callback plan says."""
    urls = service.return_urls(payment.pidx)
    if service.plan_of(payment) is CallbackPlan.DOUBLE:
        return _double(payment, urls[0])
    if not urls:
        title = "The browser was closed here"
        text = "No callback reaches the shop. It has to look the payment up by itself."
        return _framed(payment, title, _notice(payment, title, text))
    return Response.redirect(urls[0])


def _double(payment: Payment, url: str) -> Response:
    body = _DOUBLE_VISIT.substitute(
        url=escape(url), first=link(url, "First visit"), second=link(url, "Second visit", "button plain")
    )
    refresh = f'<meta http-equiv="refresh" content="3; url={escape(url)}">\n'
    return page("Returning twice", body, kind="pay", head=refresh, corner=panel_link(payment.pidx, "corner"))


def _closed(service: KhaltiService, payment: Payment, status: int = 200) -> Response:
    """Show a payment that cannot be paid (any more)."""
    title, text = {
        State.PENDING: ("This payment is being processed", "Khalti has not confirmed it yet. Do not pay again."),
        State.EXPIRED: ("This link has expired", "Nothing was paid. Start again in the shop."),
        State.CANCELED: ("This payment was cancelled", "Nothing was paid. Start again in the shop."),
        State.FAILED: ("This payment has failed", "Nothing was paid. Start again in the shop."),
        State.REFUNDED: ("This payment was refunded", "The customer has the money back."),
    }.get(payment.state, ("This payment is paid", "It cannot be paid again."))
    urls = service.return_urls(payment.pidx)
    back = link(urls[0] if urls else payment.website_url, "Back to the shop")
    return _framed(payment, title, _notice(payment, title, text, back), status=status)


def _notice(payment: Payment, title: str, text: str, more: str = "") -> str:
    number = payment.transaction_id if payment.state in PAID else ""
    receipt = f"<p class='small'>Transaction <code>{escape(number)}</code></p>" if number else ""
    return (
        f'<section class="card"><p>{badge(payment.state)}</p><h2>{escape(title)}</h2>'
        f"<p>{escape(text)}</p>{receipt}{more}</section>"
    )


def _framed(payment: Payment, title: str, card: str, status: int = 200) -> Response:
    summary = _SUMMARY.substitute(
        initial=escape(payment.shop[:1].upper()),
        shop=escape(payment.shop),
        name=escape(payment.purchase_order_name),
        amount=escape(npr(Paisa(payment.amount))),
        order=escape(payment.purchase_order_id),
        before=payment.expires_at.astimezone(KATHMANDU).strftime("%H:%M"),
    )
    corner = panel_link(payment.pidx, "corner")
    foot = f"<span>pidx <code>{escape(payment.pidx)}</code></span>"
    return page(title, f'<div class="two">{summary}{card}</div>', kind="pay", corner=corner, foot=foot, status=status)


def _by_bank(request: Request) -> bool:
    return request.path.rstrip("/") == "/sct"
