"""How often somebody may guess a password. Pure: the time is passed in.

Three counters, each of attempts that have not succeeded. Guessing at one account from one address
is stopped early. An address that guesses at many accounts, and an account that is guessed at from
many addresses, are stopped later. The last counter could be used to lock the owner out, so an
address from which the account has signed in before is not held up by it.
"""

from dataclasses import dataclass

from shared.web.limits import WindowLimiter

GUESS_WINDOW_S = 300.0
# A person who mistypes needs a few; 10 in 5 minutes are 2,880 guesses a day, nothing against a
# password that zxcvbn scores 2 (10^6 guesses and more).
GUESSES_PER_PAIR = 10
GUESSES_PER_ADDRESS = 50  # a shift of people behind one address, each mistyping once or twice
GUESSES_PER_ACCOUNT = 100
KEYS_MAX = 20_000
TRUSTED_PAIRS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at signing in."""

    username: str
    address: str

    @property
    def pair(self) -> str:
        """Return the key of this account from this address."""
        return f"{self.address} {self.username}"


class SignInThrottle:
    """Counts failed attempts; forgets them after ``GUESS_WINDOW_S``."""

    def __init__(self) -> None:
        self._pairs = _limiter(GUESSES_PER_PAIR)
        self._addresses = _limiter(GUESSES_PER_ADDRESS)
        self._accounts = _limiter(GUESSES_PER_ACCOUNT)
        self._trusted: dict[str, None] = {}  # pairs that have signed in, least recent first

    def begin(self, attempt: Attempt, now_s: float) -> int | None:
        """Count an attempt before it is judged; return ``None``, or the seconds to wait first.

        Counted first, so that a hundred attempts at once are not all judged before one has failed.
        """
        counters = [(self._pairs, attempt.pair), (self._addresses, attempt.address)]
        if attempt.pair not in self._trusted:
            counters.append((self._accounts, attempt.username))
        verdicts = [limiter.peek(key, now_s) for limiter, key in counters]
        waits = [verdict.reset_s for verdict in verdicts if not verdict.allowed]
        if waits:
            return max(waits)
        for limiter, key in counters:
            limiter.take(key, now_s)
        return None

    def succeeded(self, attempt: Attempt) -> None:
        """Take back what ``begin`` counted, and trust the address with this account."""
        self._pairs.forget(attempt.pair)
        self._addresses.give_back(attempt.address)
        if attempt.pair not in self._trusted:
            self._accounts.give_back(attempt.username)
        self._trusted.pop(attempt.pair, None)
        while len(self._trusted) >= TRUSTED_PAIRS_MAX:
            del self._trusted[next(iter(self._trusted))]
        self._trusted[attempt.pair] = None


def _limiter(limit: int) -> WindowLimiter:
    return WindowLimiter(limit=limit, window_s=GUESS_WINDOW_S, keys_max=KEYS_MAX)
