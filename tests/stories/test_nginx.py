"""The example of docs/production, with the real nginx in front of gunicorn (D5)."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.db import close_old_connections

from loyalink_khalti.payments.models import Purchase
from tests.stories.browser_session import BrowserSession
from tests.stories.endless import ENDLESS, processor_seconds, send_endless_line
from tests.stories.ordering import order
from tests.stories.running_store import ROOT, Store, free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not shutil.which("nginx"), reason="no nginx here: apt-get install nginx"),
]

PRODUCTION = ROOT / "docs" / "production"
SLOW_CLIENTS = 40


class Nginx:
    """Nginx with the files of docs/production, on ports of its own and with a certificate of its own."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        write_certificate(folder)
        places = {
            "listen 80;": f"listen 127.0.0.1:{free_port()};",
            "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
            "127.0.0.1:8000": f"127.0.0.1:{store.port}",
            "shop.example;": "127.0.0.1;",
            "/etc/ssl/shop.example/": f"{folder}/",
            "/var/log/nginx/": f"{folder}/",
            "/etc/nginx/": f"{folder}/",
            "/srv/shop/static/": f"{folder}/static/",
        }
        for name in ("nginx.conf", "shop_proxy.conf"):
            text = (PRODUCTION / name).read_text()
            for written, here in places.items():
                text = text.replace(written, here)
            (folder / name).write_text(text)
        temporary = "".join(
            f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "main.conf").write_text(
            f"daemon off; pid {folder}/pid; error_log {folder}/error.log crit; worker_processes 1;"
            f" events {{ worker_connections 1024; }} http {{ {temporary} include {folder}/nginx.conf; }}"
        )

    def start(self) -> None:
        command = [
            "nginx",
            "-e",
            f"{self.folder}/error.log",
            "-p",
            str(self.folder),
            "-c",
            str(self.folder / "main.conf"),
        ]
        subprocess.run([*command, "-t"], check=True, capture_output=True)
        self.process = subprocess.Popen(command)
        while not answers(self.port):
            assert self.process.poll() is None, (self.folder / "error.log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    def browser(self) -> BrowserSession:
        session = BrowserSession(self.url)
        session.session.verify = False
        return session

    def connect(self) -> ssl.SSLSocket:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), timeout=30))

    def log(self) -> str:
        return (self.folder / "shop.log").read_text()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def write_certificate(folder: Path) -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "privkey.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))


@pytest.fixture(scope="module")
def nginx(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    nginx = Nginx(store, tmp_path_factory.mktemp("nginx"))
    store.restart(
        workers=1,
        threads=4,
        TRUSTED_PROXIES="1",
        SITE_URL=nginx.url,
        GUNICORN_CMD_ARGS=f"--config {PRODUCTION / 'gunicorn.conf.py'}",
    )
    nginx.start()
    yield nginx
    nginx.stop()


@pytest.fixture(autouse=True)
def _no_warnings_about_the_certificate() -> None:
    requests.packages.urllib3.disable_warnings()  # type: ignore[attr-defined]


def last_network() -> str:
    close_old_connections()
    return Purchase.objects.latest("pk").network


def test_a_purchase_behind_nginx_ends_on_the_thank_you_page_and_no_log_has_the_query(
    store: Store, nginx: Nginx
) -> None:
    """D5"""
    guest = nginx.browser()
    back = guest.pay(order(guest, email="behind@example.com").url, follow=False).url
    assert back.startswith(nginx.url)

    page = guest.open(back + "&mobile=98XXXXX007&purchase_order_name=" + "%E0%A4%B8" * 700)

    assert (page.status, "Thank" in page.visible_text) == (200, True)
    for log in (nginx.log(), store.log()):
        assert "/khalti/return/" in log
        assert "98XXXXX007" not in log


def test_an_address_that_the_client_writes_is_replaced(store: Store, nginx: Nginx) -> None:
    """D1: one client on many pretended networks is one."""
    networks = set()
    for number in range(2):
        guest = nginx.browser()
        guest.session.headers["X-Forwarded-For"] = f"203.0.{number}.7, 198.51.{number}.7"
        order(guest, "cod", email=f"pretends{number}@example.com")
        networks.add(last_network())

    assert len(networks) == 1
    assert networks != {""}


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /shop/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /shop/basket/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\nabc",
    ],
    ids=["header", "body"],
)
def test_clients_that_never_finish_their_request_hold_no_thread_of_the_shop(nginx: Nginx, sent: bytes) -> None:
    """D5: Ten times as many as gunicorn has threads."""
    with ExitStack() as stack:
        for _client in range(SLOW_CLIENTS):
            stack.enter_context(nginx.connect()).sendall(sent)
        started = time.monotonic()
        answer = requests.get(f"{nginx.url}/healthz", verify=False, timeout=30)

    assert answer.status_code == 200
    assert time.monotonic() - started < 2


def test_an_endless_request_line_is_refused_by_both_at_little_cost(store: Store, nginx: Nginx) -> None:
    """D5"""
    before = processor_seconds(store)
    with nginx.connect() as client:
        client.sendall(b"GET /" + b"a" * 20_000)
        refused = client.recv(100)

    assert b" 414 " in refused
    assert send_endless_line(store.port) < ENDLESS
    assert processor_seconds(store) - before < 1


def test_more_orders_at_once_than_one_network_may_place_are_answered_with_429(store: Store, nginx: Nginx) -> None:
    """D5"""

    def place(_click: int) -> int:
        url = f"{nginx.url}/shop/checkout/preview/"
        return requests.post(url, data={"action": "place_order"}, verify=False, timeout=60).status_code

    with ThreadPoolExecutor(20) as clicks:
        statuses = list(clicks.map(place, range(80)))
    page = requests.get(f"{nginx.url}/shop/catalogue/", verify=False, timeout=60)

    assert statuses.count(429) >= 20
    assert page.status_code == 200
