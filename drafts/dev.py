from pathlib import Path
import numpy as np, tempfile
S=Path('../shared/kaggle_sample')
def real():
    """128px? preprocessed 64 px pictures of all real, labels of the first 120, ids; jpegs cached"""
    from gzutils.data import challenge
    from gzutils.data.jpegs import preprocess
    from gzutils.data.solutions import read_solutions
    with tempfile.TemporaryDirectory() as f:
        found=challenge.find(S,cache=f); ids,l=read_solutions(found.solutions)
        j=[found.training_images.read(int(i)) for i in ids]
        j+=[found.test_images.read(int(i)) for i in found.test_images.galaxy_ids()]
    return np.stack([preprocess(x) for x in j]),l.astype(float),ids
def real_jpegs():
    from gzutils.data import challenge
    from gzutils.data.solutions import read_solutions
    with tempfile.TemporaryDirectory() as f:
        found=challenge.find(S,cache=f); ids,l=read_solutions(found.solutions)
        j=[found.training_images.read(int(i)) for i in ids]
        j+=[found.test_images.read(int(i)) for i in found.test_images.galaxy_ids()]
    return j
