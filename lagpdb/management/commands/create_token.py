"""manage.py create_token: one API token on standard output and nothing else, so that a script can take it."""

from __future__ import annotations

import argparse
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from lagpdb.tokens import DAYS, SCOPES, make_token


class Command(BaseCommand):
    """Print a new token of a person."""

    help = "Prints one new API token of a person, and nothing else. It cannot be shown again."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--scope", choices=SCOPES, default="read", help="what the token may do (default: read)")
        parser.add_argument("--days", type=int, default=DAYS, help=f"days until it expires (default: {DAYS})")
        parser.add_argument("--name", default="", help="what it is for, shown in the list of tokens")

    def handle(self, *args: Any, **options: Any) -> None:
        users = get_user_model()
        try:
            user = users.objects.get_by_natural_key(options["username"])
        except users.DoesNotExist as error:
            raise CommandError(f"Nobody is called ‘{options['username']}’ here.") from error
        try:
            text, _ = make_token(user, options["scope"], options["days"], options["name"] or "create_token")
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(text)
