"""What the report says, as its text and logs have it, and the challenge's leaderboard that it is held against."""

GALAXIES = 61_578
# What the report's text and logs say of each model (Table 1, section 6); RMSE of train and validation as logged
# during training, with augmentation and dropout on for the training galaxies; parameters as its code makes them.
RESULTS = {
    "parallel_cnn": {
        "parameters": 1_160_165,
        "epochs": 182,
        "best_epoch": 132,
        "train_rmse": 0.0969,
        "validation_rmse": 0.0976,
        "test_rmse": 0.0985,
        "seconds_per_epoch": 47,
    },
    "vision_transformer": {
        "parameters": 1_821_477,
        "epochs": 300,
        "best_epoch": 268,
        "train_rmse": 0.1045,
        "validation_rmse": 0.0983,
        "test_rmse": 0.0995,
        "seconds_per_epoch": 48,
    },
    "vgg16": {
        "parameters": 27_579_237,
        "epochs": 50,
        "best_epoch": 34,
        "train_rmse": 0.1171,
        "validation_rmse": 0.1134,
        "test_rmse": 0.1152,
        "seconds_per_epoch": 194,
    },
    "resnet50": {
        "parameters": 27_859_877,
        "epochs": 50,
        "best_epoch": 46,
        "train_rmse": 0.1473,
        "validation_rmse": 0.1403,
        "test_rmse": 0.1433,
        "seconds_per_epoch": 178,
    },
}
# The report's figures: what they show, and the notebook that makes the counterpart, `figures/figure_<number>….png`.
FIGURES = {
    1: ("the decision tree", "01_preprocessing"),
    2: ("galaxies before and after preprocessing", "01_preprocessing"),
    3: ("the parallel CNN", "02_parallel_cnn"),
    4: ("the Vision Transformer", "03_vision_transformer"),
    5: ("Grad-CAM for question 1", "07_grad_cam"),
    6: ("Grad-CAM for question 2", "07_grad_cam"),
    7: ("training with different weights of the constraints", "06_constraint_test"),
    8: ("training of the parallel CNN", "02_parallel_cnn"),
    9: ("training of the Vision Transformer", "03_vision_transformer"),
    10: ("training of VGG16", "04_vgg16"),
    11: ("training of ResNet50", "05_resnet50"),
}
# The challenge's leaderboard: RMSE by place, among about so many teams, and the organisers' central-pixel benchmark.
LEADERBOARD = {1: 0.0749, 10: 0.0830, 60: 0.1049}
TEAMS = 330
CENTRAL_PIXEL_BENCHMARK = 0.1619
