"""A load generator that costs little: plain sockets, requests made beforehand, one process per few connections."""

import multiprocessing
import socket
import time
from collections.abc import Callable, Sequence


def post(path: str, body: bytes, *, headers: str = "") -> bytes:
    """The bytes of one POST that keeps its connection open."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{headers}\r\n"
    ).encode() + body


def requests_per_second(
    port: int, make: Callable[[int], bytes], *, total: int, connections: int, expect: int
) -> float:
    """Send `total` requests over `connections` connections and say how many were answered in a second.

    Raises:
        AssertionError: an answer had another status than expected.
    """
    context = multiprocessing.get_context("fork")
    ready, start = context.Barrier(connections + 1), context.Event()
    failed = context.Queue()
    share = total // connections
    workers = [
        context.Process(
            target=_send,
            args=(port, [make(n * share + i) for i in range(share)], expect, ready, start, failed),
        )
        for n in range(connections)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    began = time.perf_counter()
    start.set()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - began
    assert failed.empty(), failed.get()
    return share * connections / seconds


def _send(port: int, requests: Sequence[bytes], expect: int, ready, start, failed) -> None:  # type: ignore[no-untyped-def]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ready.wait()
        start.wait()
        for request in requests:
            connection.sendall(request)
            answer = connection.recv(65_536)
            while b"\r\n\r\n" not in answer:
                answer += connection.recv(65_536)
            head, _, body = answer.partition(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            while len(body) < length:
                body += connection.recv(65_536)
            if int(head.split(b" ", 2)[1]) != expect:
                failed.put(answer[:2000].decode(errors="replace"))
                return
