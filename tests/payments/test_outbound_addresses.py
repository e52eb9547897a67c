"""Where a shop may make us call: the public internet over https, and nothing that hides something else."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.outbound.addresses import is_allowed
from payments.outbound.targets import TargetRefused, read_target

PRIVATE = [
    "0.0.0.0",  # noqa: S104
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.1.2.3",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:53aa:64c::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "172.32.0.1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
]


@pytest.mark.parametrize("text", PRIVATE)
def test_an_address_that_is_not_public_is_refused(text: str) -> None:
    assert not is_allowed(ip_address(text), allow_loopback=False)


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_allowed(text: str) -> None:
    assert is_allowed(ip_address(text), allow_loopback=False)


@pytest.mark.parametrize("text", [*PRIVATE, *PUBLIC])
def test_the_loopback_setting_adds_this_machine_and_nothing_else(text: str) -> None:
    added = text in ("127.0.0.1", "::1")
    assert is_allowed(ip_address(text), allow_loopback=True) is (added or text in PUBLIC)


@given(st.ip_addresses())
def test_whatever_python_calls_not_global_is_refused(address: object) -> None:
    text = str(address)
    if not ip_address(text).is_global or ip_address(text).is_multicast:
        assert not is_allowed(ip_address(text), allow_loopback=False)


@pytest.mark.parametrize("text", PRIVATE)
def test_an_endpoint_at_such_an_address_is_refused_whether_bracketed_or_not(text: str) -> None:
    for host in (text, f"[{text}]"):
        with pytest.raises(TargetRefused):
            read_target(f"https://{host}/hooks", allow_loopback=False)


@pytest.mark.parametrize(
    "url",
    [
        "https://2130706433/",  # 127.0.0.1 as one number
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.1/",
        "https://0/",
        "https://0x/",
        "https://8.8.8.08/",
        "https://08.8.8.8/",
        "https://8.8.8.8./",
        "https://a.8/",
        "https://example.0x1/",
        "https://[::ffff:7f00:1]/",
        "https://[0:0:0:0:0:ffff:127.0.0.1]/",
        "https://[::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://[::1/",
        "https://::1/",
        "https://[8.8.8.8]/",
        "https://[1:2:3]/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://\u2460\u2461\u2466.0.0.1/",
        "https://127\u30020\u30020\u30021/",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://example.com@127.0.0.1/",
        "https://example.com:443@127.0.0.1/",
        "https://127.0.0.1\\@example.com/",
        "https://example.com\\.evil/",
        "https:\\\\example.com/",
        "https:/example.com/",
        "https:example.com/",
        "//example.com/",
        "example.com/hooks",
        "",
        " https://example.com/",
        "https://example.com/ ",
        "https://example.com/a b",
        "https://example.com/\r\nHost: evil",
        "https://example.com\t/",
        "https://exam\nple.com/",
        "https://example.com/\x00",
        "https://example.com/#part",
        "https://example.com?x=1",
        "https://exa_mple.com/",
        "https://-example.com/",
        "https://example-.com/",
        "https://a..b/",
        "https://.example.com/",
        "https://example.com./",
        "https://" + "a" * 64 + ".com/",
        "https://" + "a." * 130 + "com/",
        "https://example.com/" + "x" * 2000,
        "https://münchen.example/",
        "http://example.com/",
        "HTTPS://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
        "unix:///run/docker.sock",
        "https://example.com:22/",
        "https://example.com:5432/",
        "https://example.com:6379/",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:99999/",
        "https://example.com:-1/",
        "https://example.com:+443/",
        "https://example.com:/",
        "https://example.com:443:443/",
        "https://localhost:5432/",
        "https://localhost/",
        "https://redis/",
    ],
)
def test_another_notation_scheme_or_port_is_refused(url: str) -> None:
    with pytest.raises(TargetRefused):
        read_target(url, allow_loopback=False)


@pytest.mark.parametrize(
    ("url", "host", "port", "authority"),
    [
        ("https://example.com", "example.com", 443, "example.com"),
        ("https://Shop.Example.com/hooks?a=b&c=%20", "shop.example.com", 443, "shop.example.com"),
        ("https://xn--mnchen-3ya.example/", "xn--mnchen-3ya.example", 443, "xn--mnchen-3ya.example"),
        ("https://example.com:8443/", "example.com", 8443, "example.com:8443"),
        ("https://8.8.8.8/", "8.8.8.8", 443, "8.8.8.8"),
        ("https://[2606:4700::1111]:8443/", "2606:4700::1111", 8443, "[2606:4700::1111]:8443"),
    ],
)
def test_a_plain_https_address_is_read(url: str, host: str, port: int, authority: str) -> None:
    target = read_target(url, allow_loopback=False)
    assert (target.host, target.port, target.authority) == (host, port, authority)


LOOPBACK_URLS = [
    "http://127.0.0.1:9000/",
    "http://localhost:9000/x",
    "http://[::1]:9000/",
    "https://127.0.0.1:1/",
]


@pytest.mark.parametrize("url", LOOPBACK_URLS)
def test_loopback_needs_the_setting(url: str) -> None:
    assert read_target(url, allow_loopback=True).port in (9000, 1)
    with pytest.raises(TargetRefused):
        read_target(url, allow_loopback=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://10.0.0.1/",
        "https://example.com:9000/",
        "http://127.0.0.2:9000/",
        "http://127.1:9000/",
        "http://user@127.0.0.1:9000/",
        "http://localhost.example.com:9000/",
        "https://169.254.169.254/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/",
    ],
)
def test_the_setting_opens_nothing_but_loopback(url: str) -> None:
    with pytest.raises(TargetRefused):
        read_target(url, allow_loopback=True)
