"""Settings of the test suite: the site's own, in a folder of their own, without collected static files."""

import os
import tempfile

os.environ.setdefault("LAGPDB_DATA_DIR", tempfile.mkdtemp(prefix="lagpdb-test-"))
os.environ["LAGPDB_DEBUG"] = "1"

from lagpdb.settings import *  # noqa: F403

# Hashing a password as slowly as it should be would be most of the suite's time.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# The middleware for static files warns about a folder that is not there, and warnings are errors.
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405
