"""Instrument files in three vendors' layouts, written from a spectrum. For SYNTHETIC data: nothing here is measured.

Each file says that it is synthetic where its layout has room for a comment. NOVA's has none: there only the name of the
file can say it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sweep:
    """One impedance spectrum as an instrument would save it.

    Attributes
    ----------
    frequency_Hz : array, shape (n_points,)
        In the order of measurement.
    z_ohm : complex array, shape (n_points,)
        Impedance, imaginary part negative for a capacitive sample.
    comment : str
        One line for the head of the file.
    started_at : datetime
        Written without its zone, as instruments do.
    """

    frequency_Hz: NDArray[np.float64]
    z_ohm: NDArray[np.complex128]
    comment: str
    started_at: dt.datetime

    @property
    def time_s(self) -> NDArray[np.float64]:
        """Time at the end of each point: half a second, or three periods where these last longer. [s]"""
        return np.cumsum(np.maximum(0.5, 3.0 / self.frequency_Hz))

    def rows(self) -> Iterator[tuple[int, float, complex, float, float]]:
        """Number, frequency [Hz], impedance [Ω], phase [°] and time [s] of each point."""
        phases = np.degrees(np.angle(self.z_ohm))
        columns = (self.frequency_Hz, self.z_ohm, phases, self.time_s)
        for number, row in enumerate(zip(*(column.tolist() for column in columns), strict=True), start=1):
            yield (number, *row)


def nova(sweep: Sweep, decimal: str = ".") -> bytes:
    """Metrohm Autolab NOVA, ASCII: no head, semicolons, minus applied to Z″ and to the phase, CRLF, UTF-8.

    Parameters
    ----------
    sweep : Sweep
    decimal : {'.', ','}
        The decimal sign, which NOVA lets its user choose.
    """
    lines = ["Index;Frequency (Hz);Z' (Ω);-Z'' (Ω);Z (Ω);-Phase (°);Time (s)"]
    for number, frequency, z, phase, time in sweep.rows():
        values = (frequency, z.real, -z.imag, abs(z), -phase, time)
        lines.append(";".join([str(number), *(f"{value:.15g}" for value in values)]).replace(".", decimal))
    return _text(lines, "\r\n").encode()


def eclab(sweep: Sweep) -> bytes:
    """BioLogic EC-Lab text (.mpt): head with its own number of lines, tabs, −Im(Z), CRLF, cp1252."""
    names = "freq/Hz\tRe(Z)/Ohm\t-Im(Z)/Ohm\t|Z|/Ohm\tPhase(Z)/deg\ttime/s\t<Ewe>/V\t<I>/mA\tcycle number\t"
    head = [
        "",
        "Potentio Electrochemical Impedance Spectroscopy",
        "",
        "Run on channel : 1",
        "User : ",
        f"Acquisition started on : {sweep.started_at:%m/%d/%Y %H:%M:%S}",
        f"Comments : {sweep.comment}",
        "Mode                Single sine         ",
        "Va (mV)             10.0                ",
        "",
        names,
    ]
    lines = ["EC-Lab ASCII FILE", f"Nb header lines : {len(head) + 2}".ljust(44), *head]
    for _, frequency, z, phase, time in sweep.rows():
        single = "\t".join(f"{value:.7E}" for value in (frequency, z.real, -z.imag, abs(z), phase))
        lines.append(f"{single}\t{time:.15E}\t{0.0:.7E}\t{0.0:.7E}\t{1.0:.15E}")
    return _text(lines, "\r\n").encode("cp1252")


def zview(sweep: Sweep) -> bytes:
    """Scribner ZPlot/ZView (.z): comment block, then nine columns with tabs, Z″ with its sign."""
    lines = [
        "ZPLOT2 ASCII",
        "  Experiment Type:            Sweep Frequency, Control Voltage",
        f"  Date:                       {sweep.started_at:%m-%d-%Y}",
        f"  Time:                       {sweep.started_at:%H:%M:%S}",
        f"  Begin User Comments:        {sweep.comment}",
        "  End User Comments:          0",
        f"  Data Points:                {sweep.frequency_Hz.size}",
        "  Freq(Hz)\tAmpl\tBias\tTime(Sec)\tZ'(a)\tZ''(b)\tGD\tErr\tRange",
        "End Comments",
    ]
    for _, frequency, z, _, time in sweep.rows():
        lines.append(f"{frequency:.7E}\t{0.01:.4E}\t{0.0:.4E}\t{time:.7E}\t{z.real:.7E}\t{z.imag:.7E}\t{0.0:.4E}\t0\t4")
    return _text(lines, "\r\n").encode("ascii")


def _text(lines: list[str], end: str) -> str:
    return end.join([*lines, ""])


@dataclass(frozen=True)
class Layout:
    """A way to write a spectrum, and the reader that must know it again."""

    write: Callable[[Sweep], bytes]
    reader: str


LAYOUTS = {
    "nova": Layout(nova, "nova"),
    "nova_comma": Layout(lambda sweep: nova(sweep, ","), "nova"),
    "eclab": Layout(eclab, "eclab"),
    "zview": Layout(zview, "zplot"),
}
