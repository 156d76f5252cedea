"""One request after the other, as a polite guest of the servers: not too often, and waiting where they ask for it."""

import contextlib
import email.utils
import itertools
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import requests

import gzutils
from gzutils.data.open_data.addresses import SETTING
from gzutils.tools.progress import Line

USER_AGENT = f"gzutils/{gzutils.__version__} (a course on galaxy morphology)"
REQUESTS = 50  # to one host in any minute; Zenodo's limit for guests is 60
TRIES = 5  # in a row that fail, before it is given up
LONGEST_WAIT = 300  # seconds that a server may ask for; what takes longer is for the person to decide
TIMEOUT = (10, 60)  # seconds until a connection stands, and between two pieces of an answer
LATER = "run again later: what is there stays"
MOVED = f"see in a browser whether it has moved; {SETTING} names a file with other addresses (data/README.md)"


class TransferError(ValueError):
    """Something could not be fetched; the message says from which address, why, and what to do now.

    `status` is the HTTP status that the server gave in its place; None: there was none, or it was not the reason.
    """

    def __init__(self, place: Path | str, problem: str, remedy: str, status: int | None = None) -> None:
        super().__init__(f"{place}: {problem}; {remedy}")
        self.status = status


class Pace:
    """When hosts were asked in this process, and the waiting that follows from it; times are in seconds."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._asked: dict[str, deque[float]] = {}
        self.answered: set[str] = set()

    def take_turn(self, host: str) -> None:
        """Returns when a host may be asked once more: less than `REQUESTS` times in the minute before."""
        times = self._asked.setdefault(host, deque(maxlen=REQUESTS))
        if len(times) == REQUESTS:
            self.pause(times[0] + 60 - self._clock(), f"{host} is asked no more than {REQUESTS} times a minute")
        times.append(self._clock())

    def pause(self, seconds: float, reason: str) -> None:
        """Waits and says why in a line, which goes away afterwards."""
        if seconds > 0:
            line = Line()
            try:
                line.show(f"{reason}: waiting {seconds:.0f} s")
                self._sleep(seconds)
            finally:
                line.clear()


PACE = Pace()


def ask(url: str, headers: dict[str, str] | None = None, params: dict[str, str] | None = None) -> requests.Response:
    """The answer to one request, with status 200 or 206, its body not read yet; asks again where that may help.

    Where a host has never answered in this process, there is likely no network, and that is said at once.
    """
    host = host_of(url)
    for failures in itertools.count():
        PACE.take_turn(host)
        try:
            answer = _session().get(url, params=params, headers=headers, stream=True, timeout=TIMEOUT)
        except requests.RequestException as error:
            problem, status = f"no connection ({type(error).__name__})", None
            remedy = "check the network, then run again: what is there stays"
            hopeless, seconds = failures > 0 and host not in PACE.answered, 2**failures
        else:
            PACE.answered.add(host)
            if answer.status_code in (200, 206):
                return answer
            answer.close()
            status = answer.status_code
            problem, remedy = _words(status)
            hopeless = status != 429 and status < 500
            seconds = max(_asked_wait(answer), 2**failures)
            if seconds > LONGEST_WAIT:
                hopeless, remedy = True, f"it asks to wait {seconds / 60:.0f} minutes; {remedy}"
        if hopeless or failures == TRIES - 1:
            raise TransferError(url, problem, remedy, status)
        PACE.pause(seconds, f"{host}: {problem}")


@cache
def _session() -> requests.Session:
    """Connections that stay open from one request to the next."""
    session = requests.Session()
    session.headers["User-Agent"] = USER_AGENT
    # Else a name and a password would go along where ~/.netrc has a default, and once more after a redirection.
    session.auth = lambda request: request
    session.rebuild_auth = lambda request, answer: None
    return session


def _words(status: int) -> tuple[str, str]:
    """What a status means, and what to do about it."""
    if status == 429:
        return "the server was asked too often (status 429)", LATER
    if status >= 500:
        return f"the server fails (status {status})", LATER
    return f"the server does not give it (status {status})", MOVED


def _asked_wait(answer: requests.Response) -> float:
    """For how many seconds a server asks to be left alone: its Retry-After; a minute where 429 comes without one."""
    said = answer.headers.get("Retry-After", "")
    if said.isdecimal():
        return float(said)
    with contextlib.suppress(ValueError, TypeError):  # neither a number nor a date
        return (email.utils.parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
    return 60 if answer.status_code == 429 else 0


def host_of(url: str) -> str:
    """The host that an address names, with its port."""
    return urlsplit(url).netloc
