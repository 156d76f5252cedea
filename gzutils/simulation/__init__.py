"""A simulated survey: galaxies and volunteers, in the layout of the Kaggle challenge.

`galaxies` says what a galaxy is, `light` how it shines, `drawing` how that becomes an image, `volunteers` how people
answer the eleven questions about it, and `survey` writes many of them as files.
"""

from gzutils.simulation.drawing import draw_galaxy
from gzutils.simulation.galaxies import Galaxy, draw_properties
from gzutils.simulation.survey import image_of, make_survey, simulate
from gzutils.simulation.volunteers import answer_probabilities, true_probabilities, vote

__all__ = [
    "Galaxy",
    "answer_probabilities",
    "draw_galaxy",
    "draw_properties",
    "image_of",
    "make_survey",
    "simulate",
    "true_probabilities",
    "vote",
]
