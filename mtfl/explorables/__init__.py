"""Figures that readers move: on a page without Python, in Jupyter as widgets."""

from mtfl.explorables.explorable import Explorable
from mtfl.explorables.neurons import NeuronsInPlane

__all__ = ["Explorable", "NeuronsInPlane"]
