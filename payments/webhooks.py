"""Where PSPs send their news: verify the raw bytes, store, answer; the work is done by a task."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from payments.errors import PaymentError, WebhookTooLarge
from payments.psp.base import InboundRequest
from payments.psp.registry import adapter
from payments.services.inbound import store_webhooks

LARGEST_BODY_BYTES = 512 * 1024


@method_decorator(
    csrf_exempt, name="dispatch"
)  # The signature says who sends; there is no session to misuse.
class PspWebhookView(View):
    """`POST /webhooks/<psp account>`. 2xx means stored, also when it had been stored before."""

    def post(self, request: HttpRequest, psp_account: str) -> HttpResponse:
        """Take one request of a PSP."""
        try:
            events = adapter(psp_account).receive(_inbound(request))
        except PaymentError as error:
            return JsonResponse(
                {"status": error.status_code, "code": error.code, "title": error.detail},
                status=error.status_code,
                content_type="application/problem+json",
            )
        store_webhooks(psp_account=psp_account, events=events)
        return HttpResponse(status=204)


def _inbound(request: HttpRequest) -> InboundRequest:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > LARGEST_BODY_BYTES:
        raise WebhookTooLarge
    return InboundRequest(
        body=request.body,
        headers={name.lower(): value for name, value in request.headers.items()},
        remote_address=request.META.get("REMOTE_ADDR", ""),
    )
