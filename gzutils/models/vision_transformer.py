"""The Vision Transformer: a galaxy read as a row of patches (report, section 5.3, Figure 4).

After Dosovitskiy et al. 2021 (https://arxiv.org/abs/2010.11929), at the report's size.
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from gzutils.data.view import REPORT_VIEW
from gzutils.models.answers import answers

CLASS_TOKENS = ("learnable", "zero")


def split_into_patches(images, patch_size: int):
    """Images (N, height, width, C) as their patches, row by row: (N, patches, patch_size * patch_size * C)."""
    height, width, channels = images.shape[1:]
    down, across = height // patch_size, width // patch_size
    split = ops.reshape(images, (-1, down, patch_size, across, patch_size, channels))
    split = ops.transpose(split, (0, 1, 3, 2, 4, 5))  # a patch's place (down, across) before the pixels within it
    return ops.reshape(split, (-1, down * across, patch_size * patch_size * channels))


@keras.saving.register_keras_serializable("gzutils")
class PatchEmbedding(layers.Layer):
    """Images (N, height, width, C) -> tokens (N, 1 + patches, dimension): the class token, then one token a patch.

    Each patch is projected by the same dense layer; every place in the row, the class token's too, adds a vector of its
    own that is learned (Dosovitskiy et al. 2021, Equation 1).

    Args:
        patch_size: side of a patch in pixels.
        dimension: numbers in a token.
        class_token: "learnable", or "zero" for one that stays zero; both start at zero.

    Raises:
        ValueError: an argument makes no sense, or the images cannot be split into whole patches.
    """

    def __init__(self, patch_size: int, dimension: int, class_token: str = "learnable", **kwargs):
        super().__init__(**kwargs)
        if class_token not in CLASS_TOKENS:
            raise ValueError(f"the class token is {class_token!r}; choose one of {', '.join(CLASS_TOKENS)}")
        if patch_size < 1 or dimension < 1:
            raise ValueError(f"patch_size={patch_size}, dimension={dimension}: both have to be at least 1")
        self.patch_size, self.dimension, self.class_token = patch_size, dimension, class_token

    def build(self, input_shape):
        height, width, channels = input_shape[1:]
        if height % self.patch_size or width % self.patch_size:
            raise ValueError(
                f"images of {height} by {width} pixels cannot be split into whole patches of {self.patch_size}; choose "
                f"a patch size that divides both"
            )
        self.patches = (height // self.patch_size) * (width // self.patch_size)
        values = self.patch_size**2 * channels
        self.kernel = self.add_weight(shape=(values, self.dimension), initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=(self.dimension,), initializer="zeros", name="bias")
        self.token = self.add_weight(
            shape=(self.dimension,),
            initializer="zeros",
            trainable=self.class_token == "learnable",
            name="class_token",
        )
        # The scale that Keras's Embedding starts from, as in the code that the report built on (Salama, 2021).
        self.position_embedding = self.add_weight(
            shape=(1 + self.patches, self.dimension),
            initializer=keras.initializers.RandomUniform(-0.05, 0.05),
            name="position_embedding",
        )

    def call(self, images):
        tokens = ops.matmul(split_into_patches(images, self.patch_size), self.kernel) + self.bias
        class_tokens = ops.broadcast_to(self.token, (ops.shape(images)[0], 1, self.dimension))
        return ops.concatenate([class_tokens, tokens], axis=1) + self.position_embedding

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "patch_size": self.patch_size,
            "dimension": self.dimension,
            "class_token": self.class_token,
        }


def transformer_block(tokens, heads: int, key_size: int, mlp_units: tuple[int, ...], name: str):
    """One encoder block, tokens (N, T, D) -> (N, T, D): attention, then a small network on each token by itself.

    Both see normalised tokens (pre-norm) and add what they find to them.
    """
    x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_1")(tokens)
    x = layers.MultiHeadAttention(heads, key_size, dropout=0.1, name=f"{name}_attention")(x, x)
    tokens = layers.Add(name=f"{name}_add_1")([tokens, x])
    x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_2")(tokens)
    x = _dense_layers(x, mlp_units, f"{name}_mlp")
    return layers.Add(name=f"{name}_add_2")([tokens, x])


def _dense_layers(x, units: tuple[int, ...], name: str):
    for number, size in enumerate(units, start=1):
        x = layers.Dense(size, activation="gelu", name=f"{name}_{number}")(x)
        x = layers.Dropout(0.1, name=f"{name}_dropout_{number}")(x)
    return x


def vision_transformer(
    depth: int = 12,
    class_token: str = "learnable",
    side: int = REPORT_VIEW.side,
    enlarge_to: int | None = None,
    patch_size: int = 8,
    dimension: int = 64,
    heads: int = 8,
    key_size: int = 64,
    mlp_units: tuple[int, ...] = (128, 64),
    head_units: tuple[int, ...] = (64, 64),
    mean_answers: Sequence[float] | None = None,
) -> keras.Model:
    """Builds the network: uint8 images (N, side, side, 3) -> 37 probabilities (N, 37) float32.

    The defaults are the report's: 1,821,477 parameters. `BASE_MODEL` holds the arguments of the model that the report
    made smaller.

    Args:
        depth: number of encoder blocks.
        class_token: "learnable", as the report's text has it; "zero", as its code has it: 64 of the parameters are not
            trained.
        side: of the images, in pixels.
        enlarge_to: so many pixels a side, inside the model; None: the images stay as they are.
        patch_size: side of a patch in pixels; has to divide that side.
        dimension: numbers in a token.
        heads, key_size: of each block's attention.
        mlp_units: sizes of each block's dense layers; the last has to be `dimension`.
        head_units: sizes of the dense layers between the class token and the answers.
        mean_answers: of the labels, for the last biases to start at; None: they start at 0, as the report's.

    Raises:
        ValueError: an argument makes no sense; the message says which.
    """
    if depth < 1:
        raise ValueError(f"the depth is {depth}; the transformer needs at least 1 block")
    seen = enlarge_to or side
    if patch_size < 1 or seen % patch_size:
        raise ValueError(f"{seen} pixels cannot be split into whole patches of {patch_size}; choose a divisor of it")
    if not mlp_units or mlp_units[-1] != dimension:
        raise ValueError(f"mlp_units is {mlp_units}; the last has to be the tokens' dimension, {dimension}")
    images = keras.Input((side, side, 3), dtype="uint8", name="images")
    x = layers.Rescaling(1 / 255, name="scale_to_0_1")(images)
    if enlarge_to:
        x = layers.Resizing(enlarge_to, enlarge_to, interpolation="bilinear", name="resize")(x)
    tokens = PatchEmbedding(patch_size, dimension, class_token, name="patch_embedding")(x)
    for number in range(1, depth + 1):
        tokens = transformer_block(tokens, heads, key_size, mlp_units, f"block_{number}")
    patches = tokens.shape[1] - 1
    x = layers.Cropping1D((0, patches), name="class_token_only")(tokens)
    x = layers.Flatten(name="class_token")(x)
    x = layers.LayerNormalization(epsilon=1e-6, name="head_norm")(x)
    x = _dense_layers(x, head_units, "head")
    probabilities = answers(x, mean_answers)
    return keras.Model(images, probabilities, name="vision_transformer")


# ViT-B/16 (Dosovitskiy et al. 2021, Table 1), with one hidden layer in the head, as the report describes it.
BASE_MODEL = {
    "depth": 12,
    "enlarge_to": 224,
    "patch_size": 16,
    "dimension": 768,
    "heads": 12,
    "key_size": 64,
    "mlp_units": (3072, 768),
    "head_units": (768,),
}


def multiply_adds(model: keras.Model) -> int:
    """The multiplications (each with its addition) for one image, in a model built by `vision_transformer`.

    Counts the matrix products, which are nearly all of the work; not normalisations, activations and resizing.
    """
    total = 0
    for layer in model.layers:
        kernels = sum(int(np.prod(weight.shape)) for weight in layer.weights if weight.name == "kernel")
        if isinstance(layer, PatchEmbedding):
            total += layer.patches * kernels
        elif isinstance(layer, layers.MultiHeadAttention):
            tokens = layer.output.shape[1]
            # Each token is held against each, and each takes a weighted sum of all.
            total += tokens * kernels + tokens**2 * layer.num_heads * (layer.key_dim + layer.value_dim)
        else:
            total += int(np.prod(layer.output.shape[1:-1])) * kernels
    return total


def attention_blocks(model: keras.Model) -> list[str]:
    """The names of a model's attention layers, first block first."""
    return [layer.name for layer in model.layers if isinstance(layer, layers.MultiHeadAttention)]


def attention_scores(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """How much each token attends to each, in every block of a trained model, for a few images.

    Args:
        model: built by `vision_transformer`, or loaded; it is not changed.
        images: (N, side, side, 3) uint8.

    Returns:
        (blocks, N, heads, tokens, tokens) float32: the row of a token says how it spreads its attention and sums to 1.
        Token 0 is the class token, then come the patches row by row. `[-1]` is the last block.

    Raises:
        ValueError: the model has no attention.
    """
    names = attention_blocks(model)
    if not names:
        raise ValueError(f"the model {model.name!r} has no attention layers; it is no Vision Transformer")
    # What each attention layer was given is computed first, then the layer is called once more on that: asking it
    # for its scores within a model would leave traces in the layer.
    inputs = {name: model.get_layer(name).input for name in names}
    given = keras.Model(model.input, inputs)(images, training=False)
    scores = []
    for name in names:
        _, score = model.get_layer(name)(*given[name], return_attention_scores=True, training=False)
        scores.append(ops.convert_to_numpy(ops.cast(score, "float32")))
    return np.stack(scores)


def class_token_attention(scores: np.ndarray) -> np.ndarray:
    """The class token's attention to each patch as a map, the mean over the heads.

    Args:
        scores: one block's, (N, heads, tokens, tokens), of square images.

    Returns:
        (N, rows, columns); a map sums to less than 1, since the class token attends to itself, too.
    """
    to_patches = scores[:, :, 0, 1:].mean(axis=1)
    rows = round(to_patches.shape[1] ** 0.5)
    return to_patches.reshape(-1, rows, rows)
