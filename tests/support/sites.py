"""An in-memory site: the fakes behind the web layer's tests."""

import bisect
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from shared.access.accounts import Account, RefreshToken, Rotation, RotationOutcome
from shared.domain.samples import NO_BOUND_MS, LatestValue, Series, Value, ValueType
from shared.domain.telemetry import (
    Aggregate,
    TelemetryQuery,
    TelemetryResult,
    check_aggregate,
    page_of,
)
from shared.ids import Kind, SeriesName
from shared.sync.records import AlertRecord
from shared.units import quantity_of
from shared.web.alert_listing import select_alerts
from shared.web.gap_listing import select_gaps
from shared.web.site_data import (
    AlertQuery,
    EdgeStatus,
    GapListing,
    GapQuery,
    SeriesListing,
    SeriesQuery,
    series_key,
)


def value_type_of(value: Value) -> ValueType:
    """Return how a value would be stored."""
    match value:
        case bool():
            return ValueType.FLAG
        case str():
            return ValueType.TEXT
        case _:
            return ValueType.NUMBER


def latest_value(
    name: str, value: Value, ts_ms: int, quality: int = 0, received_ms: int = NO_BOUND_MS
) -> LatestValue:
    """Return a value of the series written ``site/kind/id/metric``."""
    parsed = SeriesName.parse(name)
    series = Series(parsed, quantity_of(parsed.metric).unit, value_type_of(value))
    return LatestValue(series, ts_ms, value, quality, received_ms)


@dataclass
class FakeSite:
    """A SiteReader over lists."""

    values: list[LatestValue] = field(default_factory=list[LatestValue])
    edges: dict[str, list[EdgeStatus]] = field(default_factory=dict[str, list[EdgeStatus]])
    alert_records: dict[str, list[AlertRecord]] = field(
        default_factory=dict[str, list[AlertRecord]]
    )
    gap_listings: dict[str, list[GapListing]] = field(default_factory=dict[str, list[GapListing]])
    failure: Exception | None = None  # raised by every question

    def add(self, name: str, value: Value, ts_ms: int, quality: int = 0) -> LatestValue:
        """Keep one sample."""
        added = latest_value(name, value, ts_ms, quality)
        self.values.append(added)
        return added

    async def sites(self) -> Sequence[str]:
        self._fail()
        named = {value.series.name.site for value in self.values} | set(self.edges)
        return sorted(named)

    async def latest(
        self, site: str, kinds: Collection[Kind], asset_id: str | None = None
    ) -> Sequence[LatestValue]:
        self._fail()
        newest: dict[Series, LatestValue] = {}
        for value in self.values:
            name = value.series.name
            if name.site != site or name.kind not in kinds or asset_id not in {None, name.asset_id}:
                continue
            held = newest.get(value.series)
            if held is None or value.ts_ms >= held.ts_ms:
                newest[value.series] = value
        return list(newest.values())

    async def alerts(self, query: AlertQuery) -> Sequence[AlertRecord]:
        self._fail()
        return select_alerts(self.alert_records.get(query.site, ()), query)

    async def gaps(self, query: GapQuery) -> Sequence[GapListing]:
        self._fail()
        return select_gaps(self.gap_listings.get(query.site, ()), query)

    async def series(self, query: SeriesQuery) -> Sequence[SeriesListing]:
        self._fail()
        newest = await self.latest(query.site, query.kinds, query.asset_id)
        keyed = sorted((series_key(value.series), value) for value in newest)
        words = (query.text or "").lower().split()
        keyed = [(key, value) for key, value in keyed if all(w in "/".join(key[:3]) for w in words)]
        start = 0
        if query.after is not None:
            start = bisect.bisect_right([key for key, _ in keyed], query.after)
        return [
            SeriesListing(value.series, value.ts_ms)
            for _, value in keyed[start : start + query.limit]
        ]

    async def telemetry(self, query: TelemetryQuery) -> TelemetryResult | None:
        self._fail()
        found = [value for value in self.values if value.series.name == query.series]
        if not found:
            return None
        series = found[-1].series
        check_aggregate(series.value_type, query.aggregate)
        inside = sorted(
            (value.ts_ms, value.value)
            for value in found
            if query.start_ms <= value.ts_ms < query.end_ms
        )
        points: list[tuple[int, Value]] = list(inside)
        if query.aggregate is not Aggregate.RAW:
            points = [(ts_ms - ts_ms % query.step_ms, value) for ts_ms, value in points]
            points = list(dict(points).items())  # the last of each step; enough for a fake
        page, next_start_ms = page_of(points[: query.points_max + 1], query.points_max)
        return TelemetryResult(series.unit, series.value_type, page, next_start_ms)

    async def sync_status(self, site: str) -> Sequence[EdgeStatus]:
        self._fail()
        return self.edges.get(site, [])

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


@dataclass
class FakeAccounts:
    """An AccountStore and RefreshTokenStore in memory."""

    accounts: dict[str, Account] = field(default_factory=dict[str, Account])  # by user id
    tokens: dict[bytes, RefreshToken] = field(default_factory=dict[bytes, RefreshToken])
    used: set[bytes] = field(default_factory=set[bytes])
    revoked: set[str] = field(default_factory=set[str])

    def add(self, account: Account) -> Account:
        """Keep an account."""
        self.accounts[account.user_id] = account
        return account

    async def find_account(self, username: str) -> Account | None:
        return next((a for a in self.accounts.values() if a.username == username), None)

    async def account_of(self, user_id: str) -> Account | None:
        return self.accounts.get(user_id)

    async def replace_password_hash(self, user_id: str, password_hash: str) -> None:
        self.accounts[user_id] = replace(self.accounts[user_id], password_hash=password_hash)

    async def start_family(self, token: RefreshToken) -> None:
        self.tokens[token.token_sha256] = token

    async def rotate(
        self, presented_sha256: bytes, successor_sha256: bytes, *, expires_ms: int, now_ms: int
    ) -> Rotation:
        token = self.tokens.get(presented_sha256)
        if token is None:
            return Rotation(RotationOutcome.UNKNOWN)
        outcome = RotationOutcome.ROTATED
        if token.family_id in self.revoked:
            outcome = RotationOutcome.REVOKED
        elif presented_sha256 in self.used:
            outcome = RotationOutcome.REUSED
            self.revoked.add(token.family_id)
        elif token.expires_ms <= now_ms:
            outcome = RotationOutcome.EXPIRED
        else:
            self.used.add(presented_sha256)
            self.tokens[successor_sha256] = replace(
                token, token_sha256=successor_sha256, issued_ms=now_ms, expires_ms=expires_ms
            )
        return Rotation(outcome, token.user_id, token.family_id)

    async def revoke_family(self, token_sha256: bytes) -> None:
        token = self.tokens.get(token_sha256)
        if token is not None:
            self.revoked.add(token.family_id)

    async def revoke_account(self, user_id: str) -> None:
        self.revoked |= {t.family_id for t in self.tokens.values() if t.user_id == user_id}
