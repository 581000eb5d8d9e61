"""Multi-task feature learning with two-layer ReLU networks: the package that the book's chapters call."""

from mtfl.contrastive import (
    Anchors,
    one_step_heads,
    pseudo_contrastive_loss,
    representation_gradient,
    ridge_heads,
)
from mtfl.inputs import ColouredInputs, GaussianInputs, HypercubeInputs
from mtfl.metrics import conditioning, energy_ratio, principal_angles
from mtfl.network import TwoLayerReLU
from mtfl.pretraining import Adam, PretrainSettings, Ridge, pretrain
from mtfl.randomness import stream, streams
from mtfl.tasks import all_tasks, limit_kernel, sample_tasks, task_kernel, walsh_coefficients
from mtfl.transfer import FrozenFeatures, TransferSettings, learning_curves, transfer_accuracy

__version__ = "0.1.0"

__all__ = [
    "Adam",
    "Anchors",
    "ColouredInputs",
    "FrozenFeatures",
    "GaussianInputs",
    "HypercubeInputs",
    "PretrainSettings",
    "Ridge",
    "TransferSettings",
    "TwoLayerReLU",
    "all_tasks",
    "conditioning",
    "energy_ratio",
    "learning_curves",
    "limit_kernel",
    "one_step_heads",
    "pretrain",
    "principal_angles",
    "pseudo_contrastive_loss",
    "representation_gradient",
    "ridge_heads",
    "sample_tasks",
    "stream",
    "streams",
    "task_kernel",
    "transfer_accuracy",
    "walsh_coefficients",
]
