"""``bongsu keys``: the ring of keys that opens every stored number."""

import typer

from include.cli.output import answer, clear_errors, say

app = typer.Typer(help="The key ring.", no_args_is_help=True)


@app.command("check")
def check() -> None:
    """Compare the key ring with what the campaign store knows of it."""
    with clear_errors():
        from include.cli.store import owner
        from include.embedded.client import ensure
        from include.embedded.state import Level
        from include.privacy.ring import known_keys, open_ring
        from include.settings import settings

        with ensure(Level.databases, say), owner() as connection:
            path = settings().keyring
            ring = open_ring(connection, path)
            known = known_keys(connection)
        numbers = ", ".join(str(key.key_no) for key in known if key.key_no)
        answer(f"{path} is the key ring of this campaign store. Its keys: {numbers}; key {ring.current} seals.")
        if not all(key.required for key in known):
            answer("A rotation has not ended. Finish it with: bongsu keys rotate")


@app.command("rotate")
def rotate() -> None:
    """Add a key that seals what is written from now on. The old ones stay, and open what they have sealed."""
    with clear_errors():
        from include.cli.store import owner
        from include.embedded.client import ensure
        from include.embedded.state import Level
        from include.privacy.ring import rotate as add_key
        from include.settings import settings

        with ensure(Level.databases, say), owner() as connection:
            path = settings().keyring
            number = add_key(connection, path)
        answer(f"Key {number} seals from now on. Copy {path} to where you keep it, away from the databases.")
