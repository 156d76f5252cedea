"""A simulated survey: galaxies and volunteers, in the layout of the Kaggle challenge.

`galaxies` says what a galaxy is, `light` how it shines, `drawing` how that becomes an image, `appearance` what of the
galaxy shows in it, `volunteers` how people answer the eleven questions about that, and `survey` writes many as files.
"""
