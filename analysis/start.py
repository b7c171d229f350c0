"""Where people start and look things up: dashboard, glossary, help."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count as counting
from typing import Any

from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from analysis.models import Result
from analysis.panels import MAIN
from analysis.queueing import analyses, combinations
from analysis.science.quantities import QUANTITIES
from lagpdb.models import Revision
from lagpdb.pages import name_of
from lagpdb.units import power_of_ten
from measurements.formats import formats
from measurements.growing import offers
from measurements.kinds import KINDS
from measurements.models import Measurement, UploadFile
from samples.clocks import running_clocks
from samples.models import PowderLot

LIST = 5
STRIP_WIDTH, STRIP_LEFT, STRIP_RIGHT = 420, 12, 12
STRIP_DOTS, STRIP_ROWS = 120, 1000
NEAR_25_DEGC = (23.0, 27.0)
GROUPS = {
    "eis": "Impedance",
    "conductivities": "Conductivity against temperature",
    "polarisation": "Polarisation",
    "transference": "Transference number",
    "ccd_ramp": "Critical current ramp",
    "plating_stripping": "Plating and stripping",
    "cycling": "Cycling",
    "rate_test": "Rate test",
    "xrd": "X-ray diffraction",
    "afm": "Film thickness",
    "sputter_rate": "Sputter rate",
    "xps": "Photoelectron spectrum",
}
TOPICS = {
    "start": "Start here",
    "bench": "At the bench: forms, labels, search",
    "upload": "Upload files, and what their states mean",
    "conductivity": "Conductivity and activation energy",
    "symmetric": "Symmetric cells: transference, critical current, plating",
    "cycling": "Cycling and rate tests",
    "flags": "Flags, warnings, accepted and provisional",
    "formats": "File formats",
    "paper": "The paper check and the reference set",
    "api": "The same data in Python",
    "backup": "Backup and restore",
}


# --- Dashboard --------------------------------------------------------------------------------------------------------
def dashboard(request: HttpRequest) -> HttpResponse:
    """P1, first version: what needs you, latest results, the bench, changes, pristine against coated."""
    needs = _needs()
    latest = _latest()
    context = {
        "today": timezone.localdate(),
        "needs": needs,
        "needs_count": sum(item["count"] for item in needs),
        "latest": latest,
        "changes": _changes(),
        "strip": conductivity_strip(),
        **running_clocks(),
        "is_empty": not latest and not PowderLot.objects.exists() and not UploadFile.objects.exists(),
    }
    return render(request, "dashboard.html", context)


def _needs() -> list[dict[str, Any]]:
    """Files without a sample or beside an older test, files that failed, numbers that wait for a person."""
    found = []
    files = UploadFile.objects.filter(state="needs_sample", upload__withdrawn_at__isnull=True).order_by("-pk")
    waiting = list(files.only("name", "message", "state", "relation", "candidates"))
    undecided = [file for file in waiting if offers(file.state, file.relation)]
    if count := len(undecided):
        first = undecided[0]
        found.append({"icon": "inbox", "count": count, "text": f"{first.name}: {first.message}", "act": "Decide",
                      "title": _counted(count, "file waits", "files wait") + " for a decision",
                      "address": reverse("inbox")})  # fmt: skip
    nameless = [file for file in waiting if file not in undecided]
    if count := len(nameless):
        first = nameless[0]
        candidates = [str(item.get("code", item) if isinstance(item, dict) else item) for item in first.candidates][:3]
        why = f": {first.message}" if first.message else " names no sample"
        could = f" could be {' or '.join(candidates)}" if candidates else why
        found.append(
            {
                "icon": "inbox",
                "count": count,
                "text": f"“{first.name}”{could}",
                "address": reverse("inbox"),
                "act": "Choose sample",
                "title": _counted(count, "file has", "files have") + " no sample",
            }
        )
    failed = UploadFile.objects.filter(state="failed", upload__withdrawn_at__isnull=True).order_by("-pk")
    if count := failed.count():
        first = failed.select_related("upload").first()
        found.append({"icon": "alert", "count": count, "text": f"{first.name}: {first.message}", "act": "Look at it",
                      "title": _counted(count, "file", "files") + " could not be read",
                      "address": reverse("upload_detail", args=[first.upload.code])})  # fmt: skip
    # A resistance that the spectrum does not separate is no question to a person; a missing main value is.
    waits = Q(results__is_current=True, results__acceptance="provisional")
    provisional = Measurement.objects.live().filter(
        waits & (Q(results__value__isnull=False) | Q(results__quantity__in=MAIN))
    )
    waiting_numbers = provisional.annotate(count=Count("results")).select_related("cell", "pellet", "witness_plate")
    waiting_numbers = waiting_numbers.order_by("-pk")
    total = waiting_numbers.count()
    for measurement in waiting_numbers[:LIST]:
        results = measurement.results.filter(is_current=True, acceptance="provisional").order_by("pk")
        names = ", ".join(dict.fromkeys(QUANTITIES[r.quantity].name for r in results if r.quantity in QUANTITIES))
        found.append({"icon": "flag", "count": 1, "act": "Look at it", "title": f"{measurement.code} waits for you",
                      "text": f"{measurement.subject.code}: {names}: {results[0].get_flag_display().lower()}",
                      "address": reverse("measurement_detail", args=[measurement.code])})  # fmt: skip
    if total > LIST:
        found[-1]["more"] = total - LIST
        found[-1]["count"] += total - LIST
    return found


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _latest() -> list[dict[str, Any]]:
    """The newest measurements that gave a main value."""
    rows = (
        Result.objects.current()
        .filter(quantity__in=MAIN, measurement__isnull=False, value__isnull=False)
        .select_related("measurement__witness_plate", "cell", "pellet")
        .order_by("-pk")[: 40 * LIST]
    )
    by_measurement: dict[int, Result] = {}
    for result in rows:
        known = by_measurement.get(result.measurement_id)
        if known is None or MAIN.index(result.quantity) < MAIN.index(known.quantity):
            by_measurement[result.measurement_id] = result
    return [{"result": r, "subject": r.subject} for r in list(by_measurement.values())[: LIST + 3]]


def _changes() -> list[dict[str, Any]]:
    """What people changed last; what the software does by itself is left out."""
    revisions = Revision.objects.select_related("by").filter(by__isnull=False)
    # New measurements stand under the latest results already.
    revisions = revisions.exclude(record_type="measurements.measurement", action="created")[: LIST + 3]
    return [
        {
            "code": revision.record_code,
            "text": _change_text(revision),
            "reason": revision.reason,
            "by": name_of(revision.by),
            "at": revision.at,
        }
        for revision in revisions
    ]


def _change_text(revision: Revision) -> str:
    names = [name.rsplit("_", 1)[0] if name.endswith("_at") else name for name in revision.changes]
    if revision.action != "changed" or not names:
        return str(revision.get_action_display()).lower()
    if "acceptance" in revision.changes:
        quantity = revision.changes.get("quantity", ["", ""])[1]
        name = QUANTITIES[quantity].name if quantity in QUANTITIES else "a number"
        return f"{name}: {revision.changes['acceptance'][1]}"
    from lagpdb.units import label

    shown = ", ".join(label(name).partition(" (")[0].lower() for name in names[:3])
    return f"{shown} changed" + (f" and {len(names) - 3} more" if len(names) > 3 else "")


# --- Pristine and coated ----------------------------------------------------------------------------------------------
def conductivity_strip() -> dict[str, Any] | None:
    """Accepted conductivities near 25 °C as dots, the latest of each pellet; measured and synthetic never mixed."""
    newest = (
        Result.objects.usable()
        .filter(quantity="ionic_conductivity_S_cm", temperature_degC__range=NEAR_25_DEGC, cell__isnull=False)
        .order_by("-pk")
        .values("pellet_id", "value", "is_synthetic", "cell__is_coated", "measurement__code")
    )
    # A strip holds so many dots and no more; a large lab sees its newest pellets.
    rows = list(newest[: STRIP_ROWS + 1])
    measured = [row for row in rows if not row["is_synthetic"]]
    used = measured or rows
    latest: dict[int, dict[str, Any]] = {}
    for row in used:
        latest.setdefault(row["pellet_id"], row)
    if not latest:
        return None
    is_cut = len(rows) > STRIP_ROWS or len(latest) > STRIP_DOTS
    latest = dict(list(latest.items())[:STRIP_DOTS])
    groups: dict[str, list[tuple[float, str]]] = {"pristine": [], "coated": []}
    for row in latest.values():
        group = "coated" if row["cell__is_coated"] else "pristine"
        groups[group].append((row["value"], row["measurement__code"] or ""))
    return {
        "groups": _dots(groups),
        "ticks": _ticks(value for dots in groups.values() for value, _ in dots),
        "width": STRIP_WIDTH,
        "is_synthetic": not measured,
        "left_out": len(rows) - len(used),
        "is_cut": is_cut,
        "counts": {name: len(dots) for name, dots in groups.items()},
    }


def _scale(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    pad = 0.12 * (high - low) or 0.2 * high
    return low - pad, high + pad


def _dots(groups: dict[str, list[tuple[float, str]]]) -> list[dict[str, Any]]:
    """Places of the dots; those that would overlap are stacked."""
    low, high = _scale([value for dots in groups.values() for value, _ in dots])
    inner, found = STRIP_WIDTH - STRIP_LEFT - STRIP_RIGHT, []
    for line, (name, dots) in enumerate(groups.items()):
        taken: list[tuple[float, int]] = []
        for value, code in sorted(dots):
            x = STRIP_LEFT + inner * (value - low) / (high - low)
            level = next(n for n in counting() if all(abs(x - other) > 9 or n != height for other, height in taken))
            taken.append((x, level))
            y = 26 + 34 * line - 8 * min(level, 3)
            found.append({"group": name, "x": f"{x:.1f}", "y": y, "value": value, "code": code})
    return found


def _ticks(values: Iterable[float]) -> dict[str, Any]:
    """Three to six ticks in steps of 1, 2 or 5, in a power of ten that stands in the heading."""
    from math import ceil, floor, log10

    low, high = _scale(list(values))
    power = floor(log10(high))
    rough = (high - low) / 4
    base = 10.0 ** floor(log10(rough))
    step = next(s * base for s in (1, 2, 5, 10) if s * base >= rough)
    inner = STRIP_WIDTH - STRIP_LEFT - STRIP_RIGHT
    places = [n * step for n in range(ceil(low / step), floor(high / step) + 1)]
    marks = [
        {"x": f"{STRIP_LEFT + inner * (value - low) / (high - low):.1f}", "text": f"{value / 10.0**power:.3g}"}
        for value in places
    ]
    return {"marks": marks, "unit": f"{power_of_ten(power)} S cm⁻¹" if power else "S cm⁻¹"}


# --- Glossary and help ------------------------------------------------------------------------------------------------
def glossary(request: HttpRequest) -> HttpResponse:
    """P33: the words and formulas, from the definitions that the program itself uses."""
    makers: dict[str, list[str]] = {}
    for kind in (*analyses().values(), *combinations().values()):
        for slug in kind.yields:
            makers.setdefault(slug, []).append(f"{kind.slug} version {kind.version}")
    groups: dict[str, list[dict[str, Any]]] = {}
    for quantity in QUANTITIES.values():
        entry = {"quantity": quantity, "made_by": ", ".join(makers.get(quantity.slug, ()))}
        groups.setdefault(GROUPS.get(quantity.group, quantity.group), []).append(entry)
    return render(request, "glossary.html", {"groups": groups, "flags": Result.Flag.choices})


def help_page(request: HttpRequest, topic: str = "start") -> HttpResponse:
    """Short task pages."""
    if topic not in TOPICS:
        raise Http404("There is no help page of that name.")
    context: dict[str, Any] = {"topic": topic, "title": TOPICS[topic], "topics": TOPICS}
    if topic == "formats":
        context["readers"] = formats()
    if topic == "upload":
        context["kinds"] = KINDS
    return render(request, f"help/{topic}.html", context)
