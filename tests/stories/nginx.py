"""Nginx with the files of docs/production, in front of one store or of several."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.stories.browser_session import BrowserSession
from tests.stories.running_store import ROOT, Store, free_port

PROGRAM = shutil.which("nginx")
MISSING = "no nginx here: apt-get install nginx"
PRODUCTION = ROOT / "docs" / "production"


class Nginx:
    """Nginx with the files of docs/production, on ports of its own and with a certificate of its own."""

    def __init__(self, stores: Sequence[Store], folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        write_certificate(folder)
        places = {
            "listen 80;": f"listen 127.0.0.1:{free_port()};",
            "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
            "server 127.0.0.1:8000;": " ".join(f"server {store.address}:{store.port};" for store in stores),
            "server_tokens off;": "server_tokens off; add_header X-Machine $upstream_addr always;",
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
