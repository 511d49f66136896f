"""The secret key goes only to a server with a valid certificate and a current TLS version."""

import datetime
import ipaddress
import ssl
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from loyalink_khalti.errors import KhaltiUnreachable
from loyalink_khalti.khalti import Khalti, Status, Transport

from .behaviours import PENDING, drips_a_header, in_time, stays
from .test_client import PIDX


def make_certificate(path, *, host="127.0.0.1", expired=False):
    """Write a self-signed certificate and its key into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - 3 * day)
        .not_valid_after(now - day if expired else now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(pem)
    )
    return path


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate for 127.0.0.1."""
    return make_certificate(tmp_path / "server.pem")


def over_tls(behaviour, certificate):
    """Return the behaviour over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(peer, conn, number):
        with context.wrap_socket(conn, server_side=True) as wrapped:
            behaviour(peer, wrapped, number)
            peer.hold(wrapped)

    return serve


def test_a_server_without_a_valid_certificate_never_receives_the_key(peer, secret, certificate, monkeypatch):
    """C23: no environment variable changes this."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(certificate))
    self_signed = peer(over_tls(stays, certificate))

    with pytest.raises(KhaltiUnreachable, match="SSLCertVerificationError"):
        Khalti(base_url=self_signed.url.replace("http:", "https:"), secret=secret).lookup(PIDX)

    assert self_signed.requests == []


@pytest.fixture
def trusted(certificate, monkeypatch):
    """Trust the test's certificate as if an authority had issued it."""
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    return certificate


@pytest.mark.parametrize("wrong", [{"host": "127.0.0.2"}, {"expired": True}], ids=["another host", "expired"])
def test_a_certificate_for_another_host_or_an_expired_one_is_refused(wrong, peer, secret, tmp_path, monkeypatch):
    """C23: its authority is trusted; its host name or its time is wrong."""
    made = make_certificate(tmp_path / "wrong.pem", **wrong)
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(made))
    server = peer(over_tls(stays, made))

    with pytest.raises(KhaltiUnreachable, match=r"SSLCertVerificationError|CertificateError"):
        Khalti(base_url=server.url.replace("http:", "https:"), secret=secret).lookup(PIDX)

    assert server.requests == []


def test_a_server_with_only_an_old_tls_version_is_refused(peer, secret, trusted):
    """C23: TLS 1.1 and older."""

    def serves_old_tls(peer, conn, number):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.load_cert_chain(trusted)
        with context.wrap_socket(conn, server_side=True) as wrapped:
            stays(peer, wrapped, number)

    server = peer(serves_old_tls)

    with pytest.raises(KhaltiUnreachable, match="SSL"):
        Khalti(base_url=server.url.replace("http:", "https:"), secret=secret).lookup(PIDX)

    assert server.requests == []


def test_over_tls_a_connection_is_reused_and_a_dripping_response_ends_at_the_deadline(peer, secret, trusted):
    """C04."""

    def answers_once(peer, conn, number):
        peer.read(conn)
        conn.sendall(PENDING)
        drips_a_header(peer, conn, number)

    slow = peer(over_tls(answers_once, trusted))
    khalti = Khalti(base_url=slow.url.replace("http:", "https:"), secret=secret, transport=Transport(deadline=0.5))

    assert khalti.lookup(PIDX).status is Status.PENDING
    with in_time(), pytest.raises(KhaltiUnreachable, match="Timeout"):
        khalti.lookup(PIDX)

    assert slow.closed_by_client(1)
    assert slow.connections == 1
