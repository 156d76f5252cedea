"""The networks, one module each; every one maps uint8 images (N, side, side, 3) to 37 probabilities."""
