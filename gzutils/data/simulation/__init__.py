"""A simulated survey: galaxies and volunteers, in the layout of the Kaggle challenge.

`galaxies` says what a galaxy is, `light` how it shines, `drawing` how that becomes an image, `volunteers` how people
answer the eleven questions about it, and `survey` writes many of them as files.
"""
