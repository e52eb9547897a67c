"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from payments.webhooks import PspWebhookView
from paymentsite import health, problems

urlpatterns = [
    path("v1/", include("payments.api.urls")),
    path("v1/", include("wallet.api.urls")),
    path("v1/openapi.json", SpectacularAPIView.as_view(), name="openapi"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="openapi"), name="api_docs"),
    path("webhooks/<str:psp_account>", PspWebhookView.as_view(), name="psp_webhook"),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("admin/", admin.site.urls),
    path("", RedirectView.as_view(pattern_name="api_docs"), name="home"),
    # Last: programs get a problem document also where Django in debug would show people a page.
    re_path(r"^(?:v1|webhooks)/", problems.no_such_address),
]

handler400 = "paymentsite.problems.bad_request"
handler403 = "paymentsite.problems.permission_denied"
handler404 = "paymentsite.problems.page_not_found"
handler500 = "paymentsite.problems.server_error"
