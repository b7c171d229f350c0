"""Pages about numbers: the measurement with its runs, figures as JSON and CSV, and the decisions people take there."""

from __future__ import annotations

from typing import Any

import pandas as pd
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.views.decorators.http import require_POST

from analysis import choices, panels, plots, start
from analysis.comparison import compared
from analysis.decisions import judge, reanalyse
from analysis.figures.parts import rounded
from analysis.lists import ResultList
from analysis.models import AnalysisRun, Result
from analysis.panels import is_working, measurement_context
from analysis.paper_pages import paper_check, paper_csv, paper_row
from analysis.rates import sputter_rates
from analysis.science.quantities import QUANTITIES
from analysis.search import search
from lagpdb.pages import get_record
from lagpdb.quantity import QuantityError, parse_quantity
from lagpdb.records import StaleVersion, normal_code, save_record
from lagpdb.roles import role_required
from lagpdb.synthetic import SENTENCE
from measurements import moving
from measurements.forms import MoveForm
from measurements.models import Measurement
from measurements.parameters import check_parameters
from measurements.store import StoreError, rows_of
from samples.models import Cell

RELATED = (
    "cell__pellet__batch__powder_lot__material",
    "pellet__batch__powder_lot__material",
    "instrument",
    "operator",
)
ROWS_PER_PAGE = 200
CSV = "text/csv; charset=utf-8"


def _measurement(code: str) -> Measurement:
    return get_record(Measurement, code, *RELATED)  # type: ignore[return-value]


# --- The measurement --------------------------------------------------------------------------------------------------
def measurement_detail(request: HttpRequest, code: str) -> HttpResponse:
    """P14: values, plots, how they were calculated, checks, runs, source, raw table."""
    measurement = _measurement(code)
    if measurement.code != code:
        return redirect("measurement_detail", code=measurement.code)
    return render(request, "measurements/measurement.html", measurement_context(request, measurement))


def measurement_live(request: HttpRequest, code: str) -> HttpResponse:
    """What the page asks every 2 s while work is open: the progress line, then once the whole body."""
    measurement = _measurement(code)
    if is_working(measurement):
        open_runs = measurement.runs.filter(state__in=["queued", "running"])
        context = {"record": measurement, "open_runs": open_runs, "is_reading": panels.is_reading(measurement)}
        return render(request, "measurements/_measurement_live.html", context)
    response = render(request, "measurements/_measurement_body.html", measurement_context(request, measurement))
    response["HX-Retarget"], response["HX-Reswap"] = "#measurement-body", "outerHTML"
    return response


def measurement_runs(request: HttpRequest, code: str) -> HttpResponse:
    """P15: runs side by side."""
    measurement = _measurement(code)
    return render(request, "measurements/measurement_runs.html", {"record": measurement, **compared(measurement)})


def measurement_table(request: HttpRequest, code: str) -> HttpResponse:
    """The parsed table as it stands in the file, page by page."""
    measurement = _measurement(code)
    context: dict[str, Any] = {"record": measurement}
    wanted = request.GET.get("page", "1")
    page = max(int(wanted), 1) if wanted.isdigit() else 1
    try:
        part, row_count = rows_of(measurement, (page - 1) * ROWS_PER_PAGE, ROWS_PER_PAGE)
        last = max((row_count - 1) // ROWS_PER_PAGE + 1, 1)
        if page > last:
            page = last
            part, _ = rows_of(measurement, (page - 1) * ROWS_PER_PAGE, ROWS_PER_PAGE)
    except (StoreError, OSError) as error:
        return render(request, "measurements/measurement_table.html", {**context, "problem": str(error)})
    first = (page - 1) * ROWS_PER_PAGE
    context |= {
        "headings": [plots.column_label(name) for name in part.columns],
        "rows": [(first + i, [plots.cell_text(v) for v in row]) for i, row in enumerate(plots.plain_rows(part))],
        "page": page,
        "last_page": last,
        "row_count": row_count,
        "pages": {"before": page - 1 if page > 1 else None, "after": page + 1 if page < last else None},
    }
    return render(request, "measurements/measurement_table.html", context)


# --- Decisions --------------------------------------------------------------------------------------------------------
def _say(request: HttpRequest, error: ValidationError) -> None:
    for sentence in error.messages:
        messages.error(request, sentence)


@role_required("member")
def measurement_reanalyse(request: HttpRequest, code: str) -> HttpResponse:
    """Queue a new run with a person's choices; what cannot be read comes back as it was typed."""
    measurement = _measurement(code)
    if request.method != "POST":  # the page of a refused form, loaded again
        return redirect("measurement_detail", code=measurement.code)
    reason = request.POST.get("reason", "").strip()
    try:
        parameters = check_parameters(choices.read(measurement.kind, request.POST))
        if any(parameters.values()) and not reason:
            raise ValidationError("Say why you choose this: the reason is kept with the run.")
        reanalyse(measurement, parameters=parameters, by=request.user, reason=reason)
    except ValidationError as error:
        context = measurement_context(request, measurement)
        context |= panels.rerun_form(measurement, request.POST.dict(), error.messages)
        return render(request, "measurements/measurement.html", context, status=422)
    messages.success(request, "The analysis runs again. The present numbers stay until it is done.")
    return redirect("measurement_detail", code=measurement.code)


@require_POST
@role_required("member")
def measurement_temperature(request: HttpRequest, code: str) -> HttpResponse:
    """Correct an assumed or misread temperature; its numbers are computed again."""
    measurement = _measurement(code)
    version = request.POST.get("version", "")
    try:
        value = parse_quantity(request.POST.get("temperature_degC", ""), "degC", allow_limit=False).value
        measurement.temperature_degC = value
        measurement.temperature_origin = Measurement.TemperatureOrigin.PERSON
        reason = request.POST.get("reason", "").strip()
        save_record(measurement, by=request.user, reason=reason, version=int(version) if version.isdigit() else None)
    except QuantityError as error:
        messages.error(request, f"Temperature: {error.sentence}")
    except ValidationError as error:
        _say(request, error)
    except StaleVersion as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"The temperature is {value:g} °C. The numbers are computed again.")
    return redirect("measurement_detail", code=normal_code(code))


@role_required("member")
def measurement_move(request: HttpRequest, code: str) -> HttpResponse:
    """Put a measurement on another sample, with the others of its file when a person wants that."""
    measurement = _measurement(code)
    if request.method != "POST":  # the page of a refused form, loaded again
        return redirect("measurement_detail", code=measurement.code)
    form = MoveForm(request.POST)
    refused = [sentence for errors in form.errors.values() for sentence in errors]
    if form.is_valid():
        said = form.cleaned_data
        chosen = (said["is_together"] and moving.together([measurement])) or [measurement]
        why = {"by": request.user, "reason": said["reason"], "version": said["version"]}
        try:
            moved = moving.move(chosen, said["subject"], **why)
        except (ValidationError, StaleVersion) as error:
            refused = error.messages if isinstance(error, ValidationError) else [str(error)]
        else:
            codes, where = ", ".join(item.code for item in moved), moved[0].subject.code
            messages.success(request, f"{codes} moved to {where}. The numbers are computed again.")
            return redirect("measurement_detail", code=measurement.code)
    context = measurement_context(request, _measurement(code))
    context |= {"typed_move": form.data, "refused_move": refused}
    return render(request, "measurements/measurement.html", context, status=422)


@require_POST
@role_required("member")
def result_judge(request: HttpRequest, result_id: int) -> HttpResponse:
    """Accept or reject one number, with a reason."""
    result = get_object_or_404(Result.objects.select_related("measurement", "cell"), pk=result_id)
    acceptance, version = request.POST.get("acceptance", ""), request.POST.get("version", "")
    reason = request.POST.get("reason", "").strip()
    try:
        if not reason:
            raise ValidationError("Say why: the reason is kept with the number.")
        judge(result, acceptance, by=request.user, reason=reason, version=int(version) if version.isdigit() else None)
    except ValidationError as error:
        _say(request, error)
    except StaleVersion:
        messages.error(request, "Somebody else decided about this number meanwhile. Look again, then decide.")
    else:
        name = QUANTITIES[result.quantity].name if result.quantity in QUANTITIES else result.quantity
        messages.success(request, f"{name}: {acceptance}.")
    if result.measurement_id:
        return redirect("measurement_detail", code=result.measurement.code)
    if result.sputter_setting_id:
        return redirect("sputter_rates")
    return redirect("cell_detail", code=result.cell.code) if result.cell_id else redirect("dashboard")


# --- Figures ----------------------------------------------------------------------------------------------------------
def run_figure(request: HttpRequest, run_id: int, name: str, form: str) -> HttpResponseBase:
    """One figure of a run: JSON for plot.js, CSV for people."""
    runs = AnalysisRun.objects.select_related("measurement__cell__pellet", "cell__pellet", "sputter_setting")
    if request.GET.get("cycles"):
        runs = runs.defer("curves")  # large, and seldom needed beside the rows of the cycles asked for
    run = get_object_or_404(runs, pk=run_id)
    try:
        figure = plots.figure_of_run(run, name, request.GET.dict())
    except (StoreError, OSError) as error:
        return JsonResponse({"detail": str(error)}, status=503)
    if figure is None:
        raise Http404("This run has no such figure.")
    code = run.measurement.code if run.measurement else run.subject.code
    made_by = f"run {run.pk}, {run.analysis} version {run.version}, lagpdb {run.software_version}"
    comments: tuple[str, ...] = (code, figure["summary"], made_by)
    if plots.run_is_synthetic(run):
        comments = (SENTENCE, *comments)
    if form != "csv":
        return _figure(figure, form, f"{code}_{name}", {}, comments)
    try:
        numbers: Any = plots.full_columns(run, name)
    except (StoreError, OSError) as error:
        numbers = plots.columns(name, run.curves)
        comments += (f"only the points of the drawing: {error}",)
    return _figure(figure, form, f"{code}_{name}", numbers, comments)


def measurement_figure(request: HttpRequest, code: str, name: str, form: str) -> HttpResponseBase:
    """One figure of the raw recording."""
    measurement = _measurement(code)
    curves = plots.raw_curves(measurement)
    if name not in ("nyquist", "bode") or curves is None:
        raise Http404("This measurement has no such figure.")
    figure = plots.BUILDERS[name](curves, plots.sample_of(None, measurement), request.GET.dict())
    comments: tuple[str, ...] = (measurement.code, figure["summary"], "as in the file, no analysis")
    if measurement.is_synthetic:
        comments = (SENTENCE, *comments)
    return _figure(figure, form, f"{measurement.code}_{name}", plots.columns(name, curves), comments)


def cell_figure(request: HttpRequest, code: str, name: str, form: str) -> HttpResponseBase:
    """A figure over several measurements of one cell."""
    cell = get_record(Cell, code, "pellet__batch")
    drawn = plots.trend_of_cell(cell, request.GET.dict()) if name == "trend" else None
    if drawn is None:
        raise Http404("This cell has no such figure.")
    figure, numbers = drawn
    comments: tuple[str, ...] = (cell.code, figure["summary"], "current results")
    if cell.is_synthetic:
        comments = (SENTENCE, *comments)
    return _figure(figure, form, f"{cell.code}_{name}", numbers, comments)


def _figure(figure: Any, form: str, name: str, columns: Any, comments: tuple[str, ...]) -> HttpResponseBase:
    if form == "json":
        return JsonResponse(rounded(figure), json_dumps_params={"ensure_ascii": False})  # a third shorter
    if form != "csv":
        raise Http404("Figures come as json or csv.")
    if isinstance(columns, pd.DataFrame):
        response: HttpResponseBase = StreamingHttpResponse(plots.csv_parts(columns, comments), content_type=CSV)
    else:
        response = HttpResponse(plots.csv_text(columns, comments), content_type=CSV)
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


urlpatterns = [
    path("", start.dashboard, name="dashboard"),
    path("search/", search, name="search"),
    path("results/", ResultList.as_view(), name="result_list"),
    path("glossary/", start.glossary, name="glossary"),
    path("help/", start.help_page, name="help"),
    path("help/<slug:topic>/", start.help_page, name="help_topic"),
    path("measurements/<str:code>/", measurement_detail, name="measurement_detail"),
    path("measurements/<str:code>/live/", measurement_live, name="measurement_live"),
    path("measurements/<str:code>/runs/", measurement_runs, name="measurement_runs"),
    path("measurements/<str:code>/table/", measurement_table, name="measurement_table"),
    path("measurements/<str:code>/reanalyse/", measurement_reanalyse, name="measurement_reanalyse"),
    path("measurements/<str:code>/move/", measurement_move, name="measurement_move"),
    path("measurements/<str:code>/temperature/", measurement_temperature, name="measurement_temperature"),
    path("measurements/<str:code>/figures/<slug:name>.<str:form>", measurement_figure, name="measurement_figure"),
    path("runs/<int:run_id>/figures/<slug:name>.<str:form>", run_figure, name="run_figure"),
    path("cells/<str:code>/figures/<slug:name>.<str:form>", cell_figure, name="cell_figure"),
    path("sputter-rates/", sputter_rates, name="sputter_rates"),
    path("paper/", paper_check, name="paper_check"),
    path("paper/table.csv", paper_csv, name="paper_csv"),
    path("paper/<str:slug>/", paper_row, name="paper_row"),
    path("results/<int:result_id>/judge/", result_judge, name="result_judge"),
]
