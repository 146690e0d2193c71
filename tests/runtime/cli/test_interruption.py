"""Ctrl-C in a place where Python cannot pass it on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from runtime.cli.interruption import INTERRUPTION
from runtime.cli.output import Steps


@pytest.fixture
def pythons_own_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class _Finalised:
    """Its finaliser is one of the places whose exceptions nobody receives."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        sum(range(10))  # the handler runs between these instructions


@pytest.mark.usefixtures("pythons_own_handler")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_next_step_of_long_work_raises_what_was_swallowed_and_only_once() -> None:
    INTERRUPTION.listen()
    steps = Steps(None, "recording", 100)
    steps.step()
    _Finalised()  # the exception is printed and lost
    with pytest.raises(KeyboardInterrupt):
        steps.step()
    steps.step()


@pytest.mark.usefixtures("pythons_own_handler")
def test_one_that_is_passed_on_is_raised_at_once() -> None:
    INTERRUPTION.listen()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        INTERRUPTION.check()


@pytest.mark.usefixtures("pythons_own_handler")
def test_a_shell_that_ignores_it_for_us_is_obeyed() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    INTERRUPTION.listen()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
