"""From a folder of impedance files to σ(T) and E_a, through the API alone.

Notebook-style: each ``# %%`` begins a cell, for Jupyter (jupytext), Spyder, VS Code or PyCharm; or run it as it is::

    export LAGPDB_URL=http://127.0.0.1:8000 LAGPDB_TOKEN=…
    python docs/sigma_of_temperature.py FOLDER [CODE]    # CODE of the cell, if the file names have none
    python docs/sigma_of_temperature.py "" CEL-0001      # only read and plot what is there already

The token comes from ``manage.py create_token NAME --scope upload --days 30``; ``read`` is enough for reading alone.
Needs requests, pandas and matplotlib. Files that were sent before are recognised by their content, not stored twice.
"""

# %% Where, who, what
import contextlib
import os
import sys
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import requests

BASE = os.environ.get("LAGPDB_URL", "http://127.0.0.1:8000").rstrip("/") + "/api/v1/"
FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("LAGPDB_FOLDER", "")
SUBJECT = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("LAGPDB_SUBJECT", "")
PICTURE = Path(os.environ.get("LAGPDB_PICTURE", "sigma_of_temperature.png"))
FINAL = {"done", "failed", "needs_sample", "duplicate", "extends", "attachment"}
BOLTZMANN_EV_K = 8.617333262e-5

session = requests.Session()
session.headers["Authorization"] = f"Token {os.environ['LAGPDB_TOKEN']}"


def answer_of(response: requests.Response) -> dict:
    """The JSON of an answer; an error of the API becomes an exception with its own sentence."""
    if response.ok:
        return response.json()
    try:
        problem = response.json()
    except requests.JSONDecodeError:
        problem = {}
    sentences = [item.get("detail") or item.get("title") for item in [*problem.get("errors", []), problem]]
    raise SystemExit(f"{response.status_code}: {' '.join(filter(None, sentences)) or response.reason}")


def rows_of(collection: str, **filters: str | int) -> pd.DataFrame:
    """All rows of a list, page after page, as a DataFrame."""
    rows: list[dict] = []
    page = answer_of(session.get(BASE + collection, params={"limit": 1000, **filters}, timeout=60))
    rows += page["results"]
    while page["next"]:
        page = answer_of(session.get(page["next"], timeout=60))
        rows += page["results"]
    return pd.DataFrame(rows)


# %% Upload a folder: one request, many files; codes and temperatures stand in the file names
def send(folder: str, subject: str = "") -> dict:
    """Upload every file of a folder and return the upload."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file() and not path.name.startswith("."))
    if not paths:
        raise SystemExit(f"There is no file in {folder}.")
    with contextlib.ExitStack() as stack:
        parts = [("files", (path.name, stack.enter_context(path.open("rb")))) for path in paths]
        data = {"subject": subject} if subject else {}
        return answer_of(session.post(BASE + "uploads/", files=parts, data=data, timeout=600))


def settled(upload: dict, timeout_s: float = 300.0) -> list[dict]:
    """The files of an upload once every one is final: `done` means that all its runs are, E_a included."""
    until = time.monotonic() + timeout_s
    while any(file["state"] not in FINAL for file in upload["files"]):
        if time.monotonic() > until:
            raise SystemExit(f"{upload['code']} is not done after {timeout_s:.0f} s. Is a worker running?")
        time.sleep(0.5)
        upload = answer_of(session.get(f"{BASE}uploads/{upload['code']}/", timeout=60))
    return upload["files"]


files = settled(send(FOLDER, SUBJECT)) if FOLDER else []
for file in files:
    print(f"{file['name']}: {file['state']} {file['message']}".rstrip())

# %% Which cells these were
codes = sorted({code for file in files for code in file["measurements"]})
subjects = {answer_of(session.get(f"{BASE}measurements/{code}/", timeout=60))["subject"] for code in codes}
cells = sorted(subjects | ({SUBJECT} if SUBJECT else set()))
if not cells:
    raise SystemExit("No file found its sample. Name the cell in the file names (CEL-0001_25C.txt) or give its code.")

# %% Their numbers: current results, one row each, values with standard uncertainty
QUANTITIES = "ionic_conductivity_S_cm,activation_energy_eV,conductivity_prefactor_S_K_cm"
frames = [rows_of("results/", subject=cell, quantity__in=QUANTITIES) for cell in cells]
frames = [frame for frame in frames if not frame.empty]
if not frames:
    raise SystemExit(f"There are no conductivities of {', '.join(cells)} yet.")
results = pd.concat(frames, ignore_index=True)
usable = results[(results["flag"] == "ok") & (results["acceptance"] == "accepted")]
left_out = len(results) - len(usable)
if left_out:
    print(f"{left_out} flagged or not accepted numbers are left out.")

conductivity = usable[usable["quantity"] == "ionic_conductivity_S_cm"].sort_values(["subject", "temperature_degC"])
columns = ["subject", "temperature_degC", "value", "uncertainty", "measurement"]
print(conductivity[columns].to_string(index=False, float_format="{:.4g}".format))


def number_of(cell: str, quantity: str, label: str = "") -> pd.Series | None:
    """The one number of a cell; None where there is none."""
    found = usable[(usable["subject"] == cell) & (usable["quantity"] == quantity)]
    found = found[found["label"] == label] if label else found
    return None if found.empty else found.iloc[0]


# %% σ(T), the Arrhenius lines that lagpdb fitted, and E_a
figure, axis = plt.subplots(figsize=(6.4, 4.8), layout="constrained")
for cell, points in conductivity.groupby("subject"):
    kelvin = points["temperature_degC"].to_numpy(float) + 273.15
    sigma_t = points["value"].to_numpy(float) * kelvin
    spread = points["uncertainty"].to_numpy(float) * kelvin
    marks = axis.errorbar(1000 / kelvin, sigma_t, yerr=spread, fmt="o", markersize=4, capsize=2)
    energy = number_of(cell, "activation_energy_eV", "sigma_T")
    prefactor = number_of(cell, "conductivity_prefactor_S_K_cm")
    text = str(cell)
    if energy is not None and prefactor is not None:
        line = np.linspace(kelvin.min(), kelvin.max(), 50)
        model = prefactor["value"] * np.exp(-energy["value"] / (BOLTZMANN_EV_K * line))
        axis.plot(1000 / line, model, color=marks[0].get_color(), linewidth=1)
        text += f": E$_a$ = {energy['value']:.4f} ± {energy['uncertainty']:.4f} eV"
        print(f"{cell}: E_a = {energy['value']:.4f} ± {energy['uncertainty']:.4f} eV (from ln σT)")
    marks.set_label(text)
axis.set_yscale("log")
axis.set_xlabel("1000 K / T")
axis.set_ylabel("σT (S K cm⁻¹)")
celsius = axis.secondary_xaxis("top", functions=(lambda x: 1000 / x - 273.15, lambda t: 1000 / (t + 273.15)))
celsius.set_xlabel("T (°C)")
axis.legend(frameon=False)
if results["is_synthetic"].any():
    axis.set_title("Synthetic data: not measured", fontsize="medium", color="tab:red")
figure.savefig(PICTURE, dpi=150)
print(f"Plot: {PICTURE}")
