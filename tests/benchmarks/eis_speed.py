"""Speed of the impedance science against impedance.py on the same spectra: ``python tests/benchmarks/eis_speed.py``.

The peer runs in a virtual environment of its own (``.venv-peers``, numpy 1.26, made on the first call), because its
Kramers-Kronig test does not run under numpy 2. Both sides fit the same spectra in turn, so that whatever else the
computer does hits both alike: read the ratios, not the milliseconds. All spectra are SYNTHETIC.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from analysis.science import synthetic  # noqa: E402
from analysis.science.base import Subject  # noqa: E402
from analysis.science.circuit import CIRCUITS, Grid  # noqa: E402
from analysis.science.conductivity import Conductivity  # noqa: E402
from analysis.science.impedance import fit_spectrum  # noqa: E402
from analysis.science.kramers_kronig import kramers_kronig  # noqa: E402
from analysis.science.spectrum import prepare  # noqa: E402
from analysis.science.starts import Scan  # noqa: E402

PEERS = ROOT / ".venv-peers"
CAP_S = 5.0
GOALS = {"automatic fit": 6.0, "plain fit": 12.0, "Kramers-Kronig": 5.0}

PEER = r"""
import contextlib, io, json, signal, sys, time, warnings
import numpy as np
warnings.simplefilter("ignore")
from impedance.models.circuits import CustomCircuit
from impedance.validation import linKK

def give_up(signum, frame):
    raise TimeoutError

signal.signal(signal.SIGALRM, give_up)
for line in sys.stdin:
    job = json.loads(line)
    f = np.array(job["frequency_Hz"]); z = np.array(job["real"]) + 1j * np.array(job["imag"])
    out = {}
    signal.setitimer(signal.ITIMER_REAL, job["cap_s"])
    begin = time.perf_counter()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            if job["task"] == "fit":
                circuit = CustomCircuit(job["circuit"], initial_guess=job["start"])
                circuit.fit(f, z, sigma=np.hstack([np.abs(z), np.abs(z)]))
                names, values = circuit.get_param_names()[0], circuit.parameters_
                out["total"] = float(sum(v for n, v in zip(names, values) if n.startswith("R")))
            else:
                M, mu, fitted, real, imag = linKK(f, z, c=0.85, max_M=50, fit_type="complex", add_cap=True)
                out["M"], out["rms"] = int(M), float(np.sqrt(np.mean(real**2 + imag**2)))
    except TimeoutError:
        out["timeout"] = True
    except Exception as error:
        out["error"] = f"{type(error).__name__}: {error}"
    signal.setitimer(signal.ITIMER_REAL, 0)
    out["seconds"] = time.perf_counter() - begin
    print(json.dumps(out), flush=True)
"""


class Peer:
    """impedance.py behind a pipe."""

    def __init__(self) -> None:
        python = PEERS / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        if subprocess.run([python, "-c", "import impedance.models.circuits"], capture_output=True).returncode:
            # impedance.py imports pandas without declaring it.
            needed = ["impedance==1.7.1", "numpy<2", "pandas<3"]
            subprocess.run([python, "-m", "pip", "install", "-q", *needed], check=True)
        self.process = subprocess.Popen([python, "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, task: str, spectrum: synthetic.RandomSpectrum, **more: Any) -> dict[str, Any]:
        """One fit or one test, timed inside the peer's process."""
        job = {
            "task": task,
            "frequency_Hz": spectrum.frequency_Hz.tolist(),
            "real": spectrum.z_ohm.real.tolist(),
            "imag": spectrum.z_ohm.imag.tolist(),
            "cap_s": CAP_S,
            **more,
        }
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        """End the peer."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=30)


def timed(function: Any, *arguments: Any) -> tuple[float, Any]:
    """Seconds and result."""
    begin = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - begin, result


def peer_start(spectrum: synthetic.RandomSpectrum, letter: str) -> tuple[str, list[float]]:
    """Our own first start value for a circuit, in the peer's words."""
    prepared = prepare(spectrum.frequency_Hz, spectrum.z_ohm)
    grid = Grid.of(prepared.frequency_Hz, prepared.z_ohm)
    scan = Scan(grid, prepared.z_ohm, 1.0 / np.abs(prepared.z_ohm))
    circuit = CIRCUITS[letter]
    theta = scan.starts(circuit, 1)[0]
    text, start = ["L0"], [max(float(theta[-1]) * grid.inductance_scale_H, 1e-9)]
    if circuit.has_resistor:
        text.append("R0")
        start.append(float(np.exp(theta[0])))
    for k in range(1, circuit.arc_count + 1):
        log_r, log_tau, n = theta[circuit.first_arc_index + 3 * (k - 1) :][:3]
        text.append(f"p(R{k},CPE{k})")
        start += [float(np.exp(log_r)), float(np.exp(n * log_tau - log_r)), float(n)]
    at = circuit.tail_index
    text.append(f"CPE{circuit.arc_count + 1}")
    start += [float(np.exp(-theta[at] - theta[at + 1] * np.log(grid.tail_omega))), float(theta[at + 1])]
    return "-".join(text), start


def run(count: int, peer_count: int, seed: int) -> bool:
    """Measure and print; whether all goals are met."""
    rng = np.random.default_rng(seed)
    spectra = [synthetic.random_spectrum(rng) for _ in range(count)]
    letters = {"resistor_arc": "B", "two_arcs": "C"}
    subject = Subject(
        "cell", "CEL-0001", "blocking", thickness_um=800.0, thickness_uncertainty_um=3.0, electrode_area_cm2=0.785
    )
    peer = Peer()
    times: dict[str, list[float]] = {name: [] for name in ("auto", "plain", "kk", "run", "peer_fit", "peer_kk")}
    good = {"ours": 0, "peer": 0, "timeout": 0}
    residuals, same_m = [], 0
    for spectrum in spectra[:3]:
        fit_spectrum(spectrum.frequency_Hz, spectrum.z_ohm)
        peer.ask("kk", spectrum)
    for i, spectrum in enumerate(spectra):
        frequency, z, truth = spectrum.frequency_Hz, spectrum.z_ohm, spectrum.total_resistance_ohm
        letter = letters[spectrum.family]
        seconds, fit = timed(fit_spectrum, frequency, z)
        times["auto"].append(seconds)
        seconds, test = timed(kramers_kronig, frequency, z)
        times["kk"].append(seconds)
        frame = pd.DataFrame({"frequency_Hz": frequency, "z_real_ohm": z.real, "z_imag_ohm": z.imag})
        known = {"temperature_degC": 25.0, "temperature_origin": "file"}
        times["run"].append(timed(Conductivity().run, frame, subject, known)[0])
        if i >= peer_count:
            continue
        times["plain"].append(timed(fit_spectrum, frequency, z, letter)[0])
        circuit, start = peer_start(spectrum, letter)
        answer = peer.ask("fit", spectrum, circuit=circuit, start=start)
        times["peer_fit"].append(min(answer["seconds"], CAP_S))
        good["timeout"] += "timeout" in answer
        good["peer"] += abs(answer.get("total", np.inf) / truth - 1.0) < 0.01
        good["ours"] += abs(fit.total_resistance_ohm / truth - 1.0) < 0.01
        answer = peer.ask("kk", spectrum)
        times["peer_kk"].append(answer["seconds"])
        same_m += answer.get("M") == test.M
        residuals.append(test.rms_fraction / answer.get("rms", np.nan))
    peer.close()
    return report(times, good, residuals, same_m, peer_count)


def report(times: dict[str, list[float]], good: dict[str, int], residuals: list[float], same_m: int, n: int) -> bool:
    """Print the table; whether all goals are met."""
    median = {name: 1000.0 * float(np.median(values)) for name, values in times.items()}
    print(f"{'':34}{'ours ms':>9}{'peer ms':>9}{'ratio':>8}  goal")
    is_met = []
    for name, ours, theirs in (
        ("automatic fit", "auto", "peer_fit"),
        ("plain fit", "plain", "peer_fit"),
        ("Kramers-Kronig", "kk", "peer_kk"),
    ):
        ratio = median[theirs] / median[ours]
        is_met.append(ratio >= GOALS[name])
        print(
            f"{name:34}{median[ours]:9.2f}{median[theirs]:9.1f}{ratio:8.1f}  ≥ {GOALS[name]:g} "
            f"{'pass' if is_met[-1] else 'FAIL'}"
        )
    slowest = 1000.0 * max(times["auto"])
    is_met.append(slowest <= 250.0)
    print(
        f"{'slowest automatic fit of ' + str(len(times['auto'])):34}{slowest:9.1f}{'':17}  ≤ 250 ms "
        f"{'pass' if is_met[-1] else 'FAIL'}"
    )
    is_met.append(median["run"] <= 20.0)
    print(f"{'whole Conductivity.run':34}{median['run']:9.2f}{'':17}  ≤ 20 ms {'pass' if is_met[-1] else 'FAIL'}")
    print(
        f"R within 1 %: ours {good['ours']}/{n}, peer {good['peer']}/{n} (stopped after {CAP_S:g} s: {good['timeout']})"
    )
    print(
        f"Kramers-Kronig: same M {same_m}/{n}; residual ours/peer median {np.median(residuals):.4f}, "
        f"largest {np.max(residuals):.4f}"
    )
    return all(is_met)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spectra", type=int, default=200)
    parser.add_argument("--peer-spectra", type=int, default=40)
    parser.add_argument("--seed", type=int, default=20240611)
    arguments = parser.parse_args()
    return 0 if run(arguments.spectra, min(arguments.peer_spectra, arguments.spectra), arguments.seed) else 1


if __name__ == "__main__":
    raise SystemExit(main())
