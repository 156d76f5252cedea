"""What of a galaxy's picture a network gets to see."""

from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """The central `crop` pixels of the 424, in square, made `side` pixels a side.

    Raises:
        ValueError: a number that makes no sense.
    """

    crop: int
    side: int

    def __post_init__(self) -> None:
        whole = all(isinstance(value, int) and not isinstance(value, bool) for value in (self.crop, self.side))
        if not (whole and 1 <= self.crop <= 424 and self.crop % 2 == 0 and self.side >= 1):
            raise ValueError(f"{self}: the crop has to be an even number up to 424, the side 1 or more")


REPORT_VIEW = View(crop=210, side=64)  # report, section 4.3
# Dieleman 2014 looked at the central 207 pixels, shrunk to a third. Turned by any angle they need 293. These 296 give
# an odd number of pixels, so that a centred square of 69 begins on a whole one; they shrink by 2.99.
WINNERS_VIEW = View(crop=296, side=99)
