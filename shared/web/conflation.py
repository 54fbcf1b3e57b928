"""What changed since a reader last looked: the newest value per series, never a queue. Pure.

Every change of an asset gets a version that only grows. A reader that keeps up sees each change;
one that does not sees the newest values and how many it missed. What is kept for a reader is
bounded by the number of assets and series, not by how far it has fallen behind.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from shared.domain.samples import LatestValue
from shared.ids import Kind

# As many series as one edge may have, times a few sites; an entry is 150 bytes, so 75 MB at most.
SERIES_KEPT_MAX = 500_000

AssetKey = tuple[str, str, str]  # site, kind, id


@dataclass(frozen=True, slots=True, eq=False)  # one change is only equal to itself
class AssetChange:
    """The series of one asset that changed, and how many older values nobody will see.

    It stands for the versions ``first_version`` to ``version`` of this asset.
    """

    key: AssetKey
    first_version: int
    version: int
    values: Mapping[str, LatestValue]  # by metric
    skipped: Mapping[str, int] = field(default_factory=dict[str, int])  # by metric

    @property
    def skipped_total(self) -> int:
        """Return how many values were replaced unseen."""
        return sum(self.skipped.values())


@dataclass(frozen=True, slots=True)
class SocketFilter:
    """Which changes a reader wants; an empty set means all."""

    sites: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    metrics: frozenset[str] = frozenset()

    def wants(self, key: AssetKey) -> bool:
        """Tell whether changes of this asset are wanted at all."""
        site, kind, asset_id = key
        return (
            (not self.sites or site in self.sites)
            and (not self.kinds or kind in self.kinds)
            and (not self.ids or asset_id in self.ids)
        )

    def narrow(self, change: AssetChange) -> AssetChange | None:
        """Return ``change`` with the wanted metrics only, or ``None`` if nothing is left."""
        if not self.metrics:
            return change
        values = {name: value for name, value in change.values.items() if name in self.metrics}
        if not values:
            return None
        skipped = {name: count for name, count in change.skipped.items() if name in self.metrics}
        return AssetChange(change.key, change.first_version, change.version, values, skipped)


@dataclass(slots=True)
class _AssetEntry:
    version: int
    newest: dict[str, LatestValue]
    versions: dict[str, int]  # of each metric's newest value
    fresh_from: int = 0  # version of the first change since ``take_fresh``; 0: none
    fresh: dict[str, LatestValue] = field(default_factory=dict[str, LatestValue])
    skipped: dict[str, int] = field(default_factory=dict[str, int])

    def take(self, key: AssetKey) -> AssetChange:
        change = AssetChange(key, self.fresh_from, self.version, self.fresh, self.skipped)
        self.fresh_from, self.fresh, self.skipped = 0, {}, {}
        return change


class LiveState:
    """The newest value of every series of every asset, with the version it came with."""

    def __init__(self, *, series_max: int = SERIES_KEPT_MAX) -> None:
        self._series_max = series_max
        self._series = 0
        self._version = 0
        self._assets: dict[AssetKey, _AssetEntry] = {}  # least recently changed first
        self._fresh: dict[AssetKey, _AssetEntry] = {}  # in the order of their first change

    @property
    def version(self) -> int:
        """Return the version of the newest change; 0 before the first."""
        return self._version

    @property
    def has_fresh(self) -> bool:
        """Tell whether something came since ``take_fresh`` was called last."""
        return bool(self._fresh)

    def absorb(self, values: Iterable[LatestValue]) -> None:
        """Take new values; those older than what is held for their series are left out."""
        for value in values:
            name = value.series.name
            key = (name.site, name.kind, name.asset_id)
            entry = self._assets.get(key)
            if entry is None:
                entry = self._assets[key] = _AssetEntry(0, {}, {})
            held = entry.newest.get(name.metric)
            if held is not None and not value.replaces(held):
                continue
            if held is None:
                self._series += 1
            self._take_in(key, entry, value)
        self._forget_oldest()

    def take_fresh(self) -> Sequence[AssetChange]:
        """Return what changed since the last call, ascending by first version."""
        fresh, self._fresh = self._fresh, {}
        return [entry.take(key) for key, entry in fresh.items()]

    def newest(self, key: AssetKey) -> Mapping[str, LatestValue]:
        """Return the newest value of each metric of an asset; empty for one not known."""
        entry = self._assets.get(key)
        return entry.newest if entry is not None else {}

    def since(self, version: int) -> Sequence[AssetChange]:
        """Return what changed after ``version``, newest values only, ascending by first version."""
        changes: list[AssetChange] = []
        for key, entry in reversed(self._assets.items()):
            if entry.version <= version:
                break
            values = {
                metric: entry.newest[metric]
                for metric, changed_at in entry.versions.items()
                if changed_at > version
            }
            first_version = min(entry.versions[metric] for metric in values)
            changes.append(AssetChange(key, first_version, entry.version, values))
        return sorted(changes, key=attrgetter("first_version"))

    def _take_in(self, key: AssetKey, entry: _AssetEntry, value: LatestValue) -> None:
        metric = value.series.name.metric
        self._version += 1
        entry.version = entry.versions[metric] = self._version
        entry.newest[metric] = value
        self._assets[key] = self._assets.pop(key)
        if not entry.fresh_from:
            entry.fresh_from = self._version
            self._fresh[key] = entry
        elif metric in entry.fresh:
            entry.skipped[metric] = entry.skipped.get(metric, 0) + 1
        entry.fresh[metric] = value

    def _forget_oldest(self) -> None:
        while self._series > self._series_max and self._assets:
            key = next(iter(self._assets))
            self._series -= len(self._assets.pop(key).newest)
            self._fresh.pop(key, None)


class Mailbox:
    """What one reader has not been sent yet, newest values only.

    Changes must be offered ascending by first version, each newer than those offered before.
    """

    def __init__(self, kinds: frozenset[Kind], wanted: SocketFilter, version: int) -> None:
        """``kinds`` is what the reader may see, ``wanted`` what it asked for.

        ``version`` is the newest it has seen already.
        """
        self._kinds = kinds
        self._wanted = wanted
        self._seen = version
        # In the order of first versions: a change that is merged into a pending one keeps the
        # place of the older, so that an asset that changes all the time waits no longer.
        self._pending: dict[AssetKey, AssetChange] = {}

    def __len__(self) -> int:
        """Return how many assets have something to be sent."""
        return len(self._pending)

    @property
    def version(self) -> int:
        """Return the newest version up to which everything wanted has been taken."""
        for change in self._pending.values():
            return change.first_version - 1
        return self._seen

    def offer(self, change: AssetChange) -> None:
        """Keep a change if the reader may see it and wants it."""
        self._seen = max(self._seen, change.version)
        if change.key[1] not in self._kinds or not self._wanted.wants(change.key):
            return
        narrowed = self._wanted.narrow(change)
        if narrowed is not None:
            self._pending[change.key] = merged(self._pending.get(change.key), narrowed)

    def take(self) -> AssetChange | None:
        """Return the change that waits longest, or ``None``."""
        if not self._pending:
            return None
        return self._pending.pop(next(iter(self._pending)))


def merged(older: AssetChange | None, newer: AssetChange) -> AssetChange:
    """Return one change that stands for both; values of ``older`` that are replaced are counted."""
    if older is None:
        return newer
    skipped = dict(older.skipped)
    for metric in older.values.keys() & newer.values.keys():
        skipped[metric] = skipped.get(metric, 0) + 1
    for metric, count in newer.skipped.items():
        skipped[metric] = skipped.get(metric, 0) + count
    return AssetChange(
        newer.key,
        older.first_version,
        newer.version,
        {**older.values, **newer.values},
        skipped,
    )
