"""One call to an unknown server: pinned to one address, short, and with little read of what comes back."""

import datetime
import socket
import ssl
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from payments.outbound import sending
from payments.outbound.sending import Answer, NotAnswered, post
from payments.outbound.targets import read_target
from tests.payments.receiving import ShopServer, shop_server


@pytest.fixture
def server() -> Iterator[ShopServer]:
    with shop_server() as running:
        yield running


def send(url: str, *, allow_loopback: bool = True, **changes: object) -> Answer:
    """POST a little to this address."""
    return post(
        read_target(url, allow_loopback=True),
        body=b'{"news": "\xc3\xa9"}',
        headers={"webhook-id": "m-1"},
        allow_loopback=allow_loopback,
        **changes,  # type: ignore[arg-type]
    )


def test_a_call_arrives_whole(server: ShopServer) -> None:
    assert send(server.url + "?shop=7").status == 204
    (request,) = server.received
    assert (request.path, request.body.decode()) == ("/hooks?shop=7", '{"news": "é"}')
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == "m-1"


@pytest.mark.parametrize("status", [200, 201, 400, 404, 410, 429, 500, 503])
def test_every_status_is_an_answer(server: ShopServer, status: int) -> None:
    server.always = status
    assert send(server.url).status == status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: ShopServer, status: int) -> None:
    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Location", f"http://127.0.0.1:{server.port}/secret")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.always = elsewhere
    assert send(server.url).status == status
    assert [request.path for request in server.received] == ["/hooks"]


def test_retry_after_is_read_in_seconds_only(server: ShopServer) -> None:
    def busy(text: str) -> None:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(503)
            handler.send_header("Retry-After", text)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        server.answers.append(answer)

    for text, seconds in {
        "120": 120.0,
        "Fri, 20 Nov 2026 10:00:00 GMT": None,
        "-5": None,
        "1e9": None,
    }.items():
        busy(text)
        assert send(server.url).retry_after_seconds == seconds


def test_a_huge_answer_is_left_unread(server: ShopServer) -> None:
    sent: list[int] = []

    def flood(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(2000):
            sent.append(handler.wfile.write(b"x" * 100_000))

    server.always = flood
    assert send(server.url).status == 200
    assert sum(sent) < 100_000_000


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20_000,
        b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 200_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"220 mail.example.com ESMTP\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 20000 OK\r\n\r\n",
        b"\x16\x03\x01\x00\xff",
        b"",
    ],
)
def test_what_is_no_answer_is_none(server: ShopServer, raw: bytes) -> None:
    server.always = lambda handler: handler.wfile.write(raw)  # type: ignore[assignment]
    with pytest.raises(NotAnswered) as caught:
        send(server.url)
    assert caught.value.error_class == "no_answer"


def test_a_body_that_breaks_off_does_not_undo_the_status(server: ShopServer) -> None:
    def broken(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")

    server.always = broken
    assert send(server.url).status == 200


@pytest.mark.parametrize(
    "raw", [b"H", b"HTTP/1.1 200 OK\r\nX: y\r\n"], ids=["within the status line", "within the headers"]
)
def test_a_server_that_drips_is_left_after_the_total_time(
    server: ShopServer, monkeypatch: pytest.MonkeyPatch, raw: bytes
) -> None:
    """Each byte comes well within the time-out of a read, so only the deadline of the whole can end it."""
    monkeypatch.setattr(sending, "TOTAL_SECONDS", 0.6)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(raw)
        for _ in range(100):
            handler.wfile.write(b"x")
            time.sleep(0.05)

    server.always = drip
    started = time.monotonic()
    with pytest.raises(NotAnswered) as caught:
        send(server.url)
    assert caught.value.error_class == "timeout"
    assert 0.5 < time.monotonic() - started < 2


def test_a_server_that_says_nothing_is_left(server: ShopServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "READ_SECONDS", 0.2)
    server.always = lambda handler: time.sleep(3)
    with pytest.raises(NotAnswered) as caught:
        send(server.url)
    assert caught.value.error_class == "timeout"


def test_nobody_listening_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with pytest.raises(NotAnswered) as caught:
        send(f"http://127.0.0.1:{port}/")
    assert caught.value.error_class == "no_connection"


def test_a_name_is_resolved_once_and_connected_where_it_was_checked(server: ShopServer) -> None:
    """DNS rebinding: whoever asked a second time would be told something else."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"]])
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    assert send(f"http://localhost:{server.port}/hooks", resolver=rebinding).status == 204
    assert asked == ["localhost"]
    assert server.received[0].headers["host"] == f"localhost:{server.port}"


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::ffff:169.254.169.254"],
        ["64:ff9b::a9fe:a9fe"],
        ["2002:a9fe:a9fe::"],
        ["fe80::1%2"],
        ["93.184.215.14", "10.0.0.1"],
        ["127.0.0.1"],
    ],
)
def test_a_name_with_one_address_inside_is_never_called(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("it was called"))
    with pytest.raises(NotAnswered) as caught:
        send("https://shop.example.com/", allow_loopback=False, resolver=lambda host, port: addresses)
    assert caught.value.error_class == "address_refused"


def test_loopback_is_refused_when_the_setting_was_taken_away(server: ShopServer) -> None:
    with pytest.raises(NotAnswered) as caught:
        send(server.url, allow_loopback=False)
    assert caught.value.error_class == "address_refused"
    assert server.received == []


def test_a_name_without_an_address_is_not_found() -> None:
    with pytest.raises(NotAnswered) as caught:
        send("https://shop.example.com/", resolver=lambda host, port: [])
    assert caught.value.error_class == "name_not_found"


def test_a_resolver_that_hangs_costs_its_own_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "RESOLVE_SECONDS", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(2))
    started = time.monotonic()
    with pytest.raises(NotAnswered) as caught:
        sending.look_up("shop.example.com", 443)
    assert caught.value.error_class == "name_not_found"
    assert time.monotonic() - started < 1


def test_the_systems_resolver_knows_this_machine() -> None:
    assert "127.0.0.1" in sending.look_up("localhost", 80)


class Authority:
    """A certificate authority of a test, and a server's context with a certificate for one name."""

    def __init__(self, folder: Path, name: str) -> None:
        self.ca_path, chain_path = folder / "ca.pem", folder / "server.pem"
        key, ca = ec.generate_private_key(ec.SECP256R1()), self._name("Test authority")
        ca_certificate = self._sign(ca, ca, key, key, x509.BasicConstraints(ca=True, path_length=None))
        server_key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        certificate = self._sign(self._name(name), ca, server_key, key, names)
        self.ca_path.write_bytes(ca_certificate.public_bytes(serialization.Encoding.PEM))
        chain_path.write_bytes(
            server_key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        self.server_names: list[str | None] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain_path)
        self.context.sni_callback = lambda connected, name, context: self.server_names.append(name)

    def _name(self, text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def _sign(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        signer: ec.EllipticCurvePrivateKey,
        extension: x509.ExtensionType,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
        )
        return builder.add_extension(extension, critical=False).sign(signer, hashes.SHA256())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "localhost")


def test_tls_proves_the_name_although_the_connection_goes_to_an_address(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting = ssl.create_default_context(cafile=str(authority.ca_path))
    monkeypatch.setattr(sending, "tls_context", lambda: trusting)
    with shop_server(authority.context) as server:
        url = f"https://localhost:{server.port}/hooks"
        assert send(url, resolver=lambda host, port: ["127.0.0.1"]).status == 204
        assert server.received[0].headers["host"] == f"localhost:{server.port}"
        assert authority.server_names == ["localhost"]
        with pytest.raises(NotAnswered) as caught:  # The certificate is for the name, not for the address.
            send(server.url)
    assert caught.value.error_class == "tls"


def test_a_certificate_of_an_unknown_authority_is_refused(authority: Authority) -> None:
    with shop_server(authority.context) as server, pytest.raises(NotAnswered) as caught:
        send(f"https://localhost:{server.port}/hooks", resolver=lambda host, port: ["127.0.0.1"])
    assert caught.value.error_class == "tls"
    assert server.received == []


def test_a_public_name_is_connected_at_its_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(NotAnswered):
        send(
            "https://shop.example.com:8443/", resolver=lambda host, port: ["93.184.215.14", "2606:4700::1111"]
        )
    assert called == [("93.184.215.14", 8443), ("2606:4700::1111", 8443)]
    assert all(ip_address(address).is_global for address, _ in called)
