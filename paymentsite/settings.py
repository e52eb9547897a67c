"""Settings, read from the environment; what is not there comes from `.run/env`, which `make up` writes.

Importing this module never starts anything.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import environ

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
RUN_DIR = Path(env.str("RUN_DIR", default=str(BASE_DIR / ".run")))
"""What belongs to one running system on this machine: addresses and keys, logs, the sandbox PSP's file."""
environ.Env.read_env(RUN_DIR / "env", overwrite=False)

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "djmoney",
    "pgtrigger",
    "ledger",
    "wallet",
    "payments",
    "reconciliation",
    "paymentsite",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "paymentsite.urls"
WSGI_APPLICATION = "paymentsite.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db("DATABASE_URL", default="postgres://localhost/payments")
}
# Django's pool of psycopg connections needs CONN_MAX_AGE = 0; size x processes stays below max_connections.
DATABASES["default"]["CONN_MAX_AGE"] = 0
DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
    "min_size": 1,
    "max_size": env.int("DATABASE_POOL_SIZE", default=10),
    "timeout": 10,
}

# Whoever waits longer than this for a row is told to try again; nobody holds one while it talks to the network.
DATABASES["default"]["OPTIONS"]["options"] = "-c lock_timeout=3s -c idle_in_transaction_session_timeout=30s"

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
FORMAT_MODULE_PATH = ["paymentsite.formats"]
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]

# Personal data, PSP tokens and client actions are encrypted in their columns; the first key encrypts, all decrypt.
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS", default=[])
FIELD_DIGEST_KEY = env.str("FIELD_DIGEST_KEY", default="")

CHECKOUT_LIFE = timedelta(hours=env.float("CHECKOUT_LIFE_HOURS", default=24))
"""How long a checkout takes new attempts."""

PAYMENT_PROVIDERS: dict[str, dict[str, Any]] = {
    "sandbox": {
        "BACKEND": "payments.psp.sandbox.SandboxPsp",
        "OPTIONS": {
            "base_url": env.str("SANDBOX_PSP_URL", default="http://127.0.0.1:8001"),
            "secret_key": env.str("SANDBOX_PSP_SECRET_KEY", default=""),
            "webhook_secret": env.str("SANDBOX_PSP_WEBHOOK_SECRET", default=""),
        },
        # Two calls instead of one: the sandbox can do both, so that both ways are proven.
        "CAPABILITIES": {"confirm": env.bool("SANDBOX_PSP_CONFIRM", default=False)},
    },
}
"""PSP accounts by name, in the order in which they are preferred."""

RISK_PROVIDER: dict[str, Any] | None = {
    "NAME": "sandbox",
    "BACKEND": "payments.risk.sandbox_provider.SandboxRiskProvider",
    "OPTIONS": {
        "base_url": env.str("SANDBOX_PSP_URL", default="http://127.0.0.1:8001"),
        "secret_key": env.str("SANDBOX_PSP_SECRET_KEY", default=""),
    },
}
"""The outside service that rules with the action `ask` ask; None when there is none."""

WEBHOOKS_ALLOW_LOOPBACK = env.bool("WEBHOOKS_ALLOW_LOOPBACK", default=False)
"""For development only: shops may have their news sent to this machine itself, on any port and without TLS."""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["payments.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["payments.api.authentication.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["wallet.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "paymentsite.openapi.TitledAutoSchema",
    "EXCEPTION_HANDLER": "paymentsite.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "LIST_SERIALIZER_ERRORS_AS_DICT": True,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Payments",
    "DESCRIPTION": "Take a checkout's money once, whatever happens. Amounts are strings; errors are RFC 9457 problems.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_PERMISSIONS": [],
    "SERVE_AUTHENTICATION": [],
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": False,
    "SORT_OPERATIONS": False,
    "TAGS": [
        {"name": "payments", "description": "For shops: checkouts and what is paid of them."},
        {"name": "webhooks", "description": "For shops: their news, signed and sent to them."},
        {"name": "sellers", "description": "For the company: sellers and their wallets."},
        {"name": "operations", "description": "For the company: work that nobody tries any more."},
    ],
    "PATH_CONVERTER_OVERRIDES": {
        "caller_id": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._~:@+-]{0,63}$"}
    },
    "ENUM_NAME_OVERRIDES": {
        "ChargeMode": "payments.models.ChargeMode.choices",
        "PaymentOrderStatus": "payments.states.OrderStatus.choices",
        "PendingReason": "payments.states.PendingReason.choices",
        "WebhookEventType": "payments.models.EventType.choices",
        "WebhookDeliveryStatus": "payments.models.DeliveryStatus.choices",
    },
}

UNFOLD = {"SITE_TITLE": "Payments", "SITE_HEADER": "Payments", "SITE_SUBHEADER": "Back office, times in UTC"}

# A message only rings for work that stands in rows: losing one costs one sweep, and no result is kept.
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 1,
    "socket_timeout": 3,
    "visibility_timeout": 3600,
    # A ring is tried once: the request that rings must not wait for a broker that is down.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_POOL_LIMIT = 20
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "batch"
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "check_invariants": {"task": "paymentsite.tasks.check_invariants", "schedule": timedelta(minutes=1)},
    "roll_up_ledger": {"task": "paymentsite.tasks.roll_up_ledger", "schedule": timedelta(seconds=10)},
    "remove_old_news": {"task": "payments.tasks.remove_old_news", "schedule": timedelta(hours=1)},
}
