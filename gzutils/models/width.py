"""The width of a network: the share of the filters that it has. 1 is its author's, `quick` has a part of them."""


def scaled(filters: int, width: float) -> int:
    """`width` times so many filters, rounded; 1 at least.

    Raises:
        ValueError: the width is not above 0.
    """
    if not width > 0:
        raise ValueError(f"the width is {width}; it has to be above 0 (1 has all filters, 0.25 a quarter)")
    return max(1, round(filters * width))
