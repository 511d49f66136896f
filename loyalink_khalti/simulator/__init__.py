"""Khalti in miniature: the protocol of ``epayment``, served for real, with a page to pay on. No money moves.

Alone, beside any shop that has its ``KHALTI_BASE_URL``::

    python -m loyalink_khalti.simulator --port 9911
    # KHALTI_BASE_URL=http://127.0.0.1:9911/api/v2/, any secret key; what goes wrong is chosen at /panel/

In a test, as an object that is also a server::

    with Simulator() as khalti:
        shop.pay_at(khalti.base_url)                     # initiate comes in over HTTP
        khalti.fault("503", where="lookup", times=2)     # kinds: simulator.faults
        khalti.pay(pidx)                                 # or cancel, pend, complete, fail, expire, refund
        browser.get(khalti.return_urls(pidx)[0])
        assert khalti.calls.count(("lookup", pidx)) == 3

The fixture ``khalti_simulator`` of ``loyalink_khalti.testing`` is just that.

From another program, over HTTP: ``POST /panel/api/<verb>`` with a JSON object (``simulator.panel_api``)::

    curl -d '{"pidx": "…"}' http://127.0.0.1:9911/panel/api/pay
    curl -d '{"kind": "hang", "where": "lookup", "seconds": 20}' http://127.0.0.1:9911/panel/api/fault

A payer signs in with Khalti ID 9800000000 to 9800000005, MPIN 1111 and OTP 987654. Payments belong to the key that
opened them. The simulator answers; it never calls the shop, just as Khalti does not.
"""

from .desk import Call, Switches
from .faults import Fault
from .payment import NotPossible, Payment, Plan, State
from .server import Simulator

__all__ = ["Call", "Fault", "NotPossible", "Payment", "Plan", "Simulator", "State", "Switches"]
