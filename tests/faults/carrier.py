"""The carrier's agents inside a worker: the sandbox's own, turned by the driver between two looks at its children.

They poll by ``seqno`` watermark as the real ones do, so what becomes visible late is lost, and they live on from
schedule to schedule.
"""

from contextlib import suppress

import MySQLdb

from include.errors import Unavailable
from sandbox.agent_line import BATCH, LineAgent
from sandbox.outcomes import DEFAULT_MIX, Outcomes
from tests.faults.servers import LINES, Servers


class Carrier:
    """The agents of all lines.

    :param seconds: moment at which the line's clock stands for new connections; ``None`` for the real one.
    """

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self.moment: int | None = None
        self._outcome = Outcomes.of(DEFAULT_MIX, 0).sql
        self._agents: dict[int, LineAgent] = {line: self._make(line) for line in LINES}

    def _make(self, line: int) -> LineAgent:
        # A row that somebody else has locked must not hold the driver up: it is looked at again at the next turn.
        session = "SET innodb_lock_wait_timeout = 0"
        if self.moment is not None:
            session += f", timestamp = {self.moment}"
        return LineAgent(self._servers.agent_url, line, self._outcome, session=session)

    def turn(self) -> int:
        """One turn of every agent; how many rows moved on. A lost connection is opened again at the next turn."""
        changed = 0
        for agent in self._agents.values():
            try:
                changed += agent.turn(BATCH)
            except (MySQLdb.Error, Unavailable):
                agent.disconnect()
                changed += 1
        return changed

    def restart(self) -> None:
        """New agents, which know only what the tables tell them."""
        for line, agent in self._agents.items():
            agent.disconnect()
            self._agents[line] = self._make(line)

    def set_clock(self, moment: int | None) -> None:
        """Set the line's clock for every new connection, ours and the product's; the agents keep their memory."""
        self.moment = moment
        with self._servers.root() as cursor:
            cursor.execute("SET GLOBAL init_connect = %s", (f"SET timestamp = {moment}" if moment else "",))
        for line, agent in self._agents.items():
            agent.disconnect()
            fresh = self._make(line)
            fresh.state, fresh.frozen = agent.state, agent.frozen
            self._agents[line] = fresh

    def freeze(self, frozen: bool) -> None:
        """Whether messages are handed over without any result coming back."""
        for agent in self._agents.values():
            agent.frozen = frozen

    def connections(self) -> list[int]:
        """The server's numbers of their connections."""
        return [agent.thread_id for agent in self._agents.values() if agent.thread_id is not None]

    def lost(self, run_id: int) -> int:
        """Rows of a run that no agent will ever look at: below its watermark, and still waiting."""
        count = 0
        for line, agent in self._agents.items():
            with self._servers.root() as cursor:
                cursor.execute(
                    f"SELECT count(*) FROM smsline.{agent.table} WHERE app_etc2 LIKE %s AND rsv1 = '1' AND seqno <= %s",
                    (f"{run_id}.%", agent.state.watermark),
                )
                row = cursor.fetchone()
            count += int(row[0]) if row and line else 0
        return count

    def close(self) -> None:
        """Close the connections."""
        for agent in self._agents.values():
            with suppress(MySQLdb.Error):
                agent.disconnect()
