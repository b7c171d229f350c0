"""What was made: powder, pellets, films, electrodes, cells, and the recipes that fill their forms."""

from samples.models.cells import Cell, ElectrodeLot
from samples.models.films import Coating, Conversion, FilmThickness, SputterRun, SputterSetting, WitnessPlate
from samples.models.lots import Material, Pellet, PelletBatch, PowderLot
from samples.models.recipes import Recipe

__all__ = [
    "Cell",
    "Coating",
    "Conversion",
    "ElectrodeLot",
    "FilmThickness",
    "Material",
    "Pellet",
    "PelletBatch",
    "PowderLot",
    "Recipe",
    "SputterRun",
    "SputterSetting",
    "WitnessPlate",
]
