"""The issuer's 3-D Secure page: the cardholder approves or fails the challenge and is sent back to the shop.

A browser comes here without an API key; the challenge id in the address cannot be guessed.
"""

from html import escape
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from sandbox_psp import charging, payment
from sandbox_psp.currencies import CURRENCIES
from sandbox_psp.errors import ApiError
from sandbox_psp.http import Request, Response
from sandbox_psp.payment import Payment
from sandbox_psp.work import Work

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Sandbox bank: {title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 0; background: #eef1f5; color: #16202c; }}
main {{ max-width: 24rem; margin: 2rem auto; padding: 1.5rem; background: #fff; border-radius: .75rem; }}
h1 {{ font-size: 1.25rem; margin: 0 0 .5rem; }}
dl {{ display: grid; grid-template-columns: auto 1fr; gap: .25rem 1rem; margin: 1rem 0; }}
dd {{ margin: 0; text-align: right; overflow-wrap: anywhere; }}
button {{ font: inherit; width: 100%; min-height: 3rem; margin-top: .75rem;
  border-radius: .5rem; border: 2px solid #1d4f91;
  background: #1d4f91; color: #fff; cursor: pointer; }}
button[value=fail] {{ background: #fff; color: #1d4f91; }}
button:focus-visible {{ outline: 3px solid #e39c12; outline-offset: 2px; }}
p.note {{ color: #46535f; font-size: .875rem; }}
</style>
</head>
<body><main><h1>{title}</h1>{content}</main></body>
</html>
"""

_FORM = """<p>The sandbox bank asks whether you make this payment.</p>
<dl><dt>Amount</dt><dd><strong>{amount}</strong></dd><dt>Card</dt><dd>ending in {last4}</dd></dl>
<form method="post">
<button type="submit" name="result" value="approve">Approve the payment</button>
<button type="submit" name="result" value="fail">Fail the authentication</button>
</form>
<p class="note">This is a simulation: no money moves.</p>"""

_OVER = "<p>This payment is <strong>{status}</strong>. You may close this page.</p>{link}"


def show(work: Work, request: Request) -> Response:
    """The page of a challenge."""
    charge = payment.load_by_challenge(work, request.ids[0])
    if charge.status != "requires_action":
        return _over(charge)
    amount = CURRENCIES[charge.currency].display(charge.amount)
    return _page("Confirm your payment", _FORM.format(amount=escape(amount), last4=escape(charge.card.last4)))


def decide(work: Work, request: Request) -> Response:
    """The cardholder pressed a button. Pressing again, or after the payment has ended, changes nothing."""
    form = parse_qs(request.raw.decode(errors="replace"))
    result = form.get("result", [""])[0]
    if result not in ("approve", "fail"):
        raise ApiError("result must be approve or fail.", code="parameter_invalid", param="result")
    charge = payment.load_by_challenge(work, request.ids[0])
    if charge.status == "requires_action":
        charging.finish_challenge(work, charge, approved=result == "approve")
    if charge.return_url:
        return Response(status=303, content_type="text/plain", headers={"Location": _way_back(charge)})
    return _over(charge)


def _way_back(charge: Payment) -> str:
    """The shop's page. What it is told here proves nothing: it must ask the API."""
    parts = urlsplit(charge.return_url)
    told = urlencode({"payment": charge.id, "reference": charge.reference, "status": charge.status})
    return urlunsplit(parts._replace(query=f"{parts.query}&{told}" if parts.query else told))


def _over(charge: Payment) -> Response:
    link = f'<p><a href="{escape(_way_back(charge))}">Back to the shop</a></p>' if charge.return_url else ""
    return _page(
        "Nothing left to do", _OVER.format(status=escape(charge.status.replace("_", " ")), link=link)
    )


def _page(title: str, content: str) -> Response:
    return Response(
        body=_PAGE.format(title=title, content=content).encode(),
        content_type="text/html; charset=utf-8",
        headers={
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
            "X-Content-Type-Options": "nosniff",
        },
    )
