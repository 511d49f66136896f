"""Client loops without a database: initiate and lookup; ours against nepal-gateways, and a floor of ``http.client``.

    python3.12 -m benchmarks.clients [--rounds 20] [--calls 100] [--profile]

Each contender keeps its connection open and talks to the same stand-in without latency. The floor sends the same two
requests by ``http.client`` and parses the answers, and checks nothing.
"""

import argparse
import cProfile
import http.client
import itertools
import json
import logging
import pstats
import time
from collections.abc import Callable
from typing import Any

from benchmarks import bootstrap
from benchmarks.figures import Taken, in_turn, ratio, speed_ratio, table

KEY = "live_secret_key_5a7a5ba717a710e75700000000000de0"
SITE = "http://127.0.0.1:8000"
OURS, PEER, FLOOR = "ours", "nepal-gateways 0.2.0", "http.client"
_SERIAL = itertools.count(1)


def ours(base_url: str) -> Callable[[], None]:
    """Return a loop of our client, as the settings make it: with breaker, bound on calls at once and deadline."""
    from loyalink_khalti.khalti.circuit_breaker import ConcurrencyLimit
    from loyalink_khalti.khalti.client import Khalti
    from loyalink_khalti.khalti.credentials import Secret
    from loyalink_khalti.khalti.wire import Initiate, Status
    from loyalink_khalti.money import Paisa

    client = Khalti(base_url=base_url, secret=Secret(KEY), concurrency_limit=ConcurrencyLimit(50), slot_timeout=1)

    def loop() -> None:
        number = next(_SERIAL)
        request = Initiate(
            return_url=f"{SITE}/return/{number}/",
            website_url=SITE,
            amount=Paisa(250_000),
            purchase_order_id=f"order-{number}",
            purchase_order_name="Fountain pen",
            name="Sita",
            email="sita@example.com",
            phone="9800000001",
        )
        opened = client.initiate(request)
        answer = client.lookup(opened.pidx)
        assert answer.status is Status.COMPLETED
        assert answer.total_amount == 250_000

    return loop


def nepal_gateways(base_url: str) -> Callable[[], None]:
    """Return a loop of the peer."""
    from nepal_gateways import KhaltiClient

    logging.getLogger("nepal_gateways").setLevel(logging.ERROR)
    client = KhaltiClient(
        {"live_secret_key": KEY, "return_url_config": f"{SITE}/return/", "website_url_config": SITE, "mode": "sandbox"}
    )
    client.initiation_endpoint = f"{base_url}epayment/initiate/"
    client.lookup_endpoint = f"{base_url}epayment/lookup/"

    def loop() -> None:
        number = next(_SERIAL)
        opened = client.initiate_payment(
            amount=250_000,
            order_id=f"order-{number}",
            description="Fountain pen",
            success_url=f"{SITE}/return/{number}/",
            customer_info={"name": "Sita", "email": "sita@example.com", "phone": "9800000001"},
        )
        answer = client.verify_payment({"pidx": opened.payment_instructions["pidx"], "status": "Completed"})
        assert answer.is_successful
        assert answer.verified_amount == 250_000

    return loop


def floor(port: int) -> Callable[[], None]:
    """Return the same two requests without any client."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Authorization": f"Key {KEY}", "Content-Type": "application/json"}

    def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        connection.request("POST", f"/api/v2/epayment/{path}/", json.dumps(body), headers)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer

    def loop() -> None:
        number = next(_SERIAL)
        opened = post(
            "initiate",
            {
                "return_url": f"{SITE}/return/{number}/",
                "website_url": SITE,
                "amount": 250_000,
                "purchase_order_id": f"order-{number}",
                "purchase_order_name": "Fountain pen",
                "customer_info": {"name": "Sita", "email": "sita@example.com", "phone": "9800000001"},
            },
        )
        assert post("lookup", {"pidx": opened["pidx"]})["status"] == "Completed"

    return loop


def report(taken: dict[str, Taken]) -> str:
    """Return the table of client loops."""
    mine, peer, least = taken[OURS], taken[PEER], taken[FLOOR]
    rows = [
        ["loops: ours ÷ nepal-gateways 0.2.0", speed_ratio(mine, peer), ratio(mine.cpu, peer.cpu)],
        ["loops: ours ÷ http.client (floor)", speed_ratio(mine, least), ratio(mine.cpu, least.cpu)],
        ["loops: nepal-gateways ÷ http.client", speed_ratio(peer, least), ratio(peer.cpu, least.cpu)],
    ]
    return table(["client", "loops/s, ratio", "CPU per loop, ratio"], rows)


def measure(khalti: Any, *, rounds: int, calls: int) -> str:
    """Run the three in turn and return the table."""
    works = {OURS: ours(khalti.base_url), PEER: nepal_gateways(khalti.base_url), FLOOR: floor(khalti.port)}
    in_turn(works, rounds=1, calls=calls)
    return report(in_turn(works, rounds=rounds, calls=calls))


def run(chosen: argparse.Namespace) -> int:
    from benchmarks import servers

    with servers.khalti_stub() as khalti:
        if chosen.profile:
            loop = ours(khalti.base_url)
            loop()
            with cProfile.Profile(time.process_time) as profiler:
                for _ in range(chosen.calls):
                    loop()
            pstats.Stats(profiler).sort_stats("tottime").print_stats(60)
        else:
            print(measure(khalti, rounds=chosen.rounds, calls=chosen.calls))
    return 0


def prepare() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3.12 -m benchmarks.clients", description="Client loops.")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=100, help="loops of each contender in a round")
    parser.add_argument("--profile", action="store_true", help="print the profile of ours instead")
    return parser.parse_args()


if __name__ == "__main__":
    bootstrap.main("benchmarks.clients", prepare, run)
