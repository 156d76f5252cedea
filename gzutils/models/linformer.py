"""Linformer: a Vision Transformer whose tokens attend to a few mixtures of all tokens (Lin et al. 2022).

Each block mixes the T tokens to k by a learned matrix before they are attended to, so that attention costs T x k and
not T x T (Wang et al. 2020, https://arxiv.org/abs/2006.04768). At the size of https://arxiv.org/abs/2110.01024: 224
pixels, patches of 28, depth 12, width 128, k 64, 8 heads.
"""

import keras
from keras import layers

from gzutils.data.view import REPORT_VIEW
from gzutils.models.answers import class_probabilities
from gzutils.models.vision_transformer import PatchEmbedding


def linear_attention(tokens, mixtures: int, heads: int, name: str):
    """Attention of all tokens (N, T, D) to `mixtures` weighted sums of them, one for keys and one for values.

    softmax(Q (E K)' / sqrt(D / heads)) (F V), with E and F (mixtures, T) learned (Wang et al. 2020, Equation 7). With
    both the identity it is full attention: nothing else differs.
    """
    width = tokens.shape[-1]

    def mixed(part: str):
        return layers.EinsumDense("ntd,tk->nkd", (mixtures, width), name=f"{name}_mixed_{part}")(tokens)

    return layers.MultiHeadAttention(heads, width // heads, name=name)(tokens, mixed("values"), mixed("keys"))


def linformer(
    classes: int = 8,
    depth: int = 12,
    width: int = 128,
    mixtures: int = 64,
    heads: int = 8,
    patch_size: int = 28,
    enlarge_to: int = 224,
    dropout: float = 0.0,
    side: int = REPORT_VIEW.side,
) -> keras.Model:
    """Builds the network: uint8 images (N, side, side, 3) -> the classes' probabilities (N, classes) float32.

    Args:
        classes: how many.
        depth: number of encoder blocks.
        width: numbers in a token; a multiple of `heads`.
        mixtures: how many each block attends to (k).
        heads: of each block's attention.
        patch_size: side of a patch in pixels of the enlarged image.
        enlarge_to: so many pixels a side, inside the model.
        dropout: the share that is dropped after each block's dense layers.
        side: of the images, in pixels.

    Raises:
        ValueError: an argument makes no sense.
    """
    if depth < 1 or mixtures < 1 or heads < 1 or width < heads or width % heads:
        raise ValueError(
            f"depth={depth}, mixtures={mixtures}, width={width}, heads={heads}: depth and mixtures "
            f"have to be 1 or more, and the width a multiple of the heads"
        )
    images = keras.Input((side, side, 3), dtype="uint8", name="images")
    x = layers.Rescaling(1 / 255, name="scale_to_0_1")(images)
    x = layers.Resizing(enlarge_to, enlarge_to, interpolation="bilinear", name="resize")(x)
    tokens = PatchEmbedding(patch_size, width, name="patch_embedding")(x)
    for number in range(1, depth + 1):
        name = f"block_{number}"
        x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_1")(tokens)
        x = linear_attention(x, mixtures, heads, f"{name}_attention")
        tokens = layers.Add(name=f"{name}_add_1")([tokens, x])
        x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_2")(tokens)
        x = layers.Dense(4 * width, activation="gelu", name=f"{name}_mlp_1")(x)
        x = layers.Dense(width, name=f"{name}_mlp_2")(x)
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
        tokens = layers.Add(name=f"{name}_add_2")([tokens, x])
    x = layers.Cropping1D((0, tokens.shape[1] - 1), name="class_token_only")(tokens)
    x = layers.Flatten(name="class_token")(x)
    x = layers.LayerNormalization(epsilon=1e-6, name="head_norm")(x)
    return keras.Model(images, class_probabilities(x, classes), name="linformer")
