"""The name by which Airflow's processes of this machine know each other; light, because each of them imports it."""


def hostname() -> str:
    """This machine: nothing of the embedded Airflow listens anywhere else."""
    return "127.0.0.1"
