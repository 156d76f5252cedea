"""The networks, one module each; every one maps uint8 images (N, 64, 64, 3) to 37 probabilities."""
