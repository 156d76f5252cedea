"""What the kit brings along of its large run: trained networks, each with a card, and the evidence of all that ran.

gzutils/trained/NAME.keras          a trained network in float32, its weights rounded
gzutils/trained/NAME.json           its card: data, protocol, versions, measures, weaknesses, checksum
gzutils/trained/README.md           the cards in words
gzutils/trained/large_run/NAME/     history.csv and metrics.json of each network, as the run wrote them
"""

import io
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from gzutils.course.runs import Run
from gzutils.data.simulation import survey
from gzutils.data.store import Split, Store
from gzutils.decision_tree import QUESTIONS
from gzutils.learning import metrics
from gzutils.learning.predict import predict
from gzutils.models import compact, saved, shipped
from gzutils.models.compact import LARGEST
from gzutils.models.networks import NETWORKS
from gzutils.tools import backend, files, records

SHIPPED = ("parallel_cnn", "vision_transformer")
UNSEEN = 0.001  # a change of a probability that nobody sees


def ship(run: Run, store: Store, split: Split, names: Iterable[str], place: Path | str) -> list[Path]:
    """Writes what the kit brings along of a large run: some of its networks, and the evidence of all that are trained.

    Args:
        run, store, split: see `large_run.open_run`.
        names: of networks that were trained as the run says; the kit brings along `SHIPPED` at most.
        place: the folder to write; the kit's own is `models.shipped.TRAINED`.

    Raises:
        ValueError: a network does not get small enough without changing what it says.
    """
    place, written = Path(place), []
    trained = [name for name in run.profile.plans if run.read_metrics(NETWORKS[name].notebook)]
    for name in trained:
        folder = run.folder.parent / NETWORKS[name].notebook
        for file in ("history.csv", "metrics.json"):
            written.append(place / "large_run" / name / file)
            files.write_text(written[-1], (folder / file).read_text(encoding="utf-8"))
    for name in (name for name in SHIPPED if name in names):
        written += _ship_network(run, name, store, split, place)
    return [*written, write_readme(place)]


def _ship_network(run: Run, name: str, store: Store, split: Split, place: Path) -> list[Path]:
    """Writes a network's file and its card, both measured with the network as it is shipped."""
    network = NETWORKS[name]
    run = replace(run, notebook=network.notebook)
    measured, recipe = run.read_metrics(network.notebook), run.recipe(name)
    backend.compute_in_full_float32()  # whatever the training computed in
    model = network.build(**run.arguments(name, store, split))
    exact = saved.load(run.folder / "model.keras").get_weights()
    model.set_weights(exact)
    before, labels = predict(model, store.images, split.test), store.labels[split.test]
    path = place / f"{name}.keras"
    for bits in range(compact.FLOAT16, compact.FULL + 1):
        model.set_weights([compact.rounded(values, bits) for values in exact])
        after = predict(model, store.images, split.test)
        change = float(np.abs(after - before).max())
        if change < UNSEEN:
            break
    content = _packed(model)
    if len(content) > LARGEST:
        raise ValueError(
            f"{path} would have {len(content):,} bytes, more than {LARGEST:,}: a smaller network is needed"
        )
    with files.whole_file(path) as beside:
        beside.write_bytes(content)
    opened = saved.load(path)
    if opened.dtype_policy.name != "float32" or saved.weights_fingerprint(opened) != saved.weights_fingerprint(model):
        raise ValueError(f"{path} does not open as it was written; this Keras ({keras.__version__}) packs it otherwise")
    card = {
        "network": name,
        "sha256": records.sha256(path),
        "parameters": measured["parameters"],
        "weights": f"float32 rounded to {bits} bits of mantissa, which changes no answer for a test galaxy by more "
        f"than {change:.1e}",
        "data": _data(run, store, measured),
        "protocol": {"arguments": run.arguments(name, store, split)}
        | recipe.configuration()
        | {key: measured[key] for key in ("initial_weights", "precision", "seed")},
        "made by": f"python -m gzutils.course.large_run FOLDER --galaxies {len(store)} --seed {run.seed} "
        f"--networks {name} --epochs {recipe.epochs} --precision {measured['precision']} --ship",
        "training": {key: measured[key] for key in ("epochs", "best_epoch", "seconds_per_epoch", "versions", "device")},
        "shipped with": {"versions": backend.versions(), "device": backend.device()},
        "test": {
            "rmse": metrics.rmse(after, labels),
            "rmse_interval": metrics.rmse_interval(after, labels),
            "rmse_by_question": metrics.rmse_by_question(after, labels),
            "mean_guess_rmse": measured["mean_guess_test_rmse"],
            "noise_floor_rmse": measured["noise_floor_test_rmse"],
            "constraint_violation": metrics.constraint_violation(after),
        },
    }
    card["weaknesses"] = _weaknesses(card)
    records.write_json(path.with_suffix(".json"), card)
    return [path, path.with_suffix(".json")]


def _packed(model: keras.Model) -> bytes:
    """A `.keras` file as Keras writes it, but for the weights: their bytes sorted by place and deflated."""
    content = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "model.keras"
        model.save(plain)
        with zipfile.ZipFile(plain) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
    parts["model.weights.h5"] = compact.packed(io.BytesIO(parts["model.weights.h5"]))
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return content.getvalue()


def _data(run: Run, store: Store, measured: dict[str, Any]) -> dict[str, Any]:
    return {
        "source": "the kit's simulated survey; no real galaxy",
        "survey": survey.identity(run.seed),
        "galaxies": measured["galaxies"],
        "fingerprint": store.fingerprint,
        "view": vars(store.view),
    }


def _weaknesses(card: dict[str, Any]) -> list[str]:
    """What to know before its answers are believed; the measured part from the card's own numbers."""
    by_question = card["test"]["rmse_by_question"]
    worst = sorted(QUESTIONS, key=lambda q: -by_question[q.number])[:3]
    named = "; ".join(f"{q.number} ({q.text.rstrip('?')}) {by_question[q.number]:.4f}" for q in worst)
    excess = card["test"]["rmse"] - card["test"]["noise_floor_rmse"]
    return [
        "It has seen simulated galaxies only. README says what it is worth on some real ones.",
        f"It expects pictures cut and reduced as its data were: the middle {card['data']['view']['crop']} of "
        f"424 pixels, {card['data']['view']['side']} a side; of others its answers mean little.",
        f"Its answers keep the decision tree's sums only approximately: on average they miss them by "
        f"{card['test']['constraint_violation']:.4f}.",
        f"Its largest errors are those of the questions {named}.",
        f"Its test RMSE is {excess:.4f} above the noise floor: so much is there still to be learned.",
        "One training with one seed: another seed gives another network, and slightly other numbers.",
    ]


def write_readme(place: Path | str) -> Path:
    """Writes README.md: in words the cards of a folder, those of the bases that `pretraining` made among them."""
    place = Path(place)
    networks = [shipped.read_card(name, place) for name in shipped.names(place)]
    bases = [(path, records.read_record(path.with_suffix("").with_suffix(".json"), "task")) for path in _bases(place)]
    parts = [HEAD, *map(_section, networks), *(_section_of_base(path.name, card) for path, card in bases)]
    files.write_text(place / "README.md", "\n\n".join(parts) + "\n")
    return place / "README.md"


def _bases(place: Path) -> list[Path]:
    return sorted(place.glob("*.weights.h5"))


HEAD = """# Networks that come with the kit

This page is written from the cards; change `gzutils/course/shipping.py`, not this. Each file of weights has its card
beside it, a `.json` with the same in numbers and more; the kit opens a `.keras` file only where its checksum is the
card's. `large_run/` holds the curves and measures of all networks of the large run; notebook 08 shows them."""


def _section_of_base(file: str, card: dict[str, Any]) -> str:
    facts = [
        f"**Data.** {card['data'].capitalize()}.",
        f"**Task.** {card['task']}.",
        f"**Protocol.** {card['parameters']:,} parameters; {card['epochs']} epochs on {card['device']}, of which "
        f"{card['best epoch']} was the best.",
        f"**Weights.** {card['weights'].capitalize()}. SHA-256 `{card['sha256']}`.",
        "**Made by** `python -m gzutils.course.pretraining`, for notebooks 04 and 05.",
    ]
    return "\n\n".join([f"## A base of {NETWORKS[card['network']].title}, frozen: `{file}`", *facts])


def _section(card: dict[str, Any]) -> str:
    data, protocol, training, test = card["data"], card["protocol"], card["training"], card["test"]
    counts = {part: f"{count:,}" for part, count in data["galaxies"].items()}
    epochs, _, batch = protocol["epochs, patience, batch size"]
    low, high = test["rmse_interval"]
    versions = ", ".join(f"{name} {version}" for name, version in training["versions"].items())
    rows = "\n".join(f"| {q.number}. {q.text} | {test['rmse_by_question'][str(q.number)]:.4f} |" for q in QUESTIONS)
    facts = [
        f"**Data.** {data['source'].capitalize()}: version {data['survey']['version']}, seed {data['survey']['seed']}, "
        f"{counts['all']} galaxies; {counts['train']} to train on, {counts['validation']} for validation, "
        f"{counts['test']} for the test.",
        f"**Protocol.** {card['parameters']:,} parameters. Batches of {batch}; {protocol['optimizer']['class']}"
        f"{', its learning rate warmed up and then falling along a cosine' if protocol.get('cosine') else ''}; "
        f"loss and augmentation as the card says; {protocol['precision']}; seed {protocol['seed']}. Up to {epochs} "
        f"epochs, {training['epochs']} were run, the weights are epoch {training['best_epoch']}'s; "
        f"{training['seconds_per_epoch']} s an epoch on {training['device']} ({versions}).",
        f"**Weights.** {card['weights'].capitalize()}. SHA-256 `{card['sha256']}`.",
        f"**Test.** RMSE {test['rmse']:.4f} (95 % interval {low:.4f} to {high:.4f}); guessing the mean "
        f"{test['mean_guess_rmse']:.4f}; the noise floor {test['noise_floor_rmse']:.4f}.",
        f"| question | test RMSE |\n|---|---|\n{rows}",
        "**Weaknesses.**\n\n" + "\n".join(f"- {sentence}" for sentence in card["weaknesses"]),
        f"**Made by** `{card['made by']}`",
    ]
    return "\n\n".join([f"## {NETWORKS[card['network']].title}: `{card['network']}.keras`", *facts])
