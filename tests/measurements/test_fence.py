"""The fence: whatever a parser does, its file has a sentence and its neighbours are read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from measurements import fence as module
from measurements.fence import Fence, FenceError
from tests import spine

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = ROOT / "tests" / "hostile"


@pytest.fixture
def hostile(monkeypatch):
    """From here on the child of a new fence misbehaves as file names say."""
    monkeypatch.setenv("PYTHONPATH", f"{HOSTILE}{os.pathsep}{ROOT}")


@pytest.fixture
def make(tmp_path):
    """Fences that are stopped at the end, and `parse(fence, name, content)`."""
    made: list[Fence] = []

    def fence(**limits) -> Fence:
        made.append(Fence(**{"timeout_s": 20.0, "memory_MB": 2048} | limits))
        return made[-1]

    yield fence
    for each in made:
        each.stop()


@pytest.fixture
def parse(tmp_path):
    """Give a file of this name to a fence."""

    def give(fence: Fence, name: str, content: bytes | None = None) -> dict:
        path = tmp_path / name
        path.write_bytes(spine.spectrum() if content is None else content)
        return fence.parse(path, name, tmp_path / "parsed")

    return give


def is_gone(pid: int, within_s: float = 3.0) -> bool:
    """Whether a process ends soon."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


# -- the good way ------------------------------------------------------------------------------------------------------
def test_a_file_becomes_a_table(make, parse, tmp_path):
    answer = parse(make(), "a.csv")
    (described,) = answer["recordings"]
    assert (described["technique"], described["points"]) == ("impedance", 71)
    assert {"frequency_Hz", "z_real_ohm", "z_imag_ohm"} <= set(described["columns"])
    folder = tmp_path / "parsed" / f"{answer['reader']}-{answer['reader_version']}"
    assert [path.name for path in folder.iterdir()] == ["0.parquet"]
    assert pq.read_table(folder / "0.parquet").num_rows == 71


def test_a_refused_file_has_a_sentence_and_a_line(make, parse):
    answer = parse(make(), "a.csv", b"frequency_Hz,z_real_ohm,z_imag_ohm\n1e6,#DIV/0!,3\n" + b"1e5,1,2\n" * 20)
    assert answer["line"] == 2
    assert "#DIV/0!" in answer["sentence"]
    assert answer["is_short"] is False


def test_the_child_is_warm(make, parse):
    fence = make()
    parse(fence, "a.csv")
    pid = fence._child.pid
    started = time.monotonic()
    parse(fence, "b.csv")
    assert fence._child.pid == pid
    assert time.monotonic() - started < 0.5


def test_the_child_is_replaced_after_so_many_files(make, parse, monkeypatch):
    monkeypatch.setattr(module, "FILES_PER_CHILD", 2)
    fence = make()
    pids = [(parse(fence, f"{number}.csv"), fence._child.pid)[1] for number in range(3)]
    assert pids[0] == pids[1] != pids[2]
    assert is_gone(pids[0])


def test_secrets_do_not_reach_the_child(make, parse, monkeypatch):
    monkeypatch.setenv("LAGPDB_SECRET_KEY", "very secret")
    fence = make()
    fence.start()
    assert b"very secret" not in Path(f"/proc/{fence._child.pid}/environ").read_bytes()


def test_threads_of_a_web_server_get_their_own_answers(make, parse):
    fence = make()
    lengths = [11 + number for number in range(12)]

    def read(count: int) -> int:
        return parse(fence, f"{count}.csv", spine.spectrum(points=count))["recordings"][0]["points"]

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(read, lengths)) == lengths


def test_the_child_outlives_the_thread_that_needed_it_first(make, parse):
    fence = make()
    with ThreadPoolExecutor(1) as thread:
        thread.submit(parse, fence, "a.csv").result()
    pid = fence._child.pid
    time.sleep(0.2)
    parse(fence, "b.csv")
    assert fence._child.pid == pid


# -- the bad way -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("abort.csv", r"The file broke the program that reads it \(signal 6\): it is damaged"),
        ("exit.csv", "The file broke the program that reads it: it is damaged"),
        ("memory.csv", "needs more memory than one file may take. The file is safe"),
    ],
)
def test_a_parser_that_dies(hostile, make, parse, name, sentence):
    fence = make(memory_MB=1024)
    assert "recordings" in parse(fence, "before.csv")
    with pytest.raises(FenceError, match=sentence):
        parse(fence, name)
    assert "recordings" in parse(fence, "after.csv")


def test_a_parser_that_never_ends(hostile, make, parse):
    fence = make(timeout_s=6.0)  # on a busy machine the child alone takes a few to start
    parse(fence, "before.csv")
    pid = fence._child.pid
    with pytest.raises(FenceError, match=r"took longer than 6 s and was stopped. The file is safe"):
        parse(fence, "loop.csv")
    assert is_gone(pid)
    assert "recordings" in parse(fence, "after.csv")


def test_a_mistake_of_ours_is_told_apart(hostile, make, parse):
    answer = parse(make(), "bug.csv")
    assert "KeyError: 'a mistake of ours'" in answer["bug"]


def test_what_a_library_prints_is_not_an_answer(hostile, make, parse):
    assert "recordings" in parse(make(), "print.csv")


def test_a_child_that_was_killed_between_two_files_is_replaced(make, parse):
    fence = make()
    parse(fence, "a.csv")
    os.kill(fence._child.pid, signal.SIGKILL)
    fence._child.wait()
    assert "recordings" in parse(fence, "b.csv")


def test_stop_ends_the_child_and_may_be_repeated(make):
    fence = make()
    fence.start()
    pid = fence._child.pid
    fence.stop()
    fence.stop()
    assert is_gone(pid)


@pytest.mark.parametrize("name", ["", "loop.csv"])
def test_the_child_of_a_killed_worker_ends(tmp_path, name):
    """While it waits, and in the middle of a file."""
    (tmp_path / "loop.csv").write_bytes(b"x")
    code = f"""
import time
from pathlib import Path
from measurements.fence import Fence
fence = Fence()
fence.start()
print(fence._child.pid, flush=True)
if {name!r}:
    fence.parse(Path({str(tmp_path / "loop.csv")!r}), {name!r}, Path({str(tmp_path)!r}))
time.sleep(60)
"""
    environment = {**os.environ, "PYTHONPATH": f"{HOSTILE}{os.pathsep}{ROOT}"}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT, env=environment) as worker:
        pid = int(worker.stdout.readline())
        time.sleep(2.0)  # the child has its limits, and its file
        assert not is_gone(pid, 0.1)
        worker.kill()
    assert is_gone(pid)


def test_a_parser_with_threads_of_its_own_stays_in_the_child(make, parse):
    from tests.data.readers.make_samples import FOLDER

    fence = make(memory_MB=4096)
    content = (FOLDER / "neware_layout2.ndax").read_bytes()
    (described,) = parse(fence, "a.ndax", content)["recordings"]
    assert (described["technique"], described["points"]) == ("time_series", 46)
    assert "polars" in Path(f"/proc/{fence._child.pid}/maps").read_text()
