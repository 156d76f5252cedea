"""What the profiles mean, as data: `smoke` for tests, `quick` for learners, `report` and `full` for a GPU box."""

from dataclasses import dataclass, field, replace

from gzutils import parameters


@dataclass(frozen=True)
class Training:
    """How one model is built and trained; a ValueError says which number makes no sense.

    epochs: at most so many passes over the training galaxies. patience: stop after so many without a better validation
    loss. batch_size: galaxies a step. model: arguments of the model's builder that differ from the report's.
    feature_copies: for a frozen base. None: the whole network runs every epoch, as in the report. Else the base runs
    once, over so many augmented copies of the training galaxies (0: over the galaxies as they are).
    """

    epochs: int
    patience: int
    batch_size: int = 128
    model: dict = field(default_factory=dict)
    feature_copies: int | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "batch_size"):
            parameters.whole_number(name.upper(), getattr(self, name), least=1)
        if self.feature_copies is not None:
            parameters.whole_number("FEATURE_COPIES", self.feature_copies, least=0)


@dataclass(frozen=True)
class Study:
    """The study of the loss's constraints (report, Figure 7), with the same training again and again.

    training: of the simple CNN. passes: over the training galaxies in an epoch. weights: the lambdas tried with the
    tree's own constraints. report_weights: those tried with the set of the report's code. seeds: trainings of each.
    """

    training: Training
    passes: int
    weights: tuple[float, ...]
    report_weights: tuple[float, ...]
    seeds: int

    def __post_init__(self) -> None:
        parameters.whole_number("SEEDS", self.seeds, least=1)


@dataclass(frozen=True)
class Profile:
    """One profile. galaxies: how many are simulated, or taken of the challenge's at most (None: all of them)."""

    name: str
    summary: str
    galaxies: int | None
    constraints: str
    parallel_cnn: Training
    vision_transformer: Training
    vgg16: Training
    resnet50: Training
    constraint_study: Study
    constraint_weight: float = 0.001


LAMBDAS = (0.001, 0.01, 0.1, 0.2, 0.5, 1.0)  # the report's
REPORT = Profile(
    name="report",
    summary="the report's protocol, as its code ran it; for a GPU",
    galaxies=61_578,
    constraints="report",
    parallel_cnn=Training(epochs=300, patience=50),
    vision_transformer=Training(epochs=300, patience=50, model={"class_token": "zero"}),
    vgg16=Training(epochs=50, patience=20, model={"input_scaling": "report"}),
    resnet50=Training(epochs=50, patience=20, model={"input_scaling": "report"}),
    constraint_study=Study(Training(epochs=30, patience=30, batch_size=64), 2, LAMBDAS, LAMBDAS, seeds=3),
)
PROFILES = {
    "smoke": Profile(
        name="smoke",
        summary="seconds a notebook, for tests; its numbers mean nothing",
        galaxies=96,
        constraints="tree",
        parallel_cnn=Training(epochs=2, patience=2, batch_size=16, model={"width": 0.125, "batch_norm_momentum": 0.9}),
        vision_transformer=Training(epochs=2, patience=2, batch_size=16, model={"depth": 1}),
        vgg16=Training(
            epochs=2, patience=2, batch_size=16, model={"input_scaling": "imagenet", "side": 32}, feature_copies=1
        ),
        resnet50=Training(
            epochs=2, patience=2, batch_size=16, model={"input_scaling": "imagenet", "side": 32}, feature_copies=1
        ),
        constraint_study=Study(
            Training(epochs=2, patience=2, batch_size=16, model={"width": 0.125}), 1, (0.001, 1.0), (1.0,), seeds=2
        ),
    ),
    "quick": Profile(
        name="quick",
        summary="minutes on two cores: smaller models and fewer galaxies",
        galaxies=2_500,
        constraints="tree",
        parallel_cnn=Training(
            epochs=28, patience=28, batch_size=32, model={"width": 0.125, "batch_norm_momentum": 0.9}
        ),
        vision_transformer=Training(epochs=28, patience=28, batch_size=32, model={"depth": 2}),
        vgg16=Training(
            epochs=30, patience=30, batch_size=32, model={"input_scaling": "imagenet", "side": 64}, feature_copies=0
        ),
        resnet50=Training(
            epochs=30,
            patience=30,
            batch_size=32,
            model={"input_scaling": "imagenet", "side": 64, "units": 256},
            feature_copies=0,
        ),
        constraint_study=Study(
            Training(epochs=10, patience=10, batch_size=32, model={"width": 0.5}),
            1,
            LAMBDAS,
            (0.001, 0.01, 0.1, 1.0),
            seeds=2,
        ),
    ),
    "report": REPORT,
    "full": replace(
        REPORT,
        name="full",
        summary="the report's size with its slips mended (the tree's own constraints); for a GPU",
        constraints="tree",
        vision_transformer=Training(epochs=300, patience=50),
        vgg16=Training(epochs=50, patience=20, model={"input_scaling": "imagenet"}),
        resnet50=Training(epochs=50, patience=20, model={"input_scaling": "imagenet"}),
    ),
}


def get(name: str) -> Profile:
    """The profile with this name.

    Raises:
        ValueError: there is none; the message lists them.
    """
    return PROFILES[parameters.choice("PROFILE", name, tuple(PROFILES))]
