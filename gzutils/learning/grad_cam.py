"""Where a network looks: Grad-CAM for every question, attention rollout, and two tests of whether to believe them.

Grad-CAM (report, section 8; Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391) weights the feature maps of the
last convolution by how an answer changes with each; the sum's positive part is the heat map. Attention rollout (Abnar &
Zuidema 2020, https://arxiv.org/abs/2005.00928) takes its place for a Vision Transformer, which has no convolution.
"""

from collections.abc import Iterator, Sequence

import keras
import numpy as np
import pandas as pd
from keras import layers, ops
from PIL import Image

from gzutils.data.view import REPORT_VIEW
from gzutils.decision_tree import QUESTIONS
from gzutils.learning.metrics import ratio_interval
from gzutils.models import saved
from gzutils.models.vision_transformer import attention_scores
from gzutils.tools import backend
from gzutils.tools.files import first_line

CONVOLUTIONS = (layers.Conv2D, layers.SeparableConv2D, layers.DepthwiseConv2D)


def last_feature_map(model: keras.Model) -> str:
    """The name of the layer whose output Grad-CAM explains: the last with a map as fine as the last convolution's.

    That is the convolution itself in the parallel CNN (`joint_conv_3`) and VGG16 (`block5_conv3`), and in ResNet50 the
    end of the residual block that it belongs to (`conv5_block3_out`). It may lie in a model inside the model.

    Raises:
        ValueError: the model has no convolution.
    """
    holder = _holder(model)
    if holder is None:
        raise ValueError(
            f"the model {model.name!r} has no convolution for Grad-CAM; for a Vision Transformer take attention_rollout"
        )
    if isinstance(holder, keras.Model):
        return last_feature_map(_at_its_place(model, holder))
    size = _tensors(model, holder)[1].shape[1:3]
    shapes = {layer.name: _tensors(model, layer)[1].shape for layer in model.layers}
    return [name for name, shape in shapes.items() if len(shape) == 4 and shape[1:3] == size][-1]


def maps_and_head(model: keras.Model, layer: str | None = None) -> tuple[keras.Model, keras.Model]:
    """A model as two that share its layers: images -> feature maps (N, h, w, C), and these -> probabilities (N, 37).

    Raises:
        ValueError: there is no such layer, it gives no maps, or the answers also depend on what goes past it.
    """
    name = layer or last_feature_map(model)
    holder = _holder(model, name)
    if holder is None:
        raise ValueError(f"the model {model.name!r} has no layer {name!r}; model.summary() lists them")
    given, maps = _tensors(model, holder)
    if len(maps.shape) != 4 and holder.name == name:
        raise ValueError(f"the layer {name!r} gives values of shape {maps.shape}, not feature maps (N, h, w, C)")
    try:
        answers = model.outputs[0]
        head = layers.Identity() if maps is answers else keras.Model(maps, answers)
    except ValueError:
        raise ValueError(f"the answers also depend on what goes past {name!r}; choose a later layer") from None
    if holder.name != name:
        inner_maps, inner_head = maps_and_head(_at_its_place(model, holder), name)
        maps = inner_maps(given)
        start = keras.Input(maps.shape[1:], dtype=maps.dtype)
        head = keras.Model(start, head(inner_head(start)))
    return keras.Model(model.inputs[0], maps), head


def _holder(model: keras.Model, name: str | None = None) -> layers.Layer | None:
    """A model's last convolution, or the layer of that name; where it lies in a model inside, that model. Or None."""

    def holds(layer: layers.Layer) -> bool:
        sought = layer.name == name if name else isinstance(layer, CONVOLUTIONS)
        return sought or (isinstance(layer, keras.Model) and any(map(holds, layer.layers)))

    return next(filter(holds, reversed(model.layers)), None)


def _tensors(model: keras.Model, layer: layers.Layer) -> tuple:
    """What a layer takes and what it gives within this model: `layer.output` may be of its call in another one."""
    graph = getattr(model, "_functional", model)  # what a Sequential model runs
    node = next(node for level in graph._nodes_by_depth.values() for node in level if node.operation is layer)
    return next(iter(node.input_tensors), None), node.output_tensors[0]


def _at_its_place(model: keras.Model, inner: keras.Model) -> keras.Model:
    """A model inside a model, with the same layers, for images of the size that it is given there."""
    given = _tensors(model, inner)[0]
    images = keras.Input(given.shape[1:], dtype=given.dtype)
    return keras.models.clone_model(inner, images, clone_function=lambda layer: layer)


def most_probable_answers(probabilities: np.ndarray) -> np.ndarray:
    """Each question's most probable answer: (N, 37) -> columns 0 to 36, (N, 11) int64."""
    return np.stack([q.slice.start + probabilities[:, q.slice].argmax(axis=1) for q in QUESTIONS], axis=1)


def heat_maps(
    model: keras.Model,
    images: np.ndarray,
    answers: Sequence[int] | np.ndarray | None = None,
    layer: str | None = None,
    batch_size: int = 32,
) -> np.ndarray:
    """The Grad-CAM heat maps of several answers for several galaxies.

    The network runs once up to its last feature map; only its head runs once for each answer, all answers together.
    As in the report, what is differentiated is the model's output, the probability after the sigmoid. The score before
    it, as in the paper, gives the same maps: the sigmoid changes a galaxy's weights by one common factor.

    Args:
        model: any of the kit's with a convolution; it is not changed.
        images: (N, side, side, 3) uint8.
        answers: columns 0 to 36, (A,) for all galaxies or (N, A); None: each question's most probable answer (A = 11).
        layer: whose feature maps are weighted; None: `last_feature_map`.
        batch_size: galaxies at once.

    Returns:
        (N, A, h, w) float32, each divided by its largest value; a map that is zero everywhere stays zero.

    Raises:
        ValueError: the layer or an answer does not exist.
    """
    if answers is not None:
        answers = np.broadcast_to(answers, (len(images), np.shape(answers)[-1]))
        if answers.size and not (answers.min() >= 0 and answers.max() < model.output_shape[-1]):
            raise ValueError(f"answers are columns 0 to {model.output_shape[-1] - 1}, not {np.unique(answers)}")
    to_maps, head = maps_and_head(model, layer)
    count = len(QUESTIONS) if answers is None else answers.shape[1]
    heat = np.empty((len(images), count, *to_maps.output_shape[1:3]), np.float32)
    for start in range(0, len(images), batch_size):
        rows = slice(start, start + batch_size)
        activations = to_maps(np.asarray(images[rows]), training=False)
        chosen = (
            most_probable_answers(ops.convert_to_numpy(head(activations, training=False)))
            if answers is None
            else answers[rows]
        )
        heat[rows] = _weighted_maps(head, activations, chosen)
    return normalised(heat)


def _weighted_maps(head: keras.Model, activations, answers: np.ndarray) -> np.ndarray:
    """Grad-CAM before normalisation: feature maps (n, h, w, C) and answers (n, A) -> (n, A, h, w) float32."""
    galaxies, count = answers.shape
    copies = ops.repeat(activations, count, axis=0)
    selected = np.eye(head.output_shape[-1], dtype=np.float32)[answers.ravel()]
    # A galaxy's answers depend on its own feature maps alone, so one gradient of the sum holds that of each.
    slopes = backend.gradient(lambda maps: ops.sum(head(maps, training=False) * selected), copies)
    weights = ops.mean(ops.cast(slopes, "float32"), axis=(1, 2), keepdims=True)
    heat = ops.relu(ops.sum(weights * ops.cast(copies, "float32"), axis=-1))
    return ops.convert_to_numpy(heat).reshape(galaxies, count, *heat.shape[1:])


def normalised(maps: np.ndarray) -> np.ndarray:
    """Maps (..., h, w), none of them negative, each divided by its largest value; one that is zero stays zero."""
    largest = maps.max(axis=(-2, -1), keepdims=True)
    return np.divide(maps, largest, out=np.zeros_like(maps), where=largest > 0)


def enlarge(maps: np.ndarray, side: int = REPORT_VIEW.side) -> np.ndarray:
    """Maps (..., h, w) stretched over the whole picture, bilinear: (..., side, side) float32."""
    flat = maps.reshape(-1, *maps.shape[-2:], 1).astype(np.float32)
    large = ops.convert_to_numpy(ops.image.resize(flat, (side, side), "bilinear", data_format="channels_last"))
    return large.reshape(*maps.shape[:-2], side, side)


def attention_rollout(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """How much of each patch reaches the class token through all blocks of a Vision Transformer.

    Half of what leaves a block is taken to be its attention (the mean over the heads), half the token itself, which
    goes past it; the blocks' matrices are multiplied. There is one map a galaxy: attention does not know the question.

    Returns:
        (N, rows, columns) float32, each divided by its largest value.

    Raises:
        ValueError: the model has no attention.
    """
    scores = attention_scores(model, images).mean(axis=2)
    reached = np.eye(scores.shape[-1], dtype=np.float32)
    for block in scores:
        reached = (0.5 * block + 0.5 * np.eye(scores.shape[-1], dtype=np.float32)) @ reached
    patches = reached[:, 0, 1:]
    side = round(patches.shape[1] ** 0.5)
    return normalised(patches.reshape(-1, side, side))


def where_it_looks(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Heat maps of a network: Grad-CAM, or where there is no convolution the attention rollout.

    Returns:
        (N, 11, h, w), a map for each question's most probable answer, or (N, 1, h, w), one for all questions.

    Raises:
        ValueError: the network, somebody's own, is of a kind that neither can explain.
    """
    try:
        return heat_maps(model, images) if _holder(model) else attention_rollout(model, images)[:, None]
    except Exception as error:  # what a foreign network lacks shows itself in many ways
        raise ValueError(f"no heat map can be made of the model {model.name!r} ({first_line(error)})") from None


def heat_in_regions(maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Which share of each map's heat lies in each galaxy's region: (N, side, side) twice -> (N, N) float64.

    Row: the map; column: the region; on the diagonal both are of the same galaxy. A map without heat gives NaN.
    """
    heat = maps.astype(np.float64)
    total = heat.sum(axis=(1, 2))[:, None]
    shares = np.full((len(maps), len(regions)), np.nan)
    return np.divide(np.einsum("nij,mij->nm", heat, regions), total, out=shares, where=total > 0)


def ideal_maps(regions: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """What a network would show whose heat lay on the regions alone, as coarse as its feature map of this shape.

    (N, side, side) bool -> (N, side, side) float32: a cell's heat is the share of it that the region covers.
    """
    cells = [Image.fromarray(region.astype(np.float32)).resize(shape[::-1], Image.Resampling.BOX) for region in regions]
    return enlarge(np.array(cells, np.float32).reshape(-1, *shape))


def against_chance(maps: np.ndarray, regions: np.ndarray, seed: int = 0) -> dict:
    """How much heat lies where it should, held against two kinds of chance.

    Args:
        maps: (N, side, side), the heat; a map without any is left out.
        regions: (N, side, side) bool, where it should lie.

    Returns:
        `maps`, how many have heat; the mean shares of the heat on the galaxy's own region (`own`), of the picture that
        the region covers (`area`: what heat spread evenly would have), and of the heat on another galaxy's region
        (`others`); `own / area` and `own / others`, each (ratio, low, high) of `metrics.ratio_interval`.
    """
    shares = heat_in_regions(maps, regions)
    own = np.diag(shares)
    others = (shares.sum(axis=1) - own) / max(len(regions) - 1, 1)
    hot = ~np.isnan(own)
    values = {"own": own[hot], "area": regions.mean(axis=(1, 2))[hot], "others": others[hot]}
    result = {name: float(one.mean()) if hot.any() else float("nan") for name, one in values.items()}
    for chance in ("area", "others"):
        result[f"own / {chance}"] = ratio_interval(values["own"], values[chance], seed)
    return {"maps": int(hot.sum())} | result


def randomised(model: keras.Model, seed: int = 0) -> Iterator[tuple[str, keras.Model]]:
    """The model with more and more layers, from the answers down, given back the random weights of a new network.

    The cascading randomisation of Adebayo et al. 2018, https://arxiv.org/abs/1810.03292. Yields the name of the layer
    that was randomised last, and a copy of the model that goes on changing: compute what you need before the next.
    """
    keras.utils.set_random_seed(seed)
    new = keras.models.clone_model(model)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer, other in reversed(list(zip(saved.all_layers(copy), saved.all_layers(new), strict=True))):
        if layer.get_weights() and not isinstance(layer, keras.Model):
            layer.set_weights(other.get_weights())
            yield layer.name, copy


def rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's correlation over the pixels of pairs of maps, (N, h, w) twice -> (N,); 0 where one is constant."""
    pixels = int(np.prod(first.shape[1:]))  # said, so that there may be no maps at all
    ranks = [pd.DataFrame(maps.reshape(-1, pixels)).rank(axis=1).to_numpy() for maps in (first, second)]
    one, two = (values - values.mean(axis=1, keepdims=True) for values in ranks)
    spread = np.sqrt((one**2).sum(axis=1) * (two**2).sum(axis=1))
    return np.divide((one * two).sum(axis=1), spread, out=np.zeros(len(one)), where=spread > 0)


def unrelated_correlation(maps: np.ndarray) -> float:
    """The mean rank correlation of different galaxies' maps of the same question: what any two have in common.

    Args:
        maps: (N, questions, h, w); each galaxy's are held against the one's before it, where both have heat.

    Returns:
        The mean; NaN where no such two have heat.
    """
    others = np.roll(maps, 1, axis=0)
    both = maps.any(axis=(2, 3)) & others.any(axis=(2, 3))
    return float(rank_correlation(maps[both], others[both]).mean()) if both.any() else float("nan")
