"""What some galaxies of Galaxy Zoo 2 cost a server: requests and bytes, counted on the loopback address; run by hand:

    python tests/benchmarks/gz2_requests.py --galaxies 2500

The zip has as many pictures as the real one, 243,434, each of a size like theirs and with what a Mac leaves beside it,
but no file: its parts are made as they are asked for. Prints a table for each number of galaxies, fetched one after the
other into one folder, each on top of the last; the seconds hold the waiting between requests.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from made_zip import MadeZip
from open_data_server import serving

from gzutils.data.open_data import gz2_pictures
from gzutils.data.open_data.addresses import SETTING


def main() -> None:
    """Reads the options, serves the zip, fetches from it, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, nargs="+", default=[2500, 5000], help="how many, ascending")
    parser.add_argument("--in-zip", type=int, default=243_434, help="pictures in the zip")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    made = MadeZip(options.in_zip)
    directory = made.directory_bytes / 1e6
    print(f"a zip of {made.size / 1e9:.2f} GB, {options.in_zip:,} pictures, directory {directory:.1f} MB\n")
    print("| galaxies | new | requests | MB | of them the directory | seconds |\n|---|---|---|---|---|---|")
    with serving() as server, tempfile.TemporaryDirectory() as folder:
        server.files[gz2_pictures.ARCHIVE] = made
        os.environ[SETTING] = str(server.write_addresses(Path(folder) / "addresses.json"))
        before = 0
        for galaxies in options.galaxies:
            server.asked.clear()
            start = time.monotonic()
            chosen = gz2_pictures.fetch(Path(folder) / "gz2", made.asset_ids, galaxies, options.seed)
            seconds = time.monotonic() - start
            print(
                f"| {len(chosen):,} | {len(chosen) - before:,} | {len(server.asked)} | {server.sent() / 1e6:.1f} "
                f"| {0 if before else directory:.1f} | {seconds:.0f} |"
            )
            before = len(chosen)


if __name__ == "__main__":
    main()
