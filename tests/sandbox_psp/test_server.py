"""The door: who may enter, what is too big or broken, and connections that stay open."""

import socket
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from tests.sandbox_psp.client import SECRET_KEY, Api


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer wrong", f"Basic {SECRET_KEY}", SECRET_KEY, "Bearer ü"]
)
def test_without_the_secret_key_nobody_enters(api: Api, given: str) -> None:
    for method, path in (("POST", "/v1/payments"), ("GET", "/v1/books"), ("POST", "/v1/control/settings")):
        answer = api.call(method, path, headers={"Authorization": given.encode("latin-1").decode("latin-1")})
        assert (answer.status, answer.error["type"]) == (401, "authentication_error")


def test_health_needs_no_key(api: Api) -> None:
    answer = api.get("/healthz", headers={"Authorization": ""})
    assert (answer.status, answer.json) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "parameter_missing"),
        (b"{", 400, "json_invalid"),
        (b"[]", 400, "json_invalid"),
        (b"null", 400, "json_invalid"),
        (b"\xff\xfe", 400, "json_invalid"),
        (b'{"amount": NaN}', 400, "json_invalid"),
        (b'{"amount": Infinity}', 400, "json_invalid"),
        (b'{"amount": 1e308}', 400, "amount_invalid"),
        (b"[" * 60_000, 400, "json_invalid"),
        (b" " * (64 * 1024 + 1), 413, "body_too_large"),
    ],
)
def test_a_broken_body_is_refused(api: Api, body: bytes, status: int, code: str) -> None:
    answer = api.call("POST", "/v1/payments", body)
    assert (answer.status, answer.error["code"]) == (status, code)


def test_unknown_paths_and_methods(api: Api) -> None:
    assert api.get("/v1/nothing").error["code"] == "path_unknown"
    answer = api.call("DELETE", "/v1/payments")
    assert (answer.status, answer.error["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, POST"
    assert api.call("PUT", "/v1/refunds/re_1").status == 405


@pytest.mark.parametrize(
    "query", ["limit=-1", "limit=1001", "after=x", "limit=%D9%A3", "after=99999999999999999999"]
)
def test_odd_queries_are_refused(api: Api, query: str) -> None:
    answer = api.get(f"/v1/events?{query}")
    assert (answer.status, answer.error["code"]) == (400, "parameter_invalid")


def test_a_connection_serves_many_requests(api: Api) -> None:
    connection = HTTPConnection("127.0.0.1", api.port, timeout=5)
    connection.connect()
    own = connection.sock
    for _ in range(20):
        connection.request("GET", "/v1/balance", headers={"Authorization": f"Bearer {SECRET_KEY}"})
        response = connection.getresponse()
        response.read()
        assert (response.status, response.version) == (200, 11)
        assert connection.sock is own
    connection.close()


def test_a_body_that_nobody_read_does_not_become_the_next_request(api: Api) -> None:
    connection = HTTPConnection("127.0.0.1", api.port, timeout=5)
    body = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 4000
    connection.request("POST", "/v1/payments", body=body, headers={"Authorization": f"Bearer {SECRET_KEY}"})
    response = connection.getresponse()
    assert response.status == 413
    assert response.getheader("Connection") == "close"
    connection.close()


@pytest.mark.parametrize(
    "text",
    [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"\x00\r\n\r\n"],
)
def test_what_is_not_http_harms_nobody(api: Api, text: bytes) -> None:
    with socket.create_connection(("127.0.0.1", api.port), timeout=5) as raw:
        raw.sendall(text)
        assert b" 4" in raw.recv(200) or text.startswith(b"nonsense")
    assert api.get("/healthz").status == 200


def test_callers_who_leave_early_harm_nobody(api: Api) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", api.port), timeout=5) as raw:
            raw.sendall(b"POST /v1/payments HTTP/1.1\r\nContent-Length: 500\r\n\r\n{")
    assert api.pay().status == 201


def test_eight_callers_at_once_lose_nothing(api: Api) -> None:
    def work(caller: int) -> set[int]:
        return {api.pay(amount=100 + caller).status for _ in range(25)}

    with ThreadPoolExecutor(8) as pool:
        assert set().union(*pool.map(work, range(8))) == {201}
    totals = api.get("/v1/charges/summary").json["totals"]["EUR"]
    assert (totals["payments"], totals["charges"]) == (200, 200)
    assert totals["amount_captured"] == sum(25 * (100 + caller) for caller in range(8))


def test_latency_is_added_to_the_api_only(api: Api) -> None:
    api.post("/v1/control/latency", {"latency_ms": 300})
    with pytest.raises(TimeoutError):
        api.get("/v1/balance", timeout=0.1)
    assert api.get("/healthz", timeout=0.25).status == 200
    assert api.post("/v1/control/latency", {"latency_ms": 0}, timeout=0.25).json["latency_ms"] == 0
