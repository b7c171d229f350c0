"""The one settings module. Everything an installation may change is an environment variable LAGPDB_* (README)."""

import importlib.util
import os
import secrets
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str = "") -> str:
    """Value of LAGPDB_<name>, or the content of the file that LAGPDB_<name>_FILE names, or the default."""
    variable = f"LAGPDB_{name}"
    if path := os.environ.get(f"{variable}_FILE"):
        return Path(path).read_text(encoding="utf-8").strip()
    return os.environ.get(variable, "").strip() or default


def is_on(text: str) -> bool:
    """Whether a switch is on: 1, true, yes, on."""
    return text.lower() in {"1", "true", "yes", "on"}


def generated_key(path: Path) -> str:
    """The secret key of this installation: made once, readable by its owner alone."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(secrets.token_urlsafe(64))
    return path.read_text(encoding="ascii").strip()


def database(url: str, data_dir: Path, lease_s: float) -> dict[str, object]:
    """Django's description of the database at `url`; SQLite in the data folder when there is none."""
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": data_dir / "lagpdb.sqlite3",
            "TEST": {"NAME": data_dir / "test.sqlite3"},
            # IMMEDIATE: a transaction that reads, then writes, never fails half-way with "database is locked".
            # FULL: a commit that was answered survives a power cut.
            "OPTIONS": {
                "timeout": 30,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;",
            },
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ValueError(
            "LAGPDB_DATABASE_URL must look like postgresql://user:password@host:5432/name; "
            f"it begins with '{parts.scheme}'. Leave it unset for SQLite."
        )
    # Most statements of a worker are always the same: the server plans them once.
    options: dict[str, object] = {"server_side_binding": True, "prepare_threshold": 5} | dict(parse_qsl(parts.query))
    # A process that is frozen in a transaction holds its rows locked, and the sweep that should free its job would wait
    # for them: the server ends that connection when the lease has lapsed too.
    timeout = f"-c idle_in_transaction_session_timeout={lease_s * 1000:.0f}"
    options["options"] = f"{timeout} {options.get('options', '')}".strip()
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", "") or unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


DEBUG = is_on(env("DEBUG"))
PORT = int(env("PORT", "8000"))
PUBLIC_URL = env("PUBLIC_URL", f"http://127.0.0.1:{PORT}").rstrip("/")
IS_HTTPS = PUBLIC_URL.startswith("https://")
DATA_DIR = Path(env("DATA_DIR", str(BASE_DIR / "var"))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)
SECRET_KEY = env("SECRET_KEY") or generated_key(DATA_DIR / "secret_key")
ALLOWED_HOSTS = [
    host.strip()
    for host in env("ALLOWED_HOSTS", f"127.0.0.1,localhost,[::1],{urlsplit(PUBLIC_URL).hostname}").split(",")
]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

# -- lagpdb's own -----------------------------------------------------------------------------------------------------
VERSION = "0.1.0"
REDIS_URL = env("REDIS_URL")
STORE_URL = env("STORE_URL")
UPLOAD_MAX_MB = int(env("UPLOAD_MAX_MB", "500"))
INSTRUMENT_TIME_ZONE = env("TIME_ZONE", "UTC")
LEASE_S = float(env("LEASE_S", "60"))  # a worker silent for so long has lost its job
SWEEP_S = float(env("SWEEP_S", "15"))  # how often lost jobs are looked for
RING_AGAIN_S = float(env("RING_AGAIN_S", "30"))  # a waiting job that nobody took is announced again
FENCE_TIMEOUT_S = float(env("FENCE_TIMEOUT_S", "120"))  # parsing one vendor file
FENCE_MEMORY_MB = int(env("FENCE_MEMORY_MB", "4096"))

# -- Django -----------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "lagpdb.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "allauth",
    "allauth.account",
    "lagpdb.apps.GroundConfig",
    "samples.apps.SamplesConfig",
    "measurements.apps.MeasurementsConfig",
    "analysis.apps.AnalysisConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "lagpdb.urls"
WSGI_APPLICATION = "lagpdb.wsgi.application"
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
                "lagpdb.pages.site_context",
            ],
        },
    }
]
DATABASES = {"default": database(env("DATABASE_URL"), DATA_DIR, LEASE_S)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "lagpdb.cache.SharedCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "lagpdb",
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 1},
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "lagpdb.formats"

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
# The plotting library lies in the installed package; nothing of other people's stands in this repository.
_plotly = importlib.util.find_spec("plotly")
STATICFILES_DIRS = [
    ("plotly", Path(_plotly.submodule_search_locations[0]) / "package_data"),  # type: ignore[union-attr, index]
]
WHITENOISE_USE_FINDERS = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# -- uploads: streamed by measurements.store, never held in memory ----------------------------------------------------
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 1000
FILE_UPLOAD_HANDLERS = ["measurements.store.StoreUploadHandler"]

# -- people ------------------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "lagpdb.accounts.Adapter"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True
# Behind the TLS proxy every visitor has its address: limits must count those it forwards for.
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if IS_HTTPS else 0

SESSION_COOKIE_AGE = 7 * 24 * 3600
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_NAME = "__Host-sessionid" if IS_HTTPS else "lagpdb_sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if IS_HTTPS else "lagpdb_csrftoken"
SECURE_SSL_REDIRECT = IS_HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = IS_HTTPS
# TLS ends at a proxy in front of the site, which must set this header (README).
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_HTTPS else None
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],  # blob: Plotly's PNG export
        "object-src": ["'none'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
    }
}

# -- API ---------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "lagpdb.accounts.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["lagpdb.accounts.RolePermission"],
    "DEFAULT_RENDERER_CLASSES": ["lagpdb.rest.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "lagpdb.rest.exception_handler",
    "COERCE_DECIMAL_TO_STRING": False,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "lagpdb",
    "DESCRIPTION": "Records, measurements and computed results of a solid-electrolyte battery lab.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    # Cells and film thicknesses both name a face.
    "ENUM_NAME_OVERRIDES": {"FacingEnum": "samples.models.films.FACES"},
}

# -- background work ---------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL or "memory://"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False  # the ledger rings again; a poison file must not loop
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 840
CELERY_TASK_TIME_LIMIT = 900
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.05, "interval_max": 0.1}
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30
# Each pool process imports the science before it reports: on a busy machine longer than the four seconds that Celery
# grants it, after which it would be killed and begun again for ever.
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 60
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
# 0 comes first: the sweep, or a long queue would look like a dead worker; then what has begun, so that
# the first file's numbers do not wait for the last file of a folder to be read.
CELERY_TASK_ROUTES = {
    "analysis.tasks.sweep": {"priority": 0},
    "analysis.tasks.analyse": {"priority": 3},
    "analysis.tasks.take_in": {"priority": 6},
    "analysis.tasks.combine": {"priority": 6},
}
CELERY_BEAT_SCHEDULE = {"sweep": {"task": "analysis.tasks.sweep", "schedule": SWEEP_S}}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": env("LOG_LEVEL", "WARNING")},
}
