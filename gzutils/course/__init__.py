"""What the notebooks and `run_all.sh` use: a run and its folder, what it found, pages, Colab, the pipeline."""

# The notebooks, in order. What else lies beside them, such as a reader's copies, is the reader's own.
COURSE = (
    "01_preprocessing",
    "02_parallel_cnn",
    "03_vision_transformer",
    "04_vgg16",
    "05_resnet50",
    "06_constraint_test",
    "07_grad_cam",
    "08_results",
    "09_your_own_galaxies",
)
# Beyond the report, each on top of the course: `./run_all.sh --all`, or one by its number.
FURTHER = (
    "10_dieleman",
    "11_bayesian",
    "12_hard_classes",
)
NAMES = COURSE + FURTHER
