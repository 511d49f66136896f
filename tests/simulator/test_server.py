"""The simulator starts, stores payments and stops, as a process and as an object."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from loyalink_khalti.simulator import NotPossible, Simulator

from .conftest import Merchant

COMMAND = [sys.executable, "-m", "loyalink_khalti.simulator"]


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command, and yield the process and its first line."""
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


def test_payments_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "payments.sqlite3"
    with Simulator(path) as sim:
        pidx = Merchant(sim).open()
        paid = sim.pay(pidx)

    with Simulator(path) as sim:
        assert sim.payments() == [paid]
        assert Merchant(sim).status(pidx) == "Completed"


def test_a_simulator_without_a_file_leaves_none_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with Simulator():
        during = list(tmp_path.iterdir())

    assert during
    assert list(tmp_path.iterdir()) == []


def test_two_simulators_are_independent(sim: Simulator, pidx: str) -> None:
    with Simulator() as other:
        assert Merchant(other).lookup(pidx).status_code == 404
        assert other.base_url != sim.base_url


def test_it_is_healthy_and_has_a_front_page(sim: Simulator) -> None:
    assert requests.get(f"{sim.url}/healthz", timeout=10).text == "ok\n"
    assert requests.get(f"{sim.url}/", timeout=10).status_code == 200
    assert requests.get(f"{sim.url}/nowhere", timeout=10).status_code == 404
    assert requests.head(f"{sim.url}/", timeout=10).content == b""


def test_a_too_large_body_is_not_read(sim: Simulator) -> None:
    with socket.create_connection(("127.0.0.1", int(sim.url.rpartition(":")[2])), timeout=10) as caller:
        caller.sendall(b"POST /api/v2/epayment/lookup/ HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")

        assert caller.recv(100).split()[1] == b"413"


def test_a_client_that_disconnects_causes_no_error(sim: Simulator, capfd: pytest.CaptureFixture[str]) -> None:
    port = int(sim.url.rpartition(":")[2])
    for data in (b"", b"POST /api/v2/epayment/lookup/ HTTP/1.1\r\nContent-Length: 50\r\n\r\n{", b"\xff\n\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as caller:
            caller.sendall(data)

    assert requests.get(f"{sim.url}/healthz", timeout=10).status_code == 200
    assert "Traceback" not in capfd.readouterr().err


def test_an_unknown_pidx_raises_lookup_error(sim: Simulator) -> None:
    with pytest.raises(LookupError):
        sim.pay("unknown")


def test_a_payment_can_be_paid_once(sim: Simulator, pidx: str) -> None:
    sim.pay(pidx)

    with pytest.raises(NotPossible, match=r"^This payment is Completed: it cannot be paid\.$"):
        sim.pay(pidx)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with started("--port", "0", "--db", str(tmp_path / "payments.sqlite3"), "--key", "k1", "--old-payment-urls") as (
        process,
        line,
    ):
        url = line.split()[2]
        accepted = requests.post(
            f"{url}epayment/initiate/",
            json={
                "return_url": "http://localhost:8000/r/",
                "website_url": "http://localhost:8000/",
                "amount": 1000,
                "purchase_order_id": "1",
                "purchase_order_name": "1",
            },
            headers={"Authorization": "Key k1"},
            timeout=10,
        )
        process.send_signal(number)
        out, err = process.communicate(timeout=10)

    assert line.startswith("Khalti simulator: http://127.0.0.1:")
    assert "/wallet/" not in accepted.json()["payment_url"]
    assert (process.returncode, out, err) == (0, "", "")


def test_a_taken_port_prints_one_sentence(sim: Simulator, tmp_path: Path) -> None:
    port = sim.url.rpartition(":")[2]

    with started("--port", port, "--db", str(tmp_path / "payments.sqlite3")) as (process, line):
        out, err = process.communicate(timeout=10)

    assert (process.returncode, line, out) == (1, "", "")
    assert f"cannot listen on 127.0.0.1:{port}" in err
    assert err.count("\n") == 1


def test_a_database_that_cannot_be_opened_prints_one_sentence(tmp_path: Path) -> None:
    with started("--port", "0", "--db", str(tmp_path / "nowhere" / "payments.sqlite3")) as (process, line):
        _, err = process.communicate(timeout=10)

    assert (process.returncode, line) == (1, "")
    assert "cannot open the database" in err
    assert err.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_simulator_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "payments.sqlite3"
    with started("--port", "0", "--db", str(path)) as (process, line):
        url = line.split()[2].removesuffix("api/v2/")
        opened = requests.post(
            f"{url}api/v2/epayment/initiate/",
            data={
                "return_url": "http://localhost/r/",
                "website_url": "http://localhost/",
                "amount": "1000",
                "purchase_order_id": "1",
                "purchase_order_name": "1",
            },
            headers={"Authorization": "Key k"},
            timeout=10,
        ).json()
        requests.post(f"{url}panel/api/pay", json={"pidx": opened["pidx"]}, timeout=10)
        process.kill()

    with Simulator(path) as sim:
        assert sim.payment(opened["pidx"]).state == "Completed"
