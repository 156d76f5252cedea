"""What only Google Colab needs: its machines, and all that lies on them, are gone when the session ends."""

import shutil
import sys
from pathlib import Path

from gzutils.tools import backend


def set_up(on_drive: bool) -> None:
    """What every notebook does first: keeps the results if asked to (see `keep_results`), and loads Keras quietly."""
    keep_results(on_drive)
    backend.load()


def keep_results(on_drive: bool) -> None:
    """On Colab, if asked to: mounts your Google Drive and makes `runs/` a link to `MyDrive/galaxy-zoo-kit/runs`.

    From then on all that a notebook writes lies there, after each epoch; the next session, and every other notebook's,
    finds it and goes on from it. The galaxies in `data/` stay on Colab's own disk: Drive is slow with many files, and
    they are the same when they are made or downloaded again. Results from before the call move to Drive. Outside
    Colab, and without `on_drive`, nothing happens.

    Raises:
        FileExistsError: a run of the same name lies both here and on Drive.
    """
    if not on_drive or "google.colab" not in sys.modules:
        return
    from google.colab import drive

    drive.mount(str(Path.cwd() / "drive"))
    kept = Path.cwd() / "drive" / "MyDrive" / "galaxy-zoo-kit" / "runs"
    kept.mkdir(parents=True, exist_ok=True)
    here = Path("runs")
    if here.is_symlink():
        return
    earlier = sorted(here.iterdir()) if here.is_dir() else []
    for run in earlier:
        if (kept / run.name).exists():
            raise FileExistsError(
                f"there is a run {run.name} on your Drive, and another one of this session; rename or delete the "
                f"folder {run.resolve()}, or the one on Drive, and run this cell again"
            )
    for run in earlier:
        shutil.move(run, kept)
    if here.is_dir():
        here.rmdir()
    here.symlink_to(kept)
    print(f"Results are kept in {kept}")
