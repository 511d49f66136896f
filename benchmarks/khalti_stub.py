"""A stand-in for Khalti that costs next to nothing, in a process of its own: it prints its port and serves.

The simulator checks requests and keeps books, which would cost the measured programs their processor. This one opens
every payment and answers every lookup with the status and after the time that ``POST /control`` has set::

    {"status": "Completed", "latency": 0.2}      latency in seconds; "hang": true never answers

It returns the lookups and the addresses to return to since it was called last.
"""

import asyncio
import itertools
import json
import sys
from typing import Any

IDS = itertools.count(1)


class Stub:
    """What all connections share."""

    def __init__(self) -> None:
        self.amounts: dict[str, int] = {}
        self.status, self.latency, self.hang = "Completed", 0.0, False
        self.lookups = 0
        self.return_urls: list[str] = []

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path == "/control":
            self.status = body.get("status", self.status)
            self.latency = body.get("latency", self.latency)
            self.hang = body.get("hang", self.hang)
            seen = {"lookups": self.lookups, "return_urls": self.return_urls}
            self.lookups, self.return_urls = 0, []
            return seen
        if path.endswith("/initiate/"):
            pidx = f"Stub{next(IDS):018d}"
            self.amounts[pidx] = body["amount"]
            self.return_urls.append(body["return_url"])
            url = f"https://test-pay.khalti.com/?pidx={pidx}"
            return {"pidx": pidx, "payment_url": url, "expires_at": "2099-01-01T00:00:00+05:45", "expires_in": 1800}
        self.lookups += 1
        pidx = body["pidx"]
        is_paid = self.status == "Completed"
        return {
            "pidx": pidx,
            # A generated row has its amount in its pidx, so that the stub knows it without having opened it.
            "total_amount": self.amounts.get(pidx) or int(pidx.partition("-")[2] or 0),
            "status": self.status,
            "transaction_id": f"T{pidx}" if is_paid else None,
            "fee": 0,
            "refunded": False,
        }


class Connection(asyncio.Protocol):
    """One kept-alive HTTP/1.1 connection; requests have a Content-Length."""

    def __init__(self, stub: Stub) -> None:
        self._stub, self._received = stub, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        lines = head.decode("latin-1").split("\r\n")
        lengths = [int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:")]
        length = lengths[0] if lengths else 0
        if len(rest) < length:
            return
        self._received = rest[length:]
        path = lines[0].split(" ")[1]
        answer = self._stub.answer(path, json.loads(rest[:length] or b"{}"))
        if path == "/control":
            self._send(answer)
        elif not self._stub.hang:
            if self._stub.latency:
                asyncio.get_running_loop().call_later(self._stub.latency, self._send, answer)
            else:
                self._send(answer)

    def _send(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


async def serve() -> None:
    stub = Stub()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(stub), "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(serve())
    except KeyboardInterrupt:
        sys.exit(0)
