"""What callers have agreed to, in memory."""

from __future__ import annotations

from extproc.ports import Agreed, Agreement, ConsentsUnavailable, Ended


class MemoryConsents:
    """As `extproc.ports.Consents` asks; its clock is its own."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.kept: dict[tuple[str, str], Agreed] = {}
        self.said: dict[tuple[str, str], Agreement] = {}
        self.leases: dict[tuple[str, str], float] = {}
        self.flows: dict[str, tuple[bytes, int]] = {}
        self.ends: list[Ended] = []
        self.clients: dict[str, bytes] = {}
        self.is_away = False

    def clock(self) -> float:
        return self.now

    async def find(self, owner: str, server: str) -> Agreed | None:
        self._look()
        return self.kept.get((owner, server))

    async def keep(self, agreement: Agreement) -> None:
        self._look()
        key = (agreement.owner, agreement.server)
        before = self.kept.get(key)
        self.kept[key] = Agreed(agreement.sealed, before.version + 1 if before else 1)
        self.said[key] = agreement
        self.leases.pop(key, None)

    async def lease(self, owner: str, server: str, version: int, seconds: float) -> bool:
        self._look()
        key = (owner, server)
        kept = self.kept.get(key)
        if kept is None or kept.version != version or self.leases.get(key, 0.0) > self.now:
            return False
        self.leases[key] = self.now + seconds
        return True

    async def renew(self, agreement: Agreement, version: int) -> bool:
        self._look()
        key = (agreement.owner, agreement.server)
        kept = self.kept.get(key)
        if kept is None or kept.version != version:
            return False
        self.kept[key] = Agreed(agreement.sealed, version + 1)
        self.leases.pop(key, None)
        return True

    async def free(self, owner: str, server: str, version: int) -> None:
        self._look()
        self.leases.pop((owner, server), None)

    async def drop(self, owner: str, server: str, version: int) -> bool:
        self._look()
        kept = self.kept.get((owner, server))
        if kept is None or kept.version != version:
            return False
        del self.kept[owner, server]
        return True

    async def ended(self, seconds: float) -> list[Ended]:
        self._look()
        found, self.ends = self.ends, []
        return found

    async def client(self, name: str) -> bytes | None:
        self._look()
        return self.clients.get(name)

    async def keep_client(self, name: str, sealed: bytes, before: bytes | None) -> bytes:
        self._look()
        if self.clients.get(name) == before:
            self.clients[name] = sealed
        return self.clients[name]

    async def drop_client(self, name: str) -> None:
        self._look()
        self.clients.pop(name, None)

    async def begin(self, name: str, sealed: bytes, until: int, once: str) -> bool:
        self._look()
        if once in self.flows:
            return False
        self.flows[once], self.flows[name] = (b"", until), (sealed, until)
        return True

    async def take(self, name: str) -> bytes | None:
        self._look()
        sealed, until = self.flows.pop(name, (b"", 0))
        return sealed if until >= self.now else None

    async def note(self, name: str, sealed: bytes, until: int) -> None:
        self._look()
        self.flows[name] = (sealed, until)

    async def noted(self, name: str) -> bytes | None:
        self._look()
        sealed, until = self.flows.get(name, (b"", 0))
        return sealed if until >= self.now else None

    def close(self) -> None:
        self.is_away = True

    def _look(self) -> None:
        if self.is_away:
            raise ConsentsUnavailable("it is away")
