"""What all tests share: Hypothesis profiles and the directory of real data.

It must not know any one layer of evgit: fixtures of a layer live beside that layer's tests.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

CHECKOUT = Path(__file__).resolve().parents[1]
IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")

# A deadline measures the machine, not the code. CI repeats the same examples in every run, so that
# a red run means that the change is at fault; on a developer's machine new examples are tried.
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("dev", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))

# A shell starts what it puts in the background with interrupts ignored, and that is inherited:
# programs that tests interrupt would run for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _trust_of_nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Repositories that tests make are not noted among those of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("trust") / "trusted.json"
        patch.setenv("EVGIT_TRUST_FILE", str(place))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The directory of real data that lies beside the checkout, `../shared/data`.

    CI must have it, so there its absence is a failure. A stranger who has only the checkout still
    gets a green run: there the tests that read it say that they were not run.
    """
    directory = CHECKOUT.parent / "shared" / "data"
    if directory.is_dir():
        return directory
    message = f"these tests read real data from {directory}, and there is no such directory"
    if IN_CI:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
