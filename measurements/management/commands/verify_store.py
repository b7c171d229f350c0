"""``manage.py verify_store``: every stored file against its hash."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from measurements.models import RawFile
from measurements.store import StoreDamaged, store


class Command(BaseCommand):
    """Say what is missing, altered or unreferenced; exit 1 when anything is missing or altered."""

    help = "Compare every stored file with its hash. Exits with 1 when a file is missing or altered."

    def handle(self, *args: Any, **options: Any) -> None:
        """Walk the rows, then the folder."""
        known, damaged = set(), 0
        for sha256, name in RawFile.objects.order_by("pk").values_list("sha256", "original_name").iterator():
            known.add(sha256)
            try:
                store().check(sha256)
            except StoreDamaged as error:
                damaged += 1
                self.stdout.write(f"{name}: {error}")
        unreferenced = [sha256 for sha256 in store().hashes() if sha256 not in known]
        for sha256 in unreferenced:
            self.stdout.write(f"{sha256}: in the store, but no record names it (an upload that was cut off).")
        self.stdout.write(
            f"{len(known)} files checked: {len(known) - damaged} sound, {damaged} missing or altered, "
            f"{len(unreferenced)} unreferenced."
        )
        if damaged:
            sys.exit(1)
