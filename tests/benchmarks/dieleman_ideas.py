"""What each of the challenge winner's ideas brings, with several seeds; run by hand, minutes a seed:

    python tests/benchmarks/dieleman_ideas.py --seeds 0 1 2

As in notebook 10, small networks with and without each idea are trained for about equally long, each seed on the same
galaxies and the same split, so that the seeds differ in first weights, order, views and dropout alone. Prints a table
as Markdown: for each idea the gain in test RMSE and its paired 95 % interval, for each seed, and the mean over the
seeds; and how long each network was trained. What was trained is kept and found again.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from gzutils import profiles
from gzutils.data.preprocessing import find_or_make_store
from gzutils.data.store import open_store, split_galaxies
from gzutils.data.view import WINNERS_VIEW
from gzutils.tools import backend

ROOT = Path(__file__).resolve().parents[2]


def of_seed(seed: int, plan: profiles.Plan, store, split, folder: Path, galaxies_of_60: int) -> dict:
    """One seed's table of gains, test RMSE and seconds of training by network."""
    from gzutils.course import ideas
    from gzutils.learning import metrics, views
    from gzutils.learning.predict import predict

    labels, predicted, seconds = store.labels[split.test], {}, {}
    for number, name in enumerate(ideas.VARIANTS):
        model, trained = ideas.train_variant(name, plan, store, split, folder / f"seed_{seed}_{number}", seed)
        predicted[name] = predict(model, store.images, split.test)
        seconds[name] = round(float(trained.history["seconds"].sum()), 1)
        if name == ideas.WHOLE:
            some = split.test[:galaxies_of_60]
            of_60 = views.predict_views(model, store.images, some)
    errors = {name: round(metrics.rmse(shares, labels), 4) for name, shares in predicted.items()}
    few = {name: shares[:galaxies_of_60] for name, shares in predicted.items()}
    table = ideas.gains(predicted, predicted[ideas.WHOLE], labels)
    on_few = "60 views, beside one"
    table.loc[on_few] = ideas.gains(few, of_60, labels[:galaxies_of_60]).loc[on_few]
    return {"table": table, "errors": errors, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of first weights, order, views, dropout")
    parser.add_argument("--galaxies", type=int, default=6000, help="of the simulated survey")
    parser.add_argument("--epochs", type=int, help="of the whole network; else as `quick` has it")
    parser.add_argument("--views-of", type=int, default=400, help="test galaxies that are seen from 60 sides")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "dieleman-ideas", help="for the trainings")
    asked = parser.parse_args()
    backend.load()
    plan = profiles.get("quick").plans["dieleman"]
    if asked.epochs:
        plan = replace(plan, recipe=replace(plan.recipe, epochs=asked.epochs, patience=asked.epochs))
    view = replace(WINNERS_VIEW, side=plan.model["side"])
    store = open_store(find_or_make_store("simulated", ROOT / "data", galaxies=asked.galaxies, view=view))
    split = split_galaxies(len(store))
    found = {seed: of_seed(seed, plan, store, split, asked.folder, asked.views_of) for seed in asked.seeds}
    print("| idea | " + " | ".join(f"seed {seed}" for seed in found) + " | mean |")
    print("|---|" + "---|" * (len(found) + 1))
    for idea in next(iter(found.values()))["table"].index:
        rows = [one["table"].loc[idea] for one in found.values()]
        cells = [f"{row['gain']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f})" for row in rows]
        print(f"| {idea} | " + " | ".join(cells) + f" | {np.mean([row['gain'] for row in rows]):+.4f} |")
    for seed, one in found.items():
        print(json.dumps({"seed": seed, "test RMSE": one["errors"], "seconds": one["seconds"]}))


if __name__ == "__main__":
    main()
