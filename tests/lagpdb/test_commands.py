"""The commands of an administrator: check the store, compute again, work, serve."""

from __future__ import annotations

import os
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from analysis.models import AnalysisRun, Result
from analysis.science.conductivity import Conductivity
from lagpdb.models import WorkerPulse
from tests import spine
from tests.installation import answers, descendants, installation
from tests.servers import _children


# -- verify_store ------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
class TestVerifyStore:
    @pytest.fixture
    def stored(self, own_store):
        """Three files of an upload, and where they lie."""
        upload = spine.upload(("a.csv", b"a"), ("b.csv", b"b"), ("c.csv", b"c"))
        hashes = upload.files.values_list("raw_file__sha256", flat=True)
        return [own_store.raw / sha256[:2] / sha256 for sha256 in hashes]

    def verify(self, capsys) -> tuple[int, str]:
        try:
            call_command("verify_store")
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return code, capsys.readouterr().out

    def test_a_sound_store(self, stored, capsys):
        assert self.verify(capsys) == (0, "3 files checked: 3 sound, 0 missing or altered, 0 unreferenced.\n")

    def test_one_flipped_byte(self, stored, capsys):
        stored[1].chmod(0o640)
        stored[1].write_bytes(bytes([stored[1].read_bytes()[0] ^ 1]))
        code, text = self.verify(capsys)
        assert code == 1
        assert text.startswith(f"b.csv: The stored file {stored[1].name[:12]}… was altered on disk.")
        assert "3 files checked: 2 sound, 1 missing or altered" in text

    def test_a_missing_file(self, stored, capsys):
        stored[2].unlink()
        code, text = self.verify(capsys)
        assert code == 1
        assert text.startswith(f"c.csv: The stored file {stored[2].name[:12]}… is missing from the store.")

    def test_bytes_that_no_record_names_are_told_and_no_fault(self, stored, capsys):
        spine.arrived("cut off.csv", b"d")
        code, text = self.verify(capsys)
        assert code == 0
        assert "no record names it (an upload that was cut off)" in text
        assert "1 unreferenced" in text


# -- reanalyse ---------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
class TestReanalyse:
    @pytest.fixture
    def cell(self):
        cell = spine.cell()
        spine.arrhenius(cell, 25, 40, 60, 80)
        return cell

    def test_the_same_program_gives_the_same_numbers(self, cell, capsys):
        before = dict(Result.objects.current().values_list("pk", "value"))
        call_command("reanalyse")
        assert capsys.readouterr().out == f"4 measurements analysed again: 0 of {len(before)} numbers moved.\n"
        assert not set(before) & set(Result.objects.current().values_list("pk", flat=True))
        spine.check_invariants()

    def test_a_changed_program_prints_what_moved(self, cell, capsys, monkeypatch):
        real = Conductivity.run

        def run(self, recording, subject, parameters):
            recording = recording.assign(z_real_ohm=recording.z_real_ohm * 2, z_imag_ohm=recording.z_imag_ohm * 2)
            return real(self, recording, subject, parameters)

        monkeypatch.setattr(Conductivity, "run", run)
        call_command("reanalyse")
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("4 measurements analysed again: ")
        assert " 0 of" not in lines[0]
        assert any("total_resistance_ohm" in line and "100.00%" in line for line in lines)
        assert len(lines) == 11

    def test_dry_run_changes_nothing(self, cell, capsys):
        before = AnalysisRun.objects.count()
        call_command("reanalyse", "--dry-run")
        assert capsys.readouterr().out == "4 measurements would be analysed again; nothing was changed.\n"
        assert AnalysisRun.objects.count() == before

    def test_one_analysis(self, cell, capsys):
        call_command("reanalyse", "--dry-run", "--analysis", "conductivity")
        assert capsys.readouterr().out.startswith("4 measurements")
        with pytest.raises(CommandError, match=r"‘magic’ is not an analysis. Known: .*conductivity"):
            call_command("reanalyse", "--analysis", "magic")

    def test_stuck_is_what_failed_last_or_waits(self, cell, capsys):
        first, second, *_ = AnalysisRun.objects.filter(measurement__isnull=False).order_by("pk")
        failed = {"state": "failed", "is_current": False}
        AnalysisRun.objects.filter(pk=first.pk).update(**failed)
        AnalysisRun.objects.create(
            analysis="conductivity", version=1, measurement=second.measurement, state="queued", job_state="waiting"
        )
        call_command("reanalyse", "--stuck", "--dry-run")
        assert capsys.readouterr().out.startswith("2 measurements")
        call_command("reanalyse", "--stuck")
        call_command("reanalyse", "--stuck", "--dry-run")
        assert capsys.readouterr().out.splitlines()[-1].startswith("0 measurements")

    def test_with_a_broker_and_no_worker_it_says_so(self, cell, settings, monkeypatch):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        monkeypatch.setattr("lagpdb.ledger.ring", lambda job: None)
        monkeypatch.setattr("lagpdb.ledger.worker_age_s", lambda: 61.0)
        with pytest.raises(CommandError, match="No analysis worker is running"):
            call_command("reanalyse")


# -- work --------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def site():
    """An installation on SQLite."""
    with installation() as site:
        yield site


def ends_within(process, seconds: float) -> int:
    """Exit code of a process that ends in time."""
    return int(process.wait(timeout=seconds))


class TestWork:
    def test_a_ring_is_answered_within_a_second(self, site):
        worker = site.work()
        site.ask("upload")
        site.wait("settled")
        for _ in range(3):
            site.ask("upload")
            assert site.wait("settled") < 1.0
        assert site.ask("check")["sigma"] == 4
        worker.send_signal(signal.SIGTERM)
        assert ends_within(worker, 5) == 0
        assert site.bell_hung_at() is None

    def test_a_lost_ring_costs_a_second(self, site):
        worker = site.work()
        (site.folder / "worker.sock").unlink()
        site.ask("upload")
        assert site.wait("settled") < 5.0
        worker.send_signal(signal.SIGTERM)
        ends_within(worker, 5)

    def test_it_ends_with_the_process_that_started_it(self, site):
        code = "import subprocess, sys, time; subprocess.Popen([sys.executable, 'manage.py', 'work']); time.sleep(60)"
        before = site.bell_hung_at()
        parent = site.start(sys.executable, "-c", code)
        site.until(lambda: site.bell_hung_at() not in (None, before), "the worker")
        (worker,) = _children(parent.pid)
        parent.kill()
        site.until(lambda: not Path(f"/proc/{worker}").exists(), "the worker to end", 5)


@pytest.mark.django_db
def test_a_pulse_is_felt_between_the_jobs_of_a_long_queue(monkeypatch, settings, own_store):
    from lagpdb.management.commands.work import Command

    settings.SWEEP_S = 0.0
    command = Command()
    command._go_on, command._parent, command._swept_at = True, os.getppid(), float("-inf")
    assert command._goes_on()
    assert WorkerPulse.objects.get().name == "supervised"
    command._stop()
    assert not command._goes_on()


# -- serve -------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def served(site):
    return site.serve()


def test_it_answers(served):
    _, address = served
    with urllib.request.urlopen(f"{address}/health/live", timeout=5) as response:
        assert response.read() == b"ok"


def test_it_runs_the_worker(site, served):
    site.ask("upload")
    site.wait("settled")
    site.until(lambda: answers(f"{served[1]}/health/ready"), "ready")


def test_a_killed_worker_is_started_again(site, served):
    process, _ = served

    def workers() -> list[int]:
        return [
            pid for pid in _children(process.pid) if b"manage.py\0work" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]

    (first,) = workers()
    os.kill(first, signal.SIGKILL)
    site.until(lambda: workers() not in ([], [first]), "the new worker")
    site.ask("upload")
    site.wait("settled")


def test_it_ends_within_ten_seconds_and_takes_all_with_it(served):
    process, address = served
    family = descendants(process.pid)
    assert len(family) >= 3
    process.send_signal(signal.SIGTERM)
    assert ends_within(process, 10) == 0
    assert not [pid for pid in family if Path(f"/proc/{pid}").exists()]
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{address}/health/live", timeout=1)


def test_killed_it_leaves_nobody_on_its_port(site):
    process, address = site.serve()
    family = descendants(process.pid)
    process.kill()
    site.until(lambda: not [pid for pid in family if Path(f"/proc/{pid}").exists()], "the children to end", 10)
    assert not answers(f"{address}/health/live")


def test_a_taken_port_is_said_in_words(site):
    _, address = site.serve(LAGPDB_REDIS_URL="redis://127.0.0.1:1/0")
    port = address.rpartition(":")[2]
    started = time.monotonic()
    done = site.manage("serve", "--port", port, check=False)
    assert done.returncode == 1
    assert "Is the port in use? Try another one with --port." in done.stderr
    assert time.monotonic() - started < 30


def test_a_database_that_is_not_set_up_is_said_in_words(site, tmp_path):
    other = type(site)(tmp_path)
    done = other.manage("serve", check=False)
    other.close()
    assert done.returncode == 1
    assert "Run: python manage.py migrate" in done.stderr
