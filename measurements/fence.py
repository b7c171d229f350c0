"""The fence: vendor files are parsed in an expendable child process with limits, warm and reused.

A parser may abort, loop, or eat memory; then the child is gone, its file has a sentence, and nothing else notices.
This module is both sides: `Fence` in the worker, `main()` in the child (``python -m measurements.fence``). It knows
neither Django nor the database.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

GIB = 1024**3
FILES_PER_CHILD = 500  # then a fresh one: whatever a parser leaks goes with it


class FenceError(Exception):
    """The file broke its reader; the message is shown to people."""


class Fence:
    """The worker's side: one child, started when first needed, replaced when it dies.

    Parameters
    ----------
    timeout_s : float
        Longest time one file may take.
    memory_MB : int
        Address space of the child.
    """

    def __init__(self, timeout_s: float = 120.0, memory_MB: int = 4096) -> None:
        self.timeout_s = timeout_s
        self.memory_MB = memory_MB
        self._child: subprocess.Popen[bytes] | None = None
        self._files = 0
        self._one_at_a_time = threading.Lock()
        # The kernel ends the child when the thread that started it ends, so that thread must be one that stays.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="fence")

    def start(self) -> None:
        """Start the child now, so that the first file does not wait for its imports."""
        if self._child is not None and self._child.poll() is None:
            return
        self.stop()  # a dead one leaves its pipes
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LAGPDB_")},
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "ARROW_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "2",
            # One allocator that takes huge pages: a million rows touch 40 000 small ones, and each is a fault.
            "ARROW_DEFAULT_MEMORY_POOL": "system",
            "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        }
        self._child = self._starter.submit(
            subprocess.Popen,
            [sys.executable, "-m", "measurements.fence", str(self.memory_MB), str(os.getpid())],
            cwd=Path(__file__).resolve().parent.parent,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ).result()
        self._files = 0

    def stop(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream:
                stream.close()

    def parse(
        self,
        path: Path,
        name: str,
        folder: Path,
        *,
        skips_bad_rows: bool = False,
        mapping: Mapping[str, Sequence[str]] | None = None,
        previews: bool = False,
    ) -> dict[str, Any]:
        """Recognise and read one file; its recordings are left as Parquet in `folder`.

        With `mapping`, header to (canonical name, unit), the file is read as the table that a person described.
        With `previews` it is not read; the answer is ``{"columns"}``, empty where no table is found.

        Returns
        -------
        dict
            ``{"reader", "reader_name", "reader_version", "recordings": [{"technique", "metadata", "warnings", "points",
            "columns", "kinds"}]}`` (`kinds` of time series, see `measurements.telling`), or ``{"sentence", "line",
            "is_short", "is_row", "columns"}`` when the reader refused the file; `columns` describe a table whose names
            are not known.

        Raises
        ------
        FenceError
            The child died or did not end in time.
        """
        with self._one_at_a_time:
            return self._parse(
                {
                    "path": str(path),
                    "name": name,
                    "folder": str(folder),
                    "skips_bad_rows": skips_bad_rows,
                    "mapping": dict(mapping or {}),
                    "previews": previews,
                }
            )

    def _parse(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._files >= FILES_PER_CHILD:
            self.stop()
        self.start()
        self._files += 1
        child = self._child
        assert child is not None
        assert child.stdin is not None
        try:
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()
            answer = self._answer(child)
        except BrokenPipeError:
            answer = b""
        if not answer:
            status = child.wait()
            self.stop()
            raise FenceError(self._epitaph(status))
        return dict(json.loads(answer))

    def _answer(self, child: subprocess.Popen[bytes]) -> bytes:
        assert child.stdout is not None
        received = b""
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            while not received.endswith(b"\n"):
                if not selector.select(self.timeout_s):
                    self.stop()
                    raise FenceError(
                        f"Reading the file took longer than {self.timeout_s:.0f} s and was stopped. The file is safe. "
                        "Export it in smaller pieces, or ask an administrator."
                    )
                chunk = os.read(child.stdout.fileno(), 1 << 20)
                if not chunk:
                    return b""
                received += chunk
        return received

    @staticmethod
    def _epitaph(status: int) -> str:
        cause = f" (signal {-status})" if status < 0 else ""
        return (
            f"The file broke the program that reads it{cause}: it is damaged, or needs more memory than one file may "
            "take. The file is safe. Export it again, or ask an administrator to look at it."
        )


def _limit(memory_MB: int, parent: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_MB * 1024**2, memory_MB * 1024**2))
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * GIB, 4 * GIB))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The child of a killed worker must not live on.
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:  # it was killed before we could say so
        sys.exit()


def _seen(path: Path) -> list[dict[str, Any]]:
    """The columns of a table whose names are not known; empty where there is none to name."""
    from measurements.readers.base import ReaderError
    from measurements.readers.generic_series import preview

    try:
        return preview(path)
    except ReaderError:
        return []


def read_described(path: Path, mapping: Mapping[str, Sequence[str]]) -> list[Any]:
    """Read a table with a person's mapping, header to (canonical name, unit or "")."""
    from measurements.readers.generic_series import read_mapped

    names = {header: name for header, (name, _) in mapping.items()}
    return read_mapped(path, names, {header: unit for header, (_, unit) in mapping.items() if unit})


def _asks_for_column(error: Any) -> bool:
    """Whether a refusal of a time series ends with 'Choose which column is the current.': then people can choose."""
    from measurements.readers.series_columns import SERIES_LABELS

    return any(error.sentence.endswith(f"Choose which column is the {label}.") for label in SERIES_LABELS.values())


def _read(request: dict[str, Any]) -> dict[str, Any]:
    from measurements import packing
    from measurements.readers.base import BadRow, ReaderError, TooFewPoints, UnknownColumns
    from measurements.readers.recognise import read_file, readers
    from measurements.telling import told_kinds

    path = Path(request["path"])
    if request["previews"]:
        return {"columns": _seen(path)}
    try:
        if mapping := request["mapping"]:
            reader, recordings = readers()["generic"], read_described(path, mapping)
        else:
            reader, recordings = read_file(path, request["name"], skips_bad_rows=request["skips_bad_rows"])
    except ReaderError as error:
        return {
            "sentence": error.sentence,
            "line": error.line,
            "is_short": isinstance(error, TooFewPoints),
            "is_row": isinstance(error, BadRow),
            "columns": _seen(path) if isinstance(error, UnknownColumns) or _asks_for_column(error) else [],
        }
    folder = Path(request["folder"]) / packing.folder_name(reader.slug, reader.version, mapping)
    folder.mkdir(parents=True, exist_ok=True)
    described = []
    has_spectra = any(item.technique == "impedance" for item in recordings)
    for number, item in enumerate(recordings):
        packing.write(item.frame, folder / f"{number}.parquet")
        described.append(
            {
                "technique": item.technique,
                "metadata": item.metadata | ({"columns": mapping} if mapping else {}),
                "warnings": item.warnings,
                "points": len(item.frame),
                "columns": list(item.frame.columns),
                # Told here, where the table is: a worker need not load a million rows to name them.
                "kinds": told_kinds(item.frame, is_beside_spectra=has_spectra)
                if item.technique == "time_series"
                else {},
            }
        )
    return {
        "reader": reader.slug,
        "reader_name": reader.name,
        "reader_version": reader.version,
        "recordings": described,
    }


def main() -> None:
    """The child: one request a line on stdin, one answer a line on the first stdout."""
    _limit(int(sys.argv[1]), int(sys.argv[2]))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints goes nowhere, not into the answers
    import numpy  # noqa: F401 - imported before the first file arrives
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    from measurements import packing, telling  # noqa: F401
    from measurements.readers import recognise  # noqa: F401

    gc.collect()
    gc.freeze()  # libraries stay; the collector need not walk through them
    for line in sys.stdin.buffer:
        try:
            answer = _read(json.loads(line))
        except MemoryError:
            os._exit(70)
        except Exception:
            answer = {"bug": traceback.format_exc(limit=-8)}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
