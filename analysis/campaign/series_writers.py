"""Time series in two vendors' layouts, as testers save them. For SYNTHETIC data: nothing here is measured.

Neither layout has room for a comment: that a file is synthetic, only its name can say.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from measurements.readers.columns import CURRENT, CYCLE, POTENTIAL, STEP, STEP_CAPACITY, STEP_KIND, TIME

LAND_HEADER = "Record,TestTime,StepTime,Current/mA,Capacity/mAh,Voltage/V,SysTime,CycleNo,StepNo,StepStatus"
LAND_STATUS = {"rest": "R", "charge": "CCC", "discharge": "CCD"}


def land(frame: pd.DataFrame, started_at: dt.datetime) -> bytes:
    """LAND V7 (CT2001A), records as csv: current signed, capacity unsigned and from zero in every step.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``time_s``, ``potential_V``, ``current_A``, ``step_number``; cycles, kinds of step and the step's capacity are
        counted from these where they are missing, a cycle being two half-steps.
    started_at : datetime
        Written without its zone, as the tester does.
    """
    table = _counted(frame)
    time_s, step = table[TIME].to_numpy(), table[STEP].to_numpy()
    first = np.flatnonzero(np.diff(step, prepend=step[0] - 1))
    begins = np.repeat(time_s[np.maximum(first - 1, 0)], np.diff([*first, step.size]))
    begins[: first[1] if first.size > 1 else None] = 0.0
    clock = np.datetime64(started_at.replace(tzinfo=None), "s") + np.round(time_s).astype("timedelta64[s]")
    columns = zip(
        time_s.tolist(),
        (time_s - begins).tolist(),
        (1000.0 * table[CURRENT]).tolist(),
        table[STEP_CAPACITY].tolist(),
        table[POTENTIAL].tolist(),
        np.char.replace(np.datetime_as_string(clock), "T", " ").tolist(),
        table[CYCLE].tolist(),
        step.tolist(),
        table[STEP_KIND].tolist(),
        strict=True,
    )
    lines = [
        f"{row},{_clock(at)},{_clock(since)},{current:.7g},{amount:.9g},{volts:.7g},{moment},{cycle},{number},"
        f"{LAND_STATUS[kind]}"
        for row, (at, since, current, amount, volts, moment, cycle, number, kind) in enumerate(columns, start=1)
    ]
    return "\r\n".join([LAND_HEADER, *lines, ""]).encode()


def _clock(seconds: float) -> str:
    """``110:05:00.000``."""
    minutes, rest = divmod(round(seconds, 3), 60.0)
    return f"{int(minutes) // 60}:{int(minutes) % 60:02d}:{rest:06.3f}"


def _counted(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with what a tester counts by itself."""
    if STEP_CAPACITY in frame:
        return frame
    # The tester writes a row as it switches the current on, before the cell has answered.
    start = frame.iloc[:1].assign(**{TIME: 0.0, POTENTIAL: 0.0})
    table = pd.concat([start, frame], ignore_index=True)
    current, step = table[CURRENT], table[STEP]
    table[STEP_KIND] = np.select([current > 0, current < 0], ["charge", "discharge"], "rest")
    passed = current.abs() * 1000.0 / 3600.0 * table[TIME].diff().fillna(0.0)
    table[STEP_CAPACITY] = passed.groupby(step).cumsum()
    is_new = (step != step.shift()) & (table[STEP_KIND] != "rest")
    table[CYCLE] = ((is_new.cumsum() - 1).clip(lower=0) // 2 + 1).astype(int)
    return table


def nova_transient(frame: pd.DataFrame) -> bytes:
    """Metrohm Autolab NOVA, chronoamperometry as ASCII: semicolons, the corrected time from the step on, CRLF.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``time_s``, ``potential_V``, ``current_A``.
    """
    lines = ["Time (s);Corrected time (s);WE(1).Potential (V);WE(1).Current (A);Index"]
    rows = zip(frame[TIME].tolist(), frame[POTENTIAL].tolist(), frame[CURRENT].tolist(), strict=True)
    for number, (time_s, potential_V, current_A) in enumerate(rows, start=1):
        lines.append(f"{time_s + 12.5:.9g};{time_s:.9g};{potential_V:.7g};{current_A:.9E};{number}")
    return "\r\n".join([*lines, ""]).encode()
