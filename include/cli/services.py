"""``bongsu up``, ``down``, ``status`` and ``env``: the services of this machine, or the state of those elsewhere."""

import time
from typing import Any

import typer

from include.cli.output import DONE, FAILED, answer, clear_errors, say

LINGER_SECONDS = 900


def up() -> None:
    """Start the databases, the sandbox agents and Airflow, and leave them running."""
    with clear_errors():
        from include.cli.example import apply_example
        from include.embedded import client
        from include.embedded.state import Level

        home = client.this_home()
        with client.ensure(Level.all, say) as services:
            if not services.embedded:
                answer("BONGSU_STORE_URL points elsewhere, so nothing was started here.")
                return
            client.keep_up(home)
            values, board = services.environment, client.board_of(home)
            example = apply_example()
        answer(f"Airflow   {values['BONGSU_AIRFLOW_URL']}{moved(board)}")
        answer(f"login     {values['BONGSU_AIRFLOW_USER']}")
        answer(f"password  {values['BONGSU_AIRFLOW_PASSWORD']}")
        if example:
            answer(
                f"example   {example}: open it in the list of DAGs; its page (the book at the top) says what to press"
            )
        answer("Stop with: bongsu down")


def moved(board: dict[str, Any]) -> str:
    """What to add to Airflow's address when it is another one than last time."""
    before, now = board.get("airflow_port_before"), board["ports"]["airflow"]
    if before in (None, now):
        return ""
    return f"  (not port {before} as last time; BONGSU_AIRFLOW_PORT keeps one)"


def down() -> None:
    """Stop everything that runs on this machine, whoever uses it."""
    with clear_errors():
        from include.embedded import client

        home = client.this_home()
        if client.is_elsewhere(home):
            answer("BONGSU_STORE_URL points elsewhere, so nothing was stopped here.")
            return
        if client.board_of(home):
            say("Stopping: Airflow first, the databases last")
        answer("Stopped." if client.stop_all(home) else "Nothing was running.")


def status() -> None:
    """Show what runs. The exit code is 1 when nothing does, or when something of an installation elsewhere does not."""
    with clear_errors():
        from include.embedded import client

        home = client.this_home()
        if client.is_elsewhere(home):
            raise typer.Exit(_status_elsewhere())
        board = client.board_of(home)
        if not board:
            answer(f"Nothing runs for {home.path}. Start with: bongsu up")
            raise typer.Exit(FAILED)
        for name, service in board["services"].items():
            detail = service.get("problem") or (f"process {service['pid']}" if "pid" in service else "")
            answer(f"{service['title']:<28} {service['state']:<10} {detail:<16} {home.log(name)}")
        reason = "until `bongsu down`" if home.keep.exists() else "while a command uses them"
        answer(f"{'stopping' if board['stopping'] else 'They stay ' + reason}.")


def _status_elsewhere() -> int:
    """Ask each part of the installation that the settings name; the exit code."""
    from include.cli.health import parts

    well = True
    for title, problem in parts():
        answer(f"{title:<28} {problem or 'answers'}")
        well = well and not problem
    answer("They run elsewhere: BONGSU_STORE_URL names them; up and down do nothing here.")
    return DONE if well else FAILED


def env() -> None:
    """Print the connection URLs as NAME=value lines; the databases stay up for 15 minutes."""
    with clear_errors():
        from include.embedded import client
        from include.embedded.state import Level

        home = client.this_home()
        with client.ensure(Level.databases, say) as services:
            for name, value in sorted(client.values_to_print(services.environment).items()):
                answer(f"{name}={value}")
            if services.embedded and not home.keep.exists():
                home.linger.write_text(str(time.time() + LINGER_SECONDS), encoding="ascii")
                minutes = LINGER_SECONDS // 60
                say(f"The databases stay up for {minutes} minutes; `bongsu up` keeps them, and Airflow.")
