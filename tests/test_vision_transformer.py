"""The Vision Transformer: the report's counts, each part against NumPy, and its attention read without changing it."""

import math

import keras
import numpy as np
import pytest

from gzutils.models.vision_transformer import (
    BASE_MODEL,
    PatchEmbedding,
    attention_blocks,
    attention_scores,
    class_token_attention,
    multiply_adds,
    split_into_patches,
    transformer_block,
    vision_transformer,
)

# A block of the report's size, counted by hand: two normalisations, the projections of the attention, two dense layers.
BLOCK = 2 * 128 + 3 * (64 * 512 + 512) + (512 * 64 + 64) + (64 * 128 + 128) + (128 * 64 + 64)
TINY = {"depth": 2, "patch_size": 16, "dimension": 12, "heads": 3, "key_size": 5, "mlp_units": (9, 12)}


def count(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


def some_images(number=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (number, 64, 64, 3), np.uint8)


def randomise(layer, seed=0):
    """Weights that are none of zero or one, so that each of them matters."""
    draw = np.random.default_rng(seed)
    layer.set_weights([draw.normal(0, 0.5, weight.shape) for weight in layer.get_weights()])
    return layer


@pytest.mark.parametrize(("token", "trainable"), [("learnable", 1_821_477), ("zero", 1_821_413)])
def test_it_has_the_reports_parameters(token, trainable):
    model = vision_transformer(class_token=token)
    assert model.count_params() == 1_821_477
    assert count(model.trainable_variables) == trainable
    embedding = model.get_layer("patch_embedding")
    assert embedding.count_params() == 16_576
    assert embedding.position_embedding.shape == (65, 64)
    assert model.output_shape == (None, 37)


def test_a_block_more_is_exactly_one_blocks_parameters_more():
    sizes = [vision_transformer(depth=depth).count_params() for depth in (1, 2, 4)]
    assert sizes == [1_821_477 - 11 * BLOCK, 1_821_477 - 10 * BLOCK, 1_821_477 - 8 * BLOCK]


def test_it_is_built_as_the_report_says():
    model = vision_transformer(depth=2)
    attention = model.get_layer("block_2_attention")
    assert (attention.num_heads, attention.key_dim, attention.dropout) == (8, 64, 0.1)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.LayerNormalization)]
    assert [layer.epsilon for layer in norms] == [1e-6] * 5
    dropouts = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert dropouts == [0.1] * 6
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.units for layer in dense] == [128, 64] * 2 + [64, 64, 37]
    assert [layer.activation.__name__ for layer in dense] == ["gelu"] * 6 + ["sigmoid"]


def test_the_base_model_is_vit_b_16():
    """torchvision's vit_b_16, which has 1,000 classes right after the class token, and its figures.

    https://pytorch.org/vision/stable/models/generated/torchvision.models.vit_b_16.html
    """
    model = vision_transformer(**BASE_MODEL | {"head_units": ()})
    assert model.count_params() - 769 * 37 + 769 * 1000 == 86_567_656
    assert multiply_adds(model) + 768 * (1000 - 37) == pytest.approx(17.56e9, rel=5e-4)


def test_multiply_adds_of_a_tiny_model_counted_by_hand():
    model = vision_transformer(**TINY | {"depth": 1, "head_units": (7,)})
    tokens, inner = 17, 3 * 5
    block = tokens * 4 * 12 * inner + 2 * tokens**2 * inner + tokens * (12 * 9 + 9 * 12)
    assert multiply_adds(model) == 16 * (16 * 16 * 3 * 12) + block + 12 * 7 + 7 * 37


def test_patches_are_plain_parts_row_by_row():
    images = some_images()
    patches = keras.ops.convert_to_numpy(split_into_patches(images, 8))
    assert patches.shape == (3, 64, 192)
    for place in range(64):
        row, column = divmod(place, 8)
        expected = images[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        assert np.array_equal(patches[:, place], expected.reshape(3, 192))


def test_tokens_are_projected_patches_plus_their_place():
    images = np.random.default_rng(0).random((2, 12, 8, 3), dtype=np.float32)
    layer = PatchEmbedding(4, 5)
    layer.build(images.shape)
    kernel, bias, token, positions = randomise(layer).get_weights()
    patches = [images[:, r : r + 4, c : c + 4].reshape(2, -1) @ kernel + bias for r in (0, 4, 8) for c in (0, 4)]
    expected = np.stack([np.broadcast_to(token, (2, 5)), *patches], axis=1) + positions
    assert expected.shape == (2, 7, 5)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(images)), expected, atol=1e-5)


def test_it_agrees_with_keras_cv():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("keras-cv's PatchingAndEmbedding runs on TensorFlow alone")
    import keras_cv

    images = np.random.default_rng(0).random((3, 64, 64, 3), dtype=np.float32)
    ours, theirs = PatchEmbedding(8, 64), keras_cv.layers.PatchingAndEmbedding(64, 8)
    ours.build(images.shape)
    theirs(images)
    assert theirs.count_params() == ours.count_params()
    kernel, bias, token, positions = randomise(ours).get_weights()
    theirs.projection.set_weights([kernel.reshape(8, 8, 3, 64), bias])
    theirs.class_token.assign(token.reshape(1, 1, 64))
    theirs.position_embedding.set_weights([positions])
    expected = keras.ops.convert_to_numpy(theirs(images))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(ours(images)), expected, atol=1e-5)


@pytest.mark.parametrize(("token", "moves"), [("zero", False), ("learnable", True)])
def test_a_token_that_is_zero_stays_zero(token, moves):
    embedding = PatchEmbedding(16, 4, class_token=token)
    model = keras.Sequential([keras.Input((32, 32, 3)), embedding, keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 32, 32, 3), np.float32), np.ones((4, 1), np.float32), verbose=0)
    assert np.any(keras.ops.convert_to_numpy(embedding.token) != 0) == moves


def softmax(x):
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


def normalised(x, scale, shift):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * scale + shift


def gelu(x):
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def attention_in_numpy(x, weights):
    """Scores and result of self-attention (Vaswani et al. 2017, Equation 1), one head after the other."""
    query, query_bias, key, key_bias, value, value_bias, output, output_bias = weights
    scores, result = [], 0
    for head in range(query.shape[1]):
        q, k, v = (
            x @ kernel[:, head] + bias[head]
            for kernel, bias in ((query, query_bias), (key, key_bias), (value, value_bias))
        )
        scores.append(softmax(q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])))
        result = result + scores[-1] @ v @ output[head]
    return np.stack(scores, axis=1), result + output_bias


def test_a_block_does_what_numpy_does():
    tokens = np.random.default_rng(0).normal(size=(2, 7, 12)).astype(np.float32)
    inputs = keras.Input((7, 12))
    block = randomise(keras.Model(inputs, transformer_block(inputs, 3, 5, (9, 12), "block")))
    weights = {layer.name: layer.get_weights() for layer in block.layers}
    x = tokens.astype(np.float64)
    x = x + attention_in_numpy(normalised(x, *weights["block_norm_1"]), weights["block_attention"])[1]
    inner = normalised(x, *weights["block_norm_2"])
    for name in ("block_mlp_1", "block_mlp_2"):
        kernel, bias = weights[name]
        inner = gelu(inner @ kernel + bias)
    np.testing.assert_allclose(block.predict(tokens, verbose=0), x + inner, rtol=1e-4, atol=1e-4)


def test_attention_scores_are_those_that_numpy_finds_from_the_weights():
    model, images = randomise(vision_transformer(**TINY)), some_images()
    scores = attention_scores(model, images)
    assert scores.shape == (2, 3, 3, 17, 17)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=-1), 1, atol=1e-5)
    for block, name in enumerate(attention_blocks(model)):
        given = keras.Model(model.input, model.get_layer(f"block_{block + 1}_norm_1").output)
        expected, _ = attention_in_numpy(given.predict(images, verbose=0), model.get_layer(name).get_weights())
        np.testing.assert_allclose(scores[block], expected, atol=1e-4)


def test_attention_is_found_whatever_the_layers_are_called(tmp_path):
    model, images = vision_transformer(**TINY), some_images()
    other = keras.models.clone_model(
        model, clone_function=lambda layer: layer.from_config(layer.get_config() | {"name": layer.name[::-1]})
    )
    other.set_weights(model.get_weights())
    assert attention_blocks(other) == ["noitnetta_1_kcolb", "noitnetta_2_kcolb"]
    other.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert np.array_equal(attention_scores(loaded, images), attention_scores(model, images))


def test_asking_for_attention_leaves_the_model_as_it_was(tmp_path):
    model, images = vision_transformer(**TINY), some_images()
    description, predicted = model.to_json(), model.predict(images, verbose=0)
    first = attention_scores(model, images)
    assert model.to_json() == description
    assert model.get_layer("block_1_attention").output.shape == (None, 17, 12)
    assert np.array_equal(model.predict(images, verbose=0), predicted)
    assert np.array_equal(attention_scores(model, images), first)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert np.array_equal(attention_scores(loaded, images), first)


def test_a_model_without_attention_is_refused():
    inputs = keras.Input((64, 64, 3), dtype="uint8")
    model = keras.Model(inputs, keras.layers.Flatten()(inputs), name="flat")
    with pytest.raises(ValueError, match="'flat' has no attention"):
        attention_scores(model, some_images())


def test_the_class_tokens_attention_is_laid_out_as_the_patches_are():
    scores = np.zeros((1, 2, 65, 65))
    scores[0, 0, 0, 1 + 3 * 8 + 5] = 1  # the patch in row 3, column 5
    scores[0, 1, 0, 0] = 1  # the class token itself
    maps = class_token_attention(scores)
    assert maps.shape == (1, 8, 8)
    assert maps[0, 3, 5] == 0.5
    assert maps.sum() == 0.5


def test_a_saved_model_predicts_exactly_the_same(tmp_path):
    model, images = vision_transformer(depth=1, class_token="zero"), some_images()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    predicted = loaded.predict(images, verbose=0)
    assert np.array_equal(predicted, model.predict(images, verbose=0))
    assert predicted.shape == (3, 37)
    assert predicted.dtype == np.float32
    assert ((predicted > 0) & (predicted < 1)).all()
    assert count(loaded.trainable_variables) == count(model.trainable_variables)


def test_the_same_arguments_give_the_same_description():
    """Training takes up a model again only if its description is the same."""
    assert vision_transformer(depth=2).to_json() == vision_transformer(depth=2).to_json()


def test_it_computes_in_mixed_precision():
    tiny = TINY | {"depth": 1, "head_units": ()}
    images, labels = some_images(8), np.full((8, 37), 0.5, np.float32)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = vision_transformer(**tiny)
        model.compile("adam", "mse")
        model.fit(images, labels, verbose=0)
        scores = attention_scores(model, images)
    finally:
        keras.config.set_dtype_policy(before)
    assert model.get_layer("patch_embedding").compute_dtype == "bfloat16"
    assert model.get_layer("patch_embedding").kernel.dtype == "float32"
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=-1), 1, atol=0.03)
    predicted = model.predict(images, verbose=0)
    assert predicted.dtype == np.float32
    full = vision_transformer(**tiny)
    full.set_weights(model.get_weights())
    np.testing.assert_allclose(predicted, full.predict(images, verbose=0), atol=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch_size": 7}, "64 pixels cannot be split into whole patches of 7"),
        ({"patch_size": 0}, "whole patches of 0"),
        ({"side": 100, "patch_size": 16}, "100 pixels"),
        ({"depth": 0}, "the depth is 0"),
        ({"class_token": "learned"}, "'learned'; choose one of learnable, zero"),
        ({"dimension": 32}, r"mlp_units is \(128, 64\); the last has to be the tokens' dimension, 32"),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        vision_transformer(**arguments)


def test_images_that_cannot_be_split_into_whole_patches_are_refused():
    with pytest.raises(ValueError, match="images of 64 by 60 pixels"):
        PatchEmbedding(8, 64).build((None, 64, 60, 3))
