"""The table of networks: what each is called, who trains it, and where it is built.

A new network is a module beside this one, a row here, and an entry in `profiles`.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gzutils.data.view import REPORT_VIEW, WINNERS_VIEW, View

if TYPE_CHECKING:
    import keras

TRAINED = Path(__file__).parents[1] / "trained"  # what comes with the kit
# What a pretrained base may start from other than ImageNet, in words for titles and tables.
RANDOM_START = "random initial weights"
GALAXIES_START = "simulated galaxies' properties (a quarter of the filters)"


@dataclass(frozen=True)
class Network:
    """A network of the kit.

    name: its function in the module `models/<module>.py`, its Keras name, and its key everywhere. title: for people.
    notebook: which trains it. pretrained: whether it starts from a base trained on other pictures. view: what it sees.
    says_shares: whether its numbers are the 37 shares of volunteers; else they are classes, or a likelihood's.
    """

    name: str
    title: str
    notebook: str
    module: str
    pretrained: bool = False
    view: View = REPORT_VIEW
    says_shares: bool = True

    def build(self, **arguments: Any) -> "keras.Model":
        """A new network with its first weights; arguments as its function says."""
        return getattr(importlib.import_module(f"gzutils.models.{self.module}"), self.name)(**arguments)


NETWORKS = {
    network.name: network
    for network in (
        Network("parallel_cnn", "Parallel CNN", "02_parallel_cnn", "parallel_cnn"),
        Network("vision_transformer", "Vision Transformer", "03_vision_transformer", "vision_transformer"),
        Network("vgg16", "VGG16", "04_vgg16", "pretrained", pretrained=True),
        Network("resnet50", "ResNet50", "05_resnet50", "pretrained", pretrained=True),
        Network("simple_cnn", "Simple CNN", "06_constraint_test", "simple_cnn"),
        Network("resnet26", "ResNet-26", "12_hard_classes", "resnet26", says_shares=False),
        Network("linformer", "Linformer", "12_hard_classes", "linformer", says_shares=False),
        Network("alexnet", "AlexNet", "12_hard_classes", "alexnet", says_shares=False),
        Network("bayesian_cnn", "Bayesian CNN", "11_bayesian", "bayesian_cnn", says_shares=False),
        Network("dieleman", "The winner's network", "10_dieleman", "dieleman", view=WINNERS_VIEW),
    )
}


def says_shares(name: str) -> bool:
    """Whether a network of this name says the 37 shares; one that the table does not know is taken to."""
    return name not in NETWORKS or NETWORKS[name].says_shares
