"""Figures that readers move: on a page without Python, in Jupyter as widgets."""

from mtfl.explorables.agreement import TasksAgree
from mtfl.explorables.coloured import ColouredStep
from mtfl.explorables.context import InContext
from mtfl.explorables.dots import ConnectTheDots
from mtfl.explorables.explorable import Explorable
from mtfl.explorables.howmany import HowManyTasks
from mtfl.explorables.kernel import TaskKernel
from mtfl.explorables.laboratory import Laboratory
from mtfl.explorables.leak import AnySlope
from mtfl.explorables.neurons import NeuronsInPlane
from mtfl.explorables.paint import PaintedTask
from mtfl.explorables.pairs import PullingPairs
from mtfl.explorables.relabel import RelabelledDigits
from mtfl.explorables.transfer import TransferGrid

__all__ = [
    "AnySlope",
    "ColouredStep",
    "ConnectTheDots",
    "Explorable",
    "HowManyTasks",
    "InContext",
    "Laboratory",
    "NeuronsInPlane",
    "PaintedTask",
    "PullingPairs",
    "RelabelledDigits",
    "TaskKernel",
    "TasksAgree",
    "TransferGrid",
]
