"""Soft classification of galaxy morphology: the machinery behind the notebooks.

Rooms, from the top; imports run downward only, and a test holds them to it:

    course/     what notebooks and run_all.sh use: runs results measure submission colab pipeline pages …
    plots/      one function a figure
    profiles    what smoke, quick, report and full mean: a plan a network
    learning/   recipe training checkpoint batches augmentation losses likelihoods features predict views baselines
                metrics classification grad_cam monte_carlo posteriors honesty familiarity asking
    models/     one network a file; networks (their table), tree_head, look_up, saved, shipped
    data/       archives challenge solutions download simulation/ open_data/ jpegs preprocessing view store own_images
                stretch morphometry cutouts; no Keras
    tools/      files records sources progress workers processor backend
    hard_classes   one class a galaxy: plain facts, NumPy at most
    decision_tree  report  parameters      plain facts, NumPy at most

`trained/` holds no code: networks and slim bases that come with the kit, each with its card.

Importing `gzutils` itself loads nothing else, and no Keras backend.
"""

__version__ = "0.1.0"
