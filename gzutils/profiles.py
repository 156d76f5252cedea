"""What the profiles mean, as data: `smoke` for tests, `quick` for learners, `report` and `full` for a GPU box."""

from dataclasses import dataclass, field, replace

from gzutils import parameters
from gzutils.learning.recipe import Recipe


@dataclass(frozen=True)
class Plan:
    """How a profile builds and trains one network; a ValueError says which number makes no sense.

    recipe: without loss and augmentation, which the notebooks add. model: arguments of the network's builder that
    differ from the report's. start_at_mean: whether the last biases start at the training galaxies' mean answers; the
    report's start at 0. feature_copies: for a frozen base. None: the whole network runs every epoch, as in the
    report. Else the base runs once, over so many augmented copies of the training galaxies (0: over the galaxies as
    they are).
    """

    recipe: Recipe
    model: dict = field(default_factory=dict)
    start_at_mean: bool = False
    feature_copies: int | None = None

    def __post_init__(self) -> None:
        if self.feature_copies is not None:
            parameters.whole_number("FEATURE_COPIES", self.feature_copies, least=0)


@dataclass(frozen=True)
class Study:
    """The study of the loss's constraints (report, Figure 7), with the same training again and again.

    passes: over the training galaxies in an epoch. weights: the lambdas tried with the tree's own constraints.
    report_weights: those tried with the set of the report's code. seeds: trainings of each.
    """

    passes: int
    weights: tuple[float, ...]
    report_weights: tuple[float, ...]
    seeds: int

    def __post_init__(self) -> None:
        parameters.whole_number("SEEDS", self.seeds, least=1)


@dataclass(frozen=True)
class Asking:
    """The study of active learning (notebook 11): whom to ask next, round by round.

    recipe: of each training, without its loss; an epoch has `steps` steps, however few galaxies are labelled. columns:
    an answer of each question that is asked about, one study each. start: labelled galaxies of the first round; step:
    more in each further one. rounds: trainings of each way to choose. seeds: of the whole, each from other galaxies.
    base: "resnet50": the network is a Bayesian head on what this frozen base says of the pictures; None: a whole
    Bayesian CNN, from nothing. model: arguments of the builder of the base, or of the Bayesian CNN.
    """

    recipe: Recipe
    steps: int
    columns: tuple[str, ...]
    start: int
    step: int
    rounds: int
    seeds: int
    base: str | None
    model: dict


@dataclass(frozen=True)
class Profile:
    """One profile. galaxies: how many are simulated, or taken of the challenge's at most (None: all of them).

    plans: by the network's name. constraint_study: of the simple CNN. asking: of the Bayesian CNN. augmentation:
    arguments of `RandomAffine` that differ from the report's.
    """

    name: str
    summary: str
    galaxies: int | None
    constraints: str
    plans: dict[str, Plan]
    constraint_study: Study
    asking: Asking
    constraint_weight: float = 0.001
    augmentation: dict = field(default_factory=dict)


def _adam(learning_rate: float) -> dict:
    return {"class_name": "Adam", "config": {"learning_rate": learning_rate}}


# The winner's 2,500 chunks of 10,000 galaxies, in steps of 16; the rate falls after the 1,800th and the 2,300th.
CHUNK = 10_000 // 16
WINNERS_RATES = {
    "module": "keras.optimizers.schedules",
    "class_name": "PiecewiseConstantDecay",
    "config": {"boundaries": [1_800 * CHUNK, 2_300 * CHUNK], "values": [0.04, 0.004, 0.0004]},
}


def nesterov(rate: float | dict) -> dict:
    """SGD with Nesterov's momentum of 0.9, as the configuration of a Keras optimizer; a rate or its schedule."""
    return {"class_name": "SGD", "config": {"learning_rate": rate, "momentum": 0.9, "nesterov": True}}


ASKED_ABOUT = ("Class1.2", "Class3.1")  # features or disk, bar: the two questions of Walmsley et al. (2020)
LAMBDAS = (0.001, 0.01, 0.1, 0.2, 0.5, 1.0)  # the report's
REPORT = Profile(
    name="report",
    summary="the report's protocol, as its code ran it; for a GPU",
    galaxies=61_578,
    constraints="report",
    plans={
        "parallel_cnn": Plan(Recipe(epochs=300, patience=50)),
        "vision_transformer": Plan(Recipe(epochs=300, patience=50), {"class_token": "zero"}),
        "vgg16": Plan(Recipe(epochs=50, patience=20), {"input_scaling": "report"}),
        "resnet50": Plan(Recipe(epochs=50, patience=20), {"input_scaling": "report"}),
        "simple_cnn": Plan(Recipe(epochs=30, patience=30, batch_size=64)),
        # Of their schedules only the Linformer's learning rate could be verified.
        "resnet26": Plan(Recipe(epochs=100, patience=20)),
        "linformer": Plan(Recipe(epochs=100, patience=20, optimizer=_adam(0.0003))),
        "alexnet": Plan(Recipe(epochs=100, patience=20, optimizer=_adam(0.0001))),
        "bayesian_cnn": Plan(Recipe(epochs=150, patience=20, batch_size=256), start_at_mean=True),
        # 634 passes over 39,409 galaxies are the winner's 25 million examples; he had 55,421.
        "dieleman": Plan(
            Recipe(epochs=634, patience=634, batch_size=16, optimizer=nesterov(WINNERS_RATES)), start_at_mean=True
        ),
    },
    constraint_study=Study(2, LAMBDAS, LAMBDAS, seeds=3),
    asking=Asking(
        Recipe(40, patience=10, batch_size=256),
        steps=50,
        columns=ASKED_ABOUT,
        start=512,
        step=256,
        rounds=12,
        seeds=5,
        base=None,
        model={},
    ),
)
SECONDS = Recipe(epochs=2, patience=2, batch_size=16)
# The winner's network on pictures of half the side, with convolutions that fit them and what learns in few steps.
HALF_SIZE = {
    "side": 49,
    "window": 35,
    "part": 23,
    "convolutions": ((32, 4, True), (64, 3, True), (128, 3, False)),
    "output": "softmax",
    "initial_weights": "he",
}
SMALL_CNN = {"width": 0.125, "batch_norm_momentum": 0.9, "l2": 0.00001}
SLIM_BASE = {"initial_weights": "galaxies", "width": 0.25, "enlarge_to": 64, "input_scaling": "imagenet"}
TURNED = {"rotation": 180.0, "flip": True}  # a galaxy has no up or down
PROFILES = {
    "smoke": Profile(
        name="smoke",
        summary="seconds a notebook, for tests; its numbers mean nothing",
        galaxies=96,
        constraints="tree",
        plans={
            "parallel_cnn": Plan(replace(SECONDS, cosine=True), SMALL_CNN, start_at_mean=True),
            "vision_transformer": Plan(replace(SECONDS, cosine=True), {"depth": 1}, start_at_mean=True),
            "vgg16": Plan(SECONDS, {"input_scaling": "imagenet", "enlarge_to": 32}, feature_copies=1),
            "resnet50": Plan(SECONDS, {"input_scaling": "imagenet", "enlarge_to": 32}, feature_copies=1),
            "simple_cnn": Plan(SECONDS, {"width": 0.125}),
            "resnet26": Plan(SECONDS, {"width": 0.0625, "batch_norm_momentum": 0.9}),
            "linformer": Plan(SECONDS, {"depth": 1}),
            "alexnet": Plan(SECONDS, {"width": 0.03125}),
            "bayesian_cnn": Plan(SECONDS, {"width": 0.125}, start_at_mean=True),
            "dieleman": Plan(replace(SECONDS, cosine=True), HALF_SIZE | {"width": 0.125, "units": 16}, True),
        },
        constraint_study=Study(1, (0.001, 1.0), (1.0,), seeds=2),
        asking=Asking(
            replace(SECONDS, epochs=1),
            steps=2,
            columns=("Class1.2",),
            start=16,
            step=8,
            rounds=2,
            seeds=1,
            base="resnet50",
            model=SLIM_BASE,
        ),
        augmentation=TURNED,
    ),
    "quick": Profile(
        name="quick",
        summary="minutes on two cores: smaller models and fewer galaxies",
        galaxies=6_000,
        constraints="tree",
        plans={
            "parallel_cnn": Plan(
                Recipe(epochs=20, patience=20, batch_size=16, cosine=True), SMALL_CNN, start_at_mean=True
            ),
            "vision_transformer": Plan(
                Recipe(epochs=16, patience=16, batch_size=32, cosine=True), {"depth": 2}, start_at_mean=True
            ),
            "vgg16": Plan(
                Recipe(epochs=40, patience=5, batch_size=32),
                {"input_scaling": "imagenet", "enlarge_to": 64},
                start_at_mean=True,
                feature_copies=0,
            ),
            "resnet50": Plan(
                Recipe(epochs=40, patience=5, batch_size=32),
                {"input_scaling": "imagenet", "enlarge_to": 64, "units": 256},
                start_at_mean=True,
                feature_copies=0,
            ),
            "simple_cnn": Plan(Recipe(epochs=3, patience=3, batch_size=32), {"width": 0.5}),
            "resnet26": Plan(
                Recipe(epochs=6, patience=6, batch_size=16, optimizer=_adam(0.002), cosine=True),
                {"width": 0.125, "dropout": 0.05, "batch_norm_momentum": 0.9},
            ),
            "linformer": Plan(Recipe(epochs=8, patience=8, batch_size=32, cosine=True), {"depth": 2, "width": 64}),
            "alexnet": Plan(
                Recipe(epochs=5, patience=5, batch_size=32, optimizer=_adam(0.0005), cosine=True), {"width": 0.125}
            ),
            "bayesian_cnn": Plan(
                Recipe(epochs=6, patience=6, batch_size=32, cosine=True), {"width": 0.25}, start_at_mean=True
            ),
            "dieleman": Plan(
                Recipe(epochs=9, patience=9, batch_size=16, cosine=True),
                HALF_SIZE | {"width": 0.5, "units": 128},
                start_at_mean=True,
            ),
        },
        constraint_study=Study(1, LAMBDAS, (0.001, 1.0), seeds=2),
        asking=Asking(
            Recipe(epochs=3, patience=3, batch_size=32, cosine=True),
            steps=100,
            columns=ASKED_ABOUT,
            start=50,
            step=75,
            rounds=3,
            seeds=3,
            base="resnet50",
            model=SLIM_BASE,
        ),
        augmentation=TURNED,
    ),
    "report": REPORT,
    "full": replace(
        REPORT,
        name="full",
        summary="the report's size with its slips mended (the tree's own constraints); for a GPU",
        constraints="tree",
        plans=REPORT.plans
        | {
            "vision_transformer": Plan(Recipe(epochs=300, patience=50)),
            "vgg16": Plan(Recipe(epochs=50, patience=20), {"input_scaling": "imagenet"}),
            "resnet50": Plan(Recipe(epochs=50, patience=20), {"input_scaling": "imagenet"}),
            # For one GPU of today, with -p PRECISION mixed_bfloat16.
            "dieleman": Plan(
                Recipe(epochs=100, patience=100, cosine=True), {"initial_weights": "he"}, start_at_mean=True
            ),
        },
    ),
}

# What the kit's own networks learned by (`gzutils.course.large_run`): the report's networks at their full size, with
# what helped in `quick`. No notebook asks for it.
LARGE = replace(
    PROFILES["full"],
    name="large",
    summary="the report's networks on a large simulated survey, trained as well as we can; for a GPU",
    plans={
        "parallel_cnn": Plan(Recipe(epochs=50, patience=50, cosine=True), {"l2": 0.00001}, start_at_mean=True),
        "vision_transformer": Plan(Recipe(epochs=50, patience=50, cosine=True), start_at_mean=True),
        # As in `quick`: the slim bases that come with the kit learned from galaxies of 64 pixels.
        "vgg16": Plan(
            Recipe(epochs=50, patience=5),
            {"input_scaling": "imagenet", "enlarge_to": 64},
            start_at_mean=True,
            feature_copies=0,
        ),
        "resnet50": Plan(
            Recipe(epochs=50, patience=5),
            {"input_scaling": "imagenet", "enlarge_to": 64, "units": 256},
            start_at_mean=True,
            feature_copies=0,
        ),
    },
    augmentation=TURNED,
)


def get(name: str) -> Profile:
    """The profile with this name.

    Raises:
        ValueError: there is none; the message lists them.
    """
    return PROFILES[parameters.choice("PROFILE", name, tuple(PROFILES))]
