"""The tester's panel: what there is, and a button for everything that can happen to it."""

from decimal import Decimal, InvalidOperation
from html import escape
from string import Template

from loyalink_khalti.money import Paisa, npr, paisa

from .desk import Desk
from .faults import ENDPOINTS, KINDS, describe, read_fault
from .look import chip, link, page
from .payment import KATHMANDU, NotPossible, Payment, Plan, State
from .web import Request, Response

SHOWN = 100

_PLANS = {
    Plan.NORMAL: "as usual",
    Plan.DROP: "dropped: the browser is closed",
    Plan.DOUBLE: "doubled",
    Plan.SERVER: "server redirect, “/?” glued on",
    Plan.FORGED: "forged parameters",
    Plan.BARE: "without a pidx",
}
_BUTTONS = {
    "complete": ("Complete", (State.INITIATED, State.PENDING, State.FAILED, State.EXPIRED, State.CANCELED)),
    "pend": ("Leave pending", (State.INITIATED,)),
    "fail": ("Fail", (State.INITIATED, State.PENDING)),
    "expire": ("Expire", (State.INITIATED, State.PENDING)),
    "cancel": ("Cancel", (State.INITIATED, State.PENDING)),
}

_PAYMENT = Template("""<article class="payment" id="p-$pidx">
<header><div><h3>$name</h3><p class="small">$shop · $order · $at</p></div>
<div class="sum"><strong>$amount</strong>$chip</div></header>
<p class="small ids"><span>pidx <code>$pidx</code></span>$transaction$refunded</p>
<div class="row">$buttons</div>
$refund
<div class="row">$callback<span class="row">$links</span></div>
</article>""")

_PANEL = Template("""<div class="panel-head"><h1>Tester’s panel</h1><p>Everything that a payer, Khalti’s staff or a \
bad day could do. Machines drive it too: <code>POST /panel/api/…</code></p></div>
$problem
<div class="desk">
<section><h2>Payments <small>$count</small></h2>
$payments
</section>
<div class="side">
<section class="card"><h2>Faults at the API</h2>
$armed
<form method="post" action="/panel/" class="stack">
<label>What goes wrong <select name="kind">$kinds</select></label>
<label>Where <select name="where">$wheres</select></label>
<div class="pair"><label>Times <small>0: for ever</small> <input name="times" type="number" min="0" value="1"></label>
<label>Seconds <small>if any</small> <input name="seconds" inputmode="decimal"></label></div>
<label class="tick"><input type="checkbox" name="after" value="true"> do what was asked, lose the answer only</label>
<button class="button" name="do" value="fault">Arm</button>
</form></section>
<section class="card"><h2>Switches</h2>
<form method="post" action="/panel/" class="stack">
<label>Callbacks come <select name="callback">$callbacks</select></label>
<label>Merchant’s limit <small>rupees; empty: none</small> <input name="merchant_limit" inputmode="numeric" \
value="$limit"></label>
<label>Unknown pidx answers <select name="unknown_pidx_code">$codes</select></label>
<div class="pair"><label>Link lives <small>seconds</small> <input name="link_lifetime" inputmode="numeric" \
value="$lifetime"></label>
<label>Fee <small>percent</small> <input name="fee_percent" inputmode="decimal" value="$fee"></label></div>
<label class="tick"><input type="checkbox" name="fee_not_found" value="true"$fee_not_found> “Fee not found.”</label>
<label class="tick"><input type="checkbox" name="old_payment_urls" value="true"$old> payment_url as before 2026</label>
<button class="button" name="do" value="switch">Save</button>
</form></section>
<section class="card"><h2>Last calls</h2>$calls</section>
</div></div>""")


def answer(desk: Desk, request: Request) -> Response:
    """Show the panel, or do what one of its buttons says and show it again."""
    if request.method in {"GET", "HEAD"}:
        return _show(desk)
    if request.method != "POST":
        return Response(status=405)
    if request.from_elsewhere:
        return _show(desk, "Only the panel’s own buttons work.", 403)
    form = request.form
    try:
        _do(desk, form)
    except NotPossible as exc:
        return _show(desk, str(exc), 409)
    except LookupError as exc:
        return _show(desk, str(exc), 404)
    except ValueError as exc:
        return _show(desk, str(exc), 400)
    pidx = form.get("pidx", "")
    return Response.to(f"/panel/#p-{pidx}" if pidx.isalnum() else "/panel/", status=303)


def _do(desk: Desk, form: dict[str, str]) -> None:
    verb, pidx = form.get("do", ""), form.get("pidx", "")
    if verb in _BUTTONS:
        getattr(desk, verb)(pidx)
    elif verb == "refund":
        desk.refund(pidx, _paisa(form.get("rupees", "")))
    elif verb == "callback":
        desk.books.plan(pidx, Plan(form["plan"]) if form.get("plan") else None)
    elif verb == "fault":
        desk.faults.arm(read_fault({name: value for name, value in form.items() if name != "do"}))
    elif verb == "clear-faults":
        desk.faults.clear()
    elif verb == "switch":
        for name in ("fee_not_found", "old_payment_urls"):  # an empty box is not sent
            desk.switches.turn(name, form.get(name, "false"))
        for name in ("callback", "merchant_limit", "unknown_pidx_code", "link_lifetime", "fee_percent"):
            if name in form:
                desk.switches.turn(name, form[name])
    else:
        raise ValueError(f"There is no button {verb!r}.")


def _paisa(rupees: str) -> int | None:
    """What was typed as rupees; None for everything that is left."""
    typed = rupees.strip().removeprefix("Rs").replace(",", "").strip()
    try:
        return paisa(Decimal(typed)) if typed else None
    except (InvalidOperation, ValueError):
        raise ValueError(f"{rupees!r} is not an amount of rupees.") from None


def _show(desk: Desk, problem: str = "", status: int = 200) -> Response:
    payments = desk.books.all(SHOWN)
    switches = desk.switches
    calls = [f"<li><b>{escape(call.endpoint)}</b> <code>{escape(call.subject)}</code></li>" for call in desk.calls]
    body = _PANEL.substitute(
        problem=f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else "",
        count=f"the last {SHOWN}" if len(payments) == SHOWN else str(len(payments)),
        payments="\n".join(_payment(desk, payment) for payment in payments)
        or '<p class="card empty">No payment yet. The first one appears here when a shop calls initiate.</p>',
        armed=_armed(desk),
        kinds=_options({kind: f"{kind}: {words}" for kind, words in KINDS.items()}),
        wheres=_options({"all": "everywhere", **{name: name for name in ENDPOINTS}}, "lookup"),
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


def _payment(desk: Desk, payment: Payment) -> str:
    buttons = [
        _button(payment.pidx, verb, words) for verb, (words, states) in _BUTTONS.items() if payment.state in states
    ]
    number = payment.transaction_id
    return _PAYMENT.substitute(
        pidx=escape(payment.pidx),
        name=escape(payment.purchase_order_name),
        shop=escape(payment.shop),
        order=escape(payment.purchase_order_id),
        at=payment.created_at.astimezone(KATHMANDU).strftime("%d %b %H:%M"),
        amount=npr(Paisa(payment.amount)),
        chip=chip(payment.state),
        transaction=f"<span>transaction <code>{escape(number)}</code></span>" if number else "",
        refunded=f"<span>{npr(Paisa(payment.refunded))} refunded</span>" if payment.refunded else "",
        buttons="".join(buttons),
        refund=_refund(payment) if payment.left else "",
        callback=_callback(desk, payment),
        links=_links(desk, payment),
    )


def _button(pidx: str, verb: str, words: str) -> str:
    return (
        f'<form method="post" action="/panel/"><input type="hidden" name="pidx" value="{escape(pidx)}">'
        f'<button class="button tiny" name="do" value="{verb}">{words}</button></form>'
    )


def _refund(payment: Payment) -> str:
    left = npr(Paisa(payment.left))
    return (
        f'<form method="post" action="/panel/" class="row"><input type="hidden" name="pidx" value="{payment.pidx}">'
        f'<label class="inline">Rupees <input name="rupees" inputmode="decimal" placeholder="all of {left}"></label>'
        '<button class="button tiny" name="do" value="refund">Refund in Khalti’s dashboard</button></form>'
    )


def _callback(desk: Desk, payment: Payment) -> str:
    chosen = payment.plan.value if payment.plan else ""
    choices = {
        "": f"as the switch says ({desk.switches.callback})",
        **{plan.value: words for plan, words in _PLANS.items()},
    }
    return (
        f'<form method="post" action="/panel/" class="row"><input type="hidden" name="pidx" value="{payment.pidx}">'
        f'<label class="inline">Callback <select name="plan">{_options(choices, chosen)}</select></label>'
        '<button class="button tiny plain" name="do" value="callback">Set</button></form>'
    )


def _links(desk: Desk, payment: Payment) -> str:
    links = [link(f"/?pidx={payment.pidx}", "Payment page", "text")]
    urls = desk.return_urls(payment.pidx)
    if urls and payment.state is not State.INITIATED:
        links.append(link(urls[0], "Send the browser back", "text"))
    return "".join(links)


def _armed(desk: Desk) -> str:
    faults = desk.faults.armed()
    if not faults:
        return '<p class="small">None is armed.</p>'
    lines = "".join(f"<li>{escape(describe(fault))}</li>" for fault in faults)
    clear = '<button class="button tiny plain" name="do" value="clear-faults">Clear all</button>'
    return f'<ul class="armed">{lines}</ul><form method="post" action="/panel/">{clear}</form>'


def _options(choices: dict[str, str] | dict[Plan, str], chosen: str = "") -> str:
    return "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(words)}</option>'
        for value, words in choices.items()
    )
