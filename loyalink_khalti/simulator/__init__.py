"""A simulated Khalti: it serves Khalti's ``epayment`` protocol and a page to pay on. No money moves.

https://docs.khalti.com/khalti-epayment/ documents the protocol.

As a process of its own, for any shop that sets ``KHALTI_BASE_URL``::

    python -m loyalink_khalti.simulator --port 9911
    # KHALTI_BASE_URL=http://127.0.0.1:9911/api/v2/, any secret key; the tester's panel at /panel/ injects faults

In a test, as an object that is also a server::

    with Simulator() as khalti:
        shop.pay_at(khalti.base_url)                     # the shop calls initiate over HTTP
        khalti.fault("503", where="lookup", times=2)     # kinds: simulator.faults
        khalti.pay(pidx)                                 # or cancel, pend, complete, fail, expire, refund
        browser.get(khalti.return_urls(pidx)[0])
        assert khalti.calls.count(("lookup", pidx)) == 3

The fixtures ``khalti_simulator`` and ``khalti`` of ``loyalink_khalti.testing`` start one for each test.

From another program, over HTTP: ``POST /panel/api/<verb>`` with a JSON object (``simulator.panel_api``)::

    curl -d '{"pidx": "…"}' http://127.0.0.1:9911/panel/api/pay
    curl -d '{"kind": "hang", "where": "lookup", "seconds": 20}' http://127.0.0.1:9911/panel/api/fault

A customer signs in with Khalti ID 9800000000 to 9800000005, MPIN 1111 and OTP 987654. A payment belongs to the secret
key that opened it. The simulator never calls the shop, because Khalti has no webhook either.
"""

from .faults import Fault
from .payment import CallbackPlan, NotPossible, Payment, State
from .server import Simulator
from .service import Call, Switches

__all__ = ["Call", "CallbackPlan", "Fault", "NotPossible", "Payment", "Simulator", "State", "Switches"]
