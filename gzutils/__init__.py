"""Soft classification of galaxy morphology: the machinery behind the notebooks.

One module a stage, in the order in which data flows through them:
`parameters`, `decision_tree`, `challenge`, `download`, `solutions`, `simulation`, `jpegs`, `preprocessing`,
`backend`, `dataset`, `augmentation`, `losses`, `models`, `profiles`, `command_line`, `colab`, `runs`, `training`,
`features`, `evaluation`, `results`, `grad_cam`, `own_images`, `submission`, `plots`, `pages`, `stored_outputs`,
`pipeline`, `repository`. A module imports only modules before it; `files`, `progress` and `workers` (how files are
written, how long work shows itself, how several processes share it) serve all.
Importing `gzutils` itself loads nothing else, and no Keras backend.
"""

__version__ = "0.1.0"
