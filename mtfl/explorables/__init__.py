"""Figures that readers move: on a page without Python, in Jupyter as widgets."""

from mtfl.explorables.agreement import TasksAgree
from mtfl.explorables.explorable import Explorable
from mtfl.explorables.howmany import HowManyTasks
from mtfl.explorables.kernel import TaskKernel
from mtfl.explorables.neurons import NeuronsInPlane
from mtfl.explorables.paint import PaintedTask
from mtfl.explorables.pairs import PullingPairs
from mtfl.explorables.transfer import TransferGrid

__all__ = [
    "Explorable",
    "HowManyTasks",
    "NeuronsInPlane",
    "PaintedTask",
    "PullingPairs",
    "TaskKernel",
    "TasksAgree",
    "TransferGrid",
]
