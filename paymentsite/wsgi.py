"""The WSGI entry point."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paymentsite.settings")

_site = get_wsgi_application()

from paymentsite.problems import refuse_unreadable_content_type  # noqa: E402  # Needs the settings.

application = refuse_unreadable_content_type(_site)
