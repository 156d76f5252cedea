"""Active learning with more rounds and seeds than `quick` has; run by hand, minutes a seed:

    python tests/benchmarks/asking.py --column Class2.1 --rounds 8 --seeds 0 1 2 3 4 5 6 7

Simulated galaxies; the pool is the training galaxies. All else is as in notebook 11's study in `quick`, unless an
option says otherwise. What is finished is not repeated. Prints what each way of choosing brings beside chance, at
equal labels and in labels, with 95 % intervals over the seeds, and the log-likelihood and RMSE of each round.
"""

import argparse
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

from gzutils.tools import backend

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Reads the options, makes the study, and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, default=6000, help="simulated, of which 64 %% are the pool")
    parser.add_argument("--column", default="Class1.2", help="the answer that is asked about")
    parser.add_argument("--start", type=int, default=50, help="labelled galaxies of the first round")
    parser.add_argument("--step", type=int, default=50, help="more in each further one")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3, help="of as many steps as in quick")
    parser.add_argument("--width", type=float, help="of a whole Bayesian CNN, from nothing; else a head on the base")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    os.chdir(ROOT)
    backend.load()
    from gzutils.course import runs
    from gzutils.learning import asking
    from gzutils.learning.augmentation import RandomAffine
    from gzutils.models.bayesian_cnn import bayesian_cnn, bayesian_head

    kind = "base" if options.width is None else options.width
    name = f"asking-{options.column}-{options.galaxies}-{options.start}-{options.step}-{options.epochs}-{kind}"
    run = runs.start("11_bayesian", galaxies=options.galaxies, run=name)
    store = run.open_store()
    split, study = run.split(store), run.profile.asking
    examples = store.examples(store.votes)
    recipe = replace(study.recipe, epochs=options.epochs, patience=options.epochs)
    if options.width is None:
        examples = asking.seen_by_base(study.base, study.model, examples, split, run.folder / study.base)
        build = partial(bayesian_head, examples.inputs.shape[1])
    else:
        build = partial(bayesian_cnn, options.width)
        recipe = replace(recipe, augmentation=RandomAffine(**run.profile.augmentation))
    rounds, numbers = [], (options.start, options.step, options.rounds)
    for seed in options.seeds:
        mean = asking.mean_answers(store.labels, split, options.start, seed)
        of_seed = partial(build, likelihood="multinomial", mean_answers=mean)
        rounds += asking.study(of_seed, examples, split, recipe, study.steps, options.column, numbers, run.folder, seed)
    table = asking.table_of(rounds)
    for way in asking.WAYS[1:]:
        print(asking.in_words(table, way))
    means = table.groupby(["labels", "way"])[["log_likelihood", "rmse"]].mean().unstack("way")
    print(means.round(4).to_string())


if __name__ == "__main__":
    main()
