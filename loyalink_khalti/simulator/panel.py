"""The tester's panel: the payments, the faults and the switches, with a button for everything that can happen."""

from decimal import Decimal, InvalidOperation
from html import escape
from string import Template

from loyalink_khalti.money import Paisa, npr, paisa
from loyalink_khalti.nepal import KATHMANDU, plain_number

from .faults import ENDPOINTS, KINDS, describe, read_fault
from .layout import badge, link, page
from .payment import CallbackPlan, NotPossible, Payment, State
from .service import KhaltiService
from .web import Request, Response

PAYMENTS_SHOWN = 100

_PLANS = {
    CallbackPlan.NORMAL: "normal",
    CallbackPlan.DROP: "dropped: the browser is closed",
    CallbackPlan.DOUBLE: "sent twice",
    CallbackPlan.SERVER: "server redirect with “/?” appended",
    CallbackPlan.FORGED: "forged parameters",
    CallbackPlan.BARE: "without a pidx",
}
_BUTTONS = {
    "complete": ("Complete", (State.INITIATED, State.PENDING, State.FAILED, State.EXPIRED, State.CANCELED)),
    "pend": ("Make pending", (State.INITIATED,)),
    "fail": ("Fail", (State.INITIATED, State.PENDING)),
    "expire": ("Expire", (State.INITIATED, State.PENDING)),
    "cancel": ("Cancel", (State.INITIATED, State.PENDING)),
}

_PAYMENT = Template("""<article class="payment" id="p-$pidx">
<header><div><h3>$name</h3><p class="small">$shop · $order · $at</p></div>
<div class="sum"><strong>$amount</strong>$status</div></header>
<p class="small ids"><span>pidx <code>$pidx</code></span>$transaction$refunded</p>
<div class="row">$buttons</div>
$refund
<div class="row">$callback<span class="row">$links</span></div>
</article>""")

_PANEL = Template("""<div class="panel-head"><h1>Tester’s panel</h1><p>Everything that can happen to a payment or \
to a call. Programs use the same buttons over <code>POST /panel/api/…</code></p></div>
$problem
<div class="panel-grid">
<section><h2>Payments <small>$count</small></h2>
$payments
</section>
<div class="side">
<section class="card"><h2>Faults at the API</h2>
$armed
<form method="post" action="/panel/" class="stack">
<label>Fault <select name="kind">$kinds</select></label>
<label>Endpoint <select name="where">$wheres</select></label>
<div class="pair"><label>Times <small>0: always</small> <input name="times" type="number" min="0" value="1">
</label>
<label>Seconds <small>optional</small> <input name="seconds" inputmode="decimal"></label></div>
<label class="tick"><input type="checkbox" name="after" value="true"> do the work, lose only the response</label>
<button class="button" name="do" value="fault">Arm</button>
</form></section>
<section class="card"><h2>Switches</h2>
<form method="post" action="/panel/" class="stack">
<label>Callback <select name="callback">$callbacks</select></label>
<label>Merchant limit <small>rupees; empty: none</small> <input name="merchant_limit" inputmode="numeric" \
value="$limit"></label>
<label>HTTP code for an unknown pidx <select name="unknown_pidx_code">$codes</select></label>
<div class="pair"><label>Link lifetime <small>seconds</small> <input name="link_lifetime" inputmode="numeric" \
value="$lifetime"></label>
<label>Fee <small>percent</small> <input name="fee_percent" inputmode="decimal" value="$fee"></label></div>
<label class="tick"><input type="checkbox" name="fee_not_found" value="true"$fee_not_found> “Fee not found.”</label>
<label class="tick"><input type="checkbox" name="old_payment_urls" value="true"$old> payment_url as before 2026</label>
<button class="button" name="do" value="switch">Save</button>
</form></section>
<section class="card"><h2>Latest calls</h2>$calls</section>
</div></div>""")


def answer(service: KhaltiService, request: Request) -> Response:
    """Show the panel. A POST carries out the button that was pressed and redirects to the panel."""
    if request.method in {"GET", "HEAD"}:
        return _show(service)
    if request.method != "POST":
        return Response(status=405)
    if request.is_cross_site:
        return _show(service, "Only the panel’s own buttons are accepted.", 403)
    form = request.form
    try:
        _do(service, form)
    except NotPossible as exc:
        return _show(service, str(exc), 409)
    except LookupError as exc:
        return _show(service, str(exc), 404)
    except ValueError as exc:
        return _show(service, str(exc), 400)
    pidx = form.get("pidx", "")
    return Response.redirect(f"/panel/#p-{pidx}" if pidx.isalnum() else "/panel/", status=303)


def _do(service: KhaltiService, form: dict[str, str]) -> None:
    verb, pidx = form.get("do", ""), form.get("pidx", "")
    if verb in _BUTTONS:
        getattr(service, verb)(pidx)
    elif verb == "refund":
        service.refund(pidx, _paisa(form.get("rupees", "")))
    elif verb == "callback":
        service.database.set_plan(pidx, CallbackPlan(form["plan"]) if form.get("plan") else None)
    elif verb == "fault":
        service.faults.arm(read_fault({name: value for name, value in form.items() if name != "do"}))
    elif verb == "clear-faults":
        service.faults.clear()
    elif verb == "switch":
        for name in ("fee_not_found", "old_payment_urls"):  # browsers do not send an unchecked box
            service.switches.set(name, form.get(name, "false"))
        for name in ("callback", "merchant_limit", "unknown_pidx_code", "link_lifetime", "fee_percent"):
            if name in form:
                service.switches.set(name, form[name])
    else:
        raise ValueError(f"There is no button {verb!r}.")


def _paisa(rupees: str) -> int | None:
    """Return typed rupees in paisa; None (nothing typed) refunds everything. Raises ``ValueError``."""
    try:
        typed = plain_number(rupees)
        return paisa(Decimal(typed)) if typed else None
    except (InvalidOperation, ValueError):
        raise ValueError(f"{rupees!r} is not an amount of rupees.") from None


def _show(service: KhaltiService, problem: str = "", status: int = 200) -> Response:
    payments = service.database.all(PAYMENTS_SHOWN)
    switches = service.switches
    calls = [f"<li><b>{escape(call.endpoint)}</b> <code>{escape(call.subject)}</code></li>" for call in service.calls]
    body = _PANEL.substitute(
        problem=f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else "",
        count=f"the last {PAYMENTS_SHOWN}" if len(payments) == PAYMENTS_SHOWN else str(len(payments)),
        payments="\n".join(_payment(service, payment) for payment in payments)
        or '<p class="card empty">No payments yet. The first one appears when a shop calls initiate.</p>',
        armed=_armed(service),
        kinds=_options({kind: f"{kind}: {label}" for kind, label in KINDS.items()}),
        wheres=_options({"all": "all endpoints", **{name: name for name in ENDPOINTS}}, "lookup"),
        callbacks=_options(_PLANS, switches.callback),
        codes=_options({"404": "404", "400": "400"}, str(switches.unknown_pidx_code)),
        limit=switches.merchant_limit or "",
        lifetime=switches.link_lifetime,
        fee=switches.fee_percent,
        fee_not_found=" checked" if switches.fee_not_found else "",
        old=" checked" if switches.old_payment_urls else "",
        calls=f'<ol class="calls">{"".join(calls[:-16:-1])}</ol>' if calls else '<p class="small">None yet.</p>',
    )
    corner = link("/panel/", "Refresh", "corner")
    return page("Tester’s panel", body, kind="panel", corner=corner, status=status)


def _payment(service: KhaltiService, payment: Payment) -> str:
    buttons = [
        _button(payment.pidx, verb, label) for verb, (label, states) in _BUTTONS.items() if payment.state in states
    ]
    number = payment.transaction_id
    return _PAYMENT.substitute(
        pidx=escape(payment.pidx),
        name=escape(payment.purchase_order_name),
        shop=escape(payment.shop),
        order=escape(payment.purchase_order_id),
        at=payment.created_at.astimezone(KATHMANDU).strftime("%d %b %H:%M"),
        amount=npr(Paisa(payment.amount)),
        status=badge(payment.state),
        transaction=f"<span>transaction <code>{escape(number)}</code></span>" if number else "",
        refunded=f"<span>{npr(Paisa(payment.refunded))} refunded</span>" if payment.refunded else "",
        buttons="".join(buttons),
        refund=_refund(payment) if payment.refundable else "",
        callback=_callback(service, payment),
        links=_links(service, payment),
    )


def _button(pidx: str, verb: str, label: str) -> str:
    return (
        f'<form method="post" action="/panel/"><input type="hidden" name="pidx" value="{escape(pidx)}">'
        f'<button class="button tiny" name="do" value="{verb}">{label}</button></form>'
    )


def _refund(payment: Payment) -> str:
    refundable = npr(Paisa(payment.refundable))
    return (
        f'<form method="post" action="/panel/" class="row"><input type="hidden" name="pidx" value="{payment.pidx}">'
        f'<label class="inline">Rupees <input name="rupees" inputmode="decimal" placeholder="all of {refundable}">'
        "</label>"
        '<button class="button tiny" name="do" value="refund">Refund in Khalti’s dashboard</button></form>'
    )


def _callback(service: KhaltiService, payment: Payment) -> str:
    chosen = payment.plan.value if payment.plan else ""
    choices = {
        "": f"as the switch ({service.switches.callback})",
        **{plan.value: label for plan, label in _PLANS.items()},
    }
    return (
        f'<form method="post" action="/panel/" class="row"><input type="hidden" name="pidx" value="{payment.pidx}">'
        f'<label class="inline">Callback <select name="plan">{_options(choices, chosen)}</select></label>'
        '<button class="button tiny plain" name="do" value="callback">Set</button></form>'
    )


def _links(service: KhaltiService, payment: Payment) -> str:
    links = [link(f"/?pidx={payment.pidx}", "Payment page", "text")]
    urls = service.return_urls(payment.pidx)
    if urls and payment.state is not State.INITIATED:
        links.append(link(urls[0], "Open the return URL", "text"))
    return "".join(links)


def _armed(service: KhaltiService) -> str:
    faults = service.faults.armed()
    if not faults:
        return '<p class="small">No faults armed.</p>'
    lines = "".join(f"<li>{escape(describe(fault))}</li>" for fault in faults)
    clear = '<button class="button tiny plain" name="do" value="clear-faults">Clear all</button>'
    return f'<ul class="armed">{lines}</ul><form method="post" action="/panel/">{clear}</form>'


def _options(choices: dict[str, str] | dict[CallbackPlan, str], chosen: str = "") -> str:
    return "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(label)}</option>'
        for value, label in choices.items()
    )
