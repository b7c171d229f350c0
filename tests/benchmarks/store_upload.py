"""Upload of a 500 MB file: speed, and how much the web process grows.

python tests/benchmarks/store_upload.py [megabytes]
"""

from __future__ import annotations

import http.client
import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.benchmarks.installation import Installation, installation, report


def web_memory_MB(site: Installation) -> float:
    """Resident memory of the site's processes, without the worker."""
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            if b"granian" in command and str(site.port).encode() in command:
                total += int((entry / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            continue
    return total / 1e6


def send(site: Installation, token: str, megabytes: int) -> float:
    """POST so many megabytes in pieces; returns the seconds until the answer."""
    mark = "lagpdbbenchmarkboundary"
    head = (
        f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="large.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    tail = f"\r\n--{mark}--\r\n".encode()
    piece = os.urandom(1_000_000)
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=120)
    connection.putrequest("POST", "/api/v1/uploads/")
    connection.putheader("Authorization", f"Token {token}")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={mark}")
    connection.putheader("Content-Length", str(len(head) + megabytes * len(piece) + len(tail)))
    began = time.perf_counter()
    connection.endheaders(head)
    for _ in range(megabytes):
        connection.send(piece)
    connection.send(tail)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 201, body
    return time.perf_counter() - began


def main() -> int:
    """Warm the site with a small file, then send the large one and watch the memory."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 499
    with installation(is_full=False) as site:
        site.serve()
        token = site.run("create_token", "bench", "--scope", "upload", "--days", "1")
        send(site, token, 20)
        before = web_memory_MB(site)
        peak, done = [before], threading.Event()

        def watch() -> None:
            while not done.wait(0.05):
                peak.append(web_memory_MB(site))

        watcher = threading.Thread(target=watch)
        watcher.start()
        seconds = send(site, token, megabytes)
        done.set()
        watcher.join()
    rate, grown = megabytes / seconds, max(peak) - before
    return report(
        f"Upload of {megabytes} MB ({seconds:.1f} s)",
        [
            ("speed", f"{rate:.0f} MB/s", "≥ 100 MB/s", rate >= 100),
            ("growth of the web process", f"{grown:.0f} MB", "≤ 64 MB", grown <= 64),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
