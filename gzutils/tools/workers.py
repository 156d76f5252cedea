"""Work on all cores: a `map` whose calls run in several processes, which end with the one that started them."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import ModuleType


def cores() -> int:
    """How many cores this process may use: without those that its affinity or a container's quota keeps from it."""
    from joblib import cpu_count

    return cpu_count()


@contextmanager
def mapping(processes: int) -> Iterator[Callable[[Callable, Iterable], Iterator]]:
    """Yields a function like `map`: results come in the items' order, an exception where its result would have come.

    Args:
        processes: how many work. 1: it is `map` itself, and no process is started. More: functions, items and results
            are pickled, all items of a call are taken at once, and work on them begins before results are asked for.
            Items have to be small: with some kB each, Python before 3.11.5 hangs when a process is killed.

    Raises:
        RuntimeError: a process was killed.
    """
    if processes == 1:
        yield map
        return
    others = set(multiprocessing.active_children())
    # TensorFlow may run in this process already, and its threads do not survive a fork.
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=_leave_with_parent)

    def mapped(function: Callable, items: Iterable) -> Iterator:
        with _without_script():
            try:
                return pool.map(function, items)
            except OSError as error:
                if str(error) == "handle is closed":  # one was killed while Python was starting the next
                    raise BrokenProcessPool from error
                raise

    try:
        yield mapped
    except BrokenProcessPool as error:
        # The pool waits for ever for one that it was just starting when another was killed (seen with Python 3.11).
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise RuntimeError(
            "a process that did part of the work was killed, most often for want of memory; close other programs, then "
            "run again: what is done stays"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _without_script() -> Iterator[None]:
    """Lets processes start without running the caller's script anew, which is Python's way and would not end."""
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def _leave_with_parent() -> None:
    """Ends this worker when its parent is killed (the pool would leave it waiting), and leaves Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
