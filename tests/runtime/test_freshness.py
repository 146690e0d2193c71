"""One table of how long what is believed: it is complete, and what it says of the configuration is true."""

from __future__ import annotations

import re
from pathlib import Path

from runtime import freshness
from runtime.config.config import Config
from runtime.freshness import TABLE

RUNTIME = Path(freshness.__file__).parent


def test_every_limit_is_in_the_table_once_with_a_reason() -> None:
    assert len(TABLE) >= 20 and len({limit.what for limit in TABLE}) == len(TABLE)
    assert all(limit.seconds > 0 and limit.why for limit in TABLE)
    assert freshness.RANGE.ns == 500_000_000


def test_keys_of_the_configuration_have_these_defaults() -> None:
    for limit in TABLE:
        if limit.key:
            section, name = limit.key.split(".")
            fields = Config.model_fields[section].annotation.model_fields  # type: ignore[union-attr]
            assert fields[name].default == limit.seconds, limit.key


def test_no_room_keeps_an_age_limit_of_its_own() -> None:
    """By its name: a number called max age, fresh, stale, gap or silent after belongs into the table."""
    names = r"MAX_AGE|FRESH|STALE|SILENT_AFTER|_GAP_N?S|max_age|stale_s"
    private = re.compile(rf"(?m)^\s*\w*({names})\w*(: \w+)? = [\d(].*$")
    found = {
        str(path.relative_to(RUNTIME)): match.group(0)
        for path in RUNTIME.rglob("*.py")
        if path.name != "freshness.py" and (match := private.search(path.read_text()))
    }
    assert found == {}
