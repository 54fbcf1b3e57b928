"""Guessing passwords is slow, and nobody is locked out by somebody else's guesses."""

from shared.web.throttle import (
    GUESS_WINDOW_S,
    GUESSES_PER_ACCOUNT,
    GUESSES_PER_ADDRESS,
    GUESSES_PER_PAIR,
    Attempt,
    SignInThrottle,
)

OWNER = Attempt("owner@kaduna.example", "10.0.0.1")
GUESSER = Attempt("owner@kaduna.example", "203.0.113.9")


def guess(throttle: SignInThrottle, attempt: Attempt, count: int, now_s: float = 0.0) -> None:
    for _ in range(count):
        throttle.begin(attempt, now_s)


def test_one_address_gets_few_guesses_at_one_account() -> None:
    throttle = SignInThrottle()
    guess(throttle, GUESSER, GUESSES_PER_PAIR)
    assert throttle.begin(GUESSER, 100.0) == GUESS_WINDOW_S - 100.0
    assert throttle.begin(GUESSER, GUESS_WINDOW_S) is None


def test_the_owner_elsewhere_is_not_held_up() -> None:
    throttle = SignInThrottle()
    guess(throttle, GUESSER, GUESSES_PER_PAIR + 1)
    assert throttle.begin(OWNER, 0.0) is None


def test_one_address_gets_limited_guesses_at_many_accounts() -> None:
    throttle = SignInThrottle()
    for number in range(GUESSES_PER_ADDRESS):
        assert throttle.begin(Attempt(f"u{number}@x", "203.0.113.9"), 0.0) is None
    assert throttle.begin(Attempt("another@x", "203.0.113.9"), 0.0) is not None


def test_many_addresses_get_limited_guesses_at_one_account() -> None:
    throttle = SignInThrottle()
    for number in range(GUESSES_PER_ACCOUNT):
        assert throttle.begin(Attempt("owner@kaduna.example", f"a{number}"), 0.0) is None
    assert throttle.begin(Attempt("owner@kaduna.example", "another"), 0.0) is not None


def test_guesses_from_everywhere_do_not_lock_out_a_known_address() -> None:
    throttle = SignInThrottle()
    throttle.begin(OWNER, 0.0)
    throttle.succeeded(OWNER)
    for number in range(GUESSES_PER_ACCOUNT + 1):
        throttle.begin(Attempt("owner@kaduna.example", f"a{number}"), 0.0)
    assert throttle.begin(OWNER, 0.0) is None


def test_success_forgets_the_mistyped_attempts() -> None:
    throttle = SignInThrottle()
    guess(throttle, OWNER, GUESSES_PER_PAIR)
    throttle.succeeded(OWNER)
    guess(throttle, OWNER, GUESSES_PER_PAIR - 1)
    assert throttle.begin(OWNER, 0.0) is None


def test_signing_in_often_is_no_guessing() -> None:
    throttle = SignInThrottle()
    for _ in range(3 * GUESSES_PER_ADDRESS):
        assert throttle.begin(OWNER, 0.0) is None
        throttle.succeeded(OWNER)
