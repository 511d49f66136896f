"""The hosted page, on which the payer signs in and pays: one page, one form, no JavaScript."""

from html import escape
from string import Template

from loyalink_khalti.money import Paisa, npr

from .books import TRIES
from .desk import Desk
from .look import chip, link, page, panel_link
from .payment import KATHMANDU, PAID, NotPossible, Payment, Plan, State
from .web import Request, Response

KHALTI_IDS = frozenset(f"980000000{digit}" for digit in range(6))
MPIN = "1111"
OTP = "987654"

_BILL = Template("""<section class="bill">
<p class="shop"><span class="badge" aria-hidden="true">$initial</span><span>$shop</span></p>
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
<div><label for="otp">OTP <small>by SMS</small></label>
<input id="otp" name="otp" type="text" inputmode="numeric" maxlength="20" placeholder="987654" required></div>
</div>
<button class="button" name="action" value="pay">Pay $amount</button>
<button class="button plain" name="action" value="cancel" formnovalidate>Cancel and go back</button>
</form>
<aside class="hint"><strong>Test credentials</strong> Khalti ID <code>9800000000</code> to <code>9800000005</code>, \
MPIN <code>1111</code>, OTP <code>987654</code></aside>
</section>""")

_DOUBLE = Template("""<section class="card lone">
<h1>Going back to the shop, twice</h1>
<p>This page opens the shop’s address in a frame that is not seen, and once more in this window after three seconds: \
two visits, as from a browser that is reloaded.</p>
<p class="row">$first $second</p>
<iframe title="The first visit" src="$url"></iframe>
</section>""")


def answer(desk: Desk, request: Request) -> Response:
    """Show the page, or pay or cancel with what the form brings."""
    pidx = request.args.get("pidx", "").rstrip("/")
    if not pidx:
        return _welcome()
    payment = desk.books.find(pidx)
    if payment is None:
        return nothing_here("There is no such payment", "The link is not complete, or another simulator made it.")
    if request.method not in {"GET", "HEAD", "POST"}:
        return Response(status=405)
    if request.method != "POST":
        return _show(desk, request, payment)
    if request.form.get("action") == "cancel":
        return _cancel(desk, payment)
    return _pay(desk, request, payment)


def nothing_here(
    title: str = "There is nothing here", words: str = "This address is not one of the simulator’s."
) -> Response:
    body = f'<section class="card lone"><h1>{escape(title)}</h1><p>{escape(words)}</p></section>'
    return page(title, body, kind="pay", corner=panel_link(css="corner"), status=404)


def _welcome() -> Response:
    body = (
        '<section class="card lone"><h1>Khalti in miniature</h1><p>A shop’s server opens a payment at '
        "<code>/api/v2/epayment/initiate/</code> and sends the payer here, to the <code>payment_url</code> that it "
        f"was given.</p><p>{link('/panel/', 'Open the tester’s panel')}</p></section>"
    )
    return page("Welcome", body, kind="pay")


def _show(desk: Desk, request: Request, payment: Payment, problem: str = "", status: int = 200) -> Response:
    if payment.state is not State.INITIATED:
        return _over(desk, payment)
    if payment.wrong_tries >= TRIES:
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


def _pay(desk: Desk, request: Request, payment: Payment) -> Response:
    if payment.state is not State.INITIATED:
        return _over(desk, payment, status=409)
    if payment.wrong_tries >= TRIES:
        return _show(desk, request, payment, status=403)
    khalti_id = request.form.get("khalti_id", "").strip()
    if khalti_id not in KHALTI_IDS or request.form.get("mpin", "").strip() != MPIN:
        return _wrong(desk, request, payment, "Mobile or pin invalid.")
    if request.form.get("otp", "").strip() != OTP:
        return _wrong(desk, request, payment, "Confirmation code or transaction pin does not match.")
    try:
        paid = desk.pay(payment.pidx, khalti_id, bank=_by_bank(request))
    except NotPossible:
        return _over(desk, desk.books.get(payment.pidx), status=409)
    return _send_back(desk, paid)


def _wrong(desk: Desk, request: Request, payment: Payment, words: str) -> Response:
    remaining = desk.books.wrong_try(payment.pidx)
    tries = f"{remaining} {'try' if remaining == 1 else 'tries'} remaining."
    return _show(desk, request, desk.books.get(payment.pidx), f"{words} {tries}", status=400)


def _cancel(desk: Desk, payment: Payment) -> Response:
    try:
        return _send_back(desk, desk.cancel(payment.pidx))
    except NotPossible:
        return _over(desk, desk.books.get(payment.pidx), status=409)


def _send_back(desk: Desk, payment: Payment) -> Response:
    """Answer as the payment's plan for the callback says."""
    urls = desk.return_urls(payment.pidx)
    if desk.plan_of(payment) is Plan.DOUBLE:
        return _double(payment, urls[0])
    if not urls:
        words = "Nobody goes back to the shop: it has to find out by itself."
        return _framed(payment, "The browser was closed here", _notice(payment, "The browser was closed here", words))
    return Response.to(urls[0])


def _double(payment: Payment, url: str) -> Response:
    body = _DOUBLE.substitute(
        url=escape(url), first=link(url, "First visit"), second=link(url, "Second visit", "button plain")
    )
    refresh = f'<meta http-equiv="refresh" content="3; url={escape(url)}">\n'
    return page("Going back twice", body, kind="pay", head=refresh, corner=panel_link(payment.pidx, "corner"))


def _over(desk: Desk, payment: Payment, status: int = 200) -> Response:
    """What to say of a payment that is not to be paid (any more)."""
    title, words = {
        State.PENDING: ("This payment is being processed", "Khalti has not made up its mind yet. Do not pay again."),
        State.EXPIRED: ("This link has expired", "Nothing was paid. Start again in the shop."),
        State.CANCELED: ("This payment was cancelled", "Nothing was paid. Start again in the shop."),
        State.FAILED: ("This payment has failed", "Nothing was paid. Start again in the shop."),
        State.REFUNDED: ("This payment was refunded", "The money has gone back to the payer."),
    }.get(payment.state, ("This payment is paid", "It was paid once, and cannot be paid again."))
    urls = desk.return_urls(payment.pidx)
    back = link(urls[0] if urls else payment.website_url, "Back to the shop")
    return _framed(payment, title, _notice(payment, title, words, back), status=status)


def _notice(payment: Payment, title: str, words: str, more: str = "") -> str:
    number = payment.transaction_id if payment.state in PAID else ""
    receipt = f"<p class='small'>Transaction <code>{escape(number)}</code></p>" if number else ""
    return (
        f'<section class="card"><p>{chip(payment.state)}</p><h2>{escape(title)}</h2>'
        f"<p>{escape(words)}</p>{receipt}{more}</section>"
    )


def _framed(payment: Payment, title: str, card: str, status: int = 200) -> Response:
    bill = _BILL.substitute(
        initial=escape(payment.shop[:1].upper()),
        shop=escape(payment.shop),
        name=escape(payment.purchase_order_name),
        amount=escape(npr(Paisa(payment.amount))),
        order=escape(payment.purchase_order_id),
        before=payment.expires_at.astimezone(KATHMANDU).strftime("%H:%M"),
    )
    corner = panel_link(payment.pidx, "corner")
    foot = f"<span>pidx <code>{escape(payment.pidx)}</code></span>"
    return page(title, f'<div class="two">{bill}{card}</div>', kind="pay", corner=corner, foot=foot, status=status)


def _by_bank(request: Request) -> bool:
    return request.path.rstrip("/") == "/sct"
