"""What the running services have to show, in order; each check finds what the ones before it left."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.compose import derived
from tests.compose.engine import Failed, answer_of
from tests.compose.stack import ONCE, Stack

TENANT, SLUG = "proof", "welcome"
RECIPIENTS, WRONG_ROWS = 2_000, 3
DEFINITION = f"/data/{TENANT}/{SLUG}.yaml"
CAMPAIGN = f"""\
tenant: {TENANT}
slug: {SLUG}
title: 가입 환영
purpose: informational
audience:
  file: members.csv
  columns: {{phone: 휴대폰, name: 이름}}
message:
  channel: sms
  sender: "02-1234-5678"
  text: "[PROOF] {{{{name|고객}}}}님, 가입을 환영합니다."
"""
STOPPED_POOL = "sms_line_2"
COMMAND_LINE, WORKER = "bongsu", "worker"
DATABASES = ("postgres", "mariadb")
BACKUP = "/var/lib/bongsu/out/backup"


def must(holds: bool, otherwise: str) -> None:
    """:raises Failed: it does not hold."""
    if not holds:
        raise Failed(otherwise)


def make_files(stack: Stack) -> None:
    """Secrets, and a tenant's folder with a definition and a file of customers, three of whose rows are wrong."""
    stack.prepare()
    folder = stack.customer_files / TENANT
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f"고객{number},010-{3000 + number // 1000}-{number % 1000:04d}" for number in range(RECIPIENTS)]
    wrong = [f"고객,02-123-{number:04d}" for number in range(WRONG_ROWS)]
    (folder / "members.csv").write_text("\n".join(["이름,휴대폰", *rows, *wrong]) + "\n", encoding="utf-8")
    (folder / f"{SLUG}.yaml").write_text(CAMPAIGN, encoding="utf-8")


def start(stack: Stack) -> None:
    stack.up()
    stack.wait_until_healthy()


def start_agents(stack: Stack) -> None:
    """The carrier's side. Its account may not make tables; the sandbox's own book of what it sent is made for it."""
    password = stack.secrets["MARIADB_ROOT_PASSWORD"]
    command = ["mariadb", "--user=root", "--execute=GRANT CREATE ON smsline.SANDBOX_SENT TO 'agent'@'%'"]
    stack.run_in("mariadb", *command, environment={"MYSQL_PWD": password})
    stack.up(derived.AGENTS)


def nothing_runs_as_root(stack: Stack) -> None:
    for name in stack.services():
        if name != ONCE:
            must("0" not in stack.users(name), f"a process of {name} runs as root")


def privileges_stay_where_they_belong(stack: Stack) -> None:
    """What sees all tenants, changes tables or is Airflow's administrator is unknown where tasks run."""
    names = ("STORE_PLATFORM_PASSWORD", "STORE_OWNER_PASSWORD", "LINE_TABLES_PASSWORD", "AIRFLOW_ADMIN_PASSWORD")
    for service in ("worker", "scheduler", "triggerer", "dag-processor", "api-server"):
        environment = stack.run_in(service, "env", quiet=True)
        for name in names:
            must(stack.secrets[name] not in environment, f"{service} has {name} in its environment")
    file = "/var/lib/airflow/login/passwords.json"
    mode = stack.run_in("api-server", "stat", "--format=%a", file).strip()
    must(mode == "600", f"Airflow's password file has mode {mode}")
    must(stack.try_in(WORKER, "cat", file).returncode != 0, "a worker can read Airflow's password file")


def line_accounts_do_their_own_work_only(stack: Stack) -> None:
    for user, password, allowed, refused in (
        ("bongsu", "LINE_PASSWORD", "SELECT count(*) FROM SMSQ_SEND_1", "DELETE FROM SMSQ_SEND_1"),
        ("bongsu", "LINE_PASSWORD", "SELECT 1", "CREATE TABLE other (id INT)"),
        ("bongsu_tables", "LINE_TABLES_PASSWORD", "CALL BONGSU_LOG_TABLES(2)", "DELETE FROM SMSQ_SEND_1"),
        ("agent", "AGENT_PASSWORD", "DELETE FROM SMSQ_SEND_1 WHERE FALSE", "DROP TABLE SMSQ_SEND_1"),
    ):
        answer_of(stack.sql(allowed, user, stack.secrets[password]))
        done = stack.sql(refused, user, stack.secrets[password])
        must(b"denied" in done.stderr, f"account {user} may: {refused}")


def stop_a_line(stack: Stack) -> None:
    """A person takes all slots from a line's pool."""
    must(_slots(stack) == 2, "a new pool has not two slots")
    stack.run_in("scheduler", "airflow", "pools", "set", STOPPED_POOL, "0", "stopped by a person")


def line_is_still_stopped(stack: Stack) -> None:
    slots = _slots(stack)
    must(slots == 0, f"the pool of a line that was stopped has {slots} slots after the start")


def _slots(stack: Stack) -> int:
    answer = json.loads(stack.run_in("scheduler", "airflow", "pools", "get", STOPPED_POOL, "--output", "json"))
    return int(answer[0]["slots"])


def apply_all(stack: Stack) -> None:
    """A tenant, and without naming a file the definitions of all tenants' folders."""
    stack.run_in(COMMAND_LINE, "bongsu", "tenant", "add", TENANT, "--line-group", "bulk-2")
    said = stack.run_in(COMMAND_LINE, "bongsu", "apply")
    must("version 1 applied" in said, f"bongsu apply said: {said}")


def run_from_command_line(stack: Stack) -> None:
    stack.run_in(COMMAND_LINE, "bongsu", "run", DEFINITION, "--report", "report.json")
    _all_accepted(json.loads(stack.run_in(COMMAND_LINE, "cat", "report.json")))


def worker_says_what_is_missing(stack: Stack) -> None:
    done = stack.try_in(WORKER, "bongsu", "run", DEFINITION)
    must(done.returncode == 1 and b"docker compose exec bongsu" in done.stderr, "a worker does not say what is missing")


def run_in_worker(stack: Stack) -> None:
    stack.run_in(WORKER, "bongsu", "run", DEFINITION, environment=_privileges(stack))
    _all_accepted(_report(stack))


def run_in_one_process(stack: Stack) -> None:
    stack.run_in(WORKER, "bongsu", "run", DEFINITION, "--in-process", environment=_privileges(stack))
    _all_accepted(_report(stack))


def _privileges(stack: Stack) -> dict[str, str]:
    """What the command line has of its own, for one command elsewhere."""
    environment = dict(one.split("=", 1) for one in stack.inspect(COMMAND_LINE)["Config"]["Env"])
    return {name: environment[name] for name in ("BONGSU_PLATFORM_URL", "BONGSU_AIRFLOW_PASSWORD")}


def _report(stack: Stack) -> dict[str, object]:
    content: dict[str, object] = json.loads(stack.run_in(COMMAND_LINE, "bongsu", "report", SLUG, "--json"))
    return content


def _all_accepted(report: dict[str, object]) -> None:
    for name, value in {"books_closed": True, "recipients": RECIPIENTS, "accepted": RECIPIENTS, "twice": 0}.items():
        must(report[name] == value, f"the report says {name} {report[name]}, not {value}")


def run_over_a_dead_worker(stack: Stack) -> None:
    """The worker is killed while a task runs; the run goes on by itself and closes its books."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        run = pool.submit(run_from_command_line, stack)
        command = ["psql", "--username=postgres", "--dbname=airflow", "--tuples-only", "--no-align", "--command"]
        running = "SELECT count(*) FROM task_instance WHERE state = 'running'"
        while not run.done() and stack.run_in("postgres", *command, running, quiet=True).strip() == "0":
            time.sleep(0.1)
        stack.kill(WORKER)
        run.result()
    audit(stack)


def audit(stack: Stack) -> None:
    stack.run_in(COMMAND_LINE, "bongsu", "audit", SLUG, "--every-row")


def write_rejected(stack: Stack) -> None:
    said = stack.run_in(COMMAND_LINE, "bongsu", "rejected", SLUG)
    must(f": {WRONG_ROWS} rows" in said, f"bongsu rejected said: {said}")
    stack.engine.docker(
        "cp", f"{stack.container(COMMAND_LINE)}:/var/lib/bongsu/out/{SLUG}-rejected.csv", str(stack.work)
    )
    written = stack.work / f"{SLUG}-rejected.csv"
    lines = written.read_text(encoding="utf-8-sig").splitlines()
    written.unlink()
    must(len(lines) == WRONG_ROWS + 1, f"the file of rejected rows has {len(lines)} lines")


def status(stack: Stack) -> None:
    """True in each kind of container, and without a trace."""
    for service in (COMMAND_LINE, WORKER):
        said = stack.run_in(service, "bongsu", "status")
        must("SMS line" in said and "bongsu up" not in said, f"bongsu status in {service} said: {said}")
    left = stack.run_in(WORKER, "sh", "-c", "ls /var/lib/bongsu/*.lock 2>/dev/null || true")
    must(not left.strip(), f"bongsu status leaves {left}")


def clean_up(stack: Stack) -> None:
    """What the page on production says to do each night; nothing here is as old."""
    options = ["--clean-before-timestamp", "2020-01-01", "--skip-archive", "--yes"]
    stack.run_in("scheduler", "airflow", "db", "clean", *options)
    stack.run_in(WORKER, "find", "/var/lib/airflow/logs", "-type", "f", "-mtime", "+90", "-delete")


def logs_are_quiet(stack: Stack) -> None:
    """Nothing is registered twice, and no setting is missed."""
    for name in ("scheduler", WORKER, "api-server"):
        said = stack.engine.docker("logs", stack.container(name))
        for complaint in ("already registered", "No visibility_timeout"):
            must(complaint not in said, f"the log of {name} says: {complaint}")


def stop(stack: Stack) -> None:
    """Every service ends by itself within its grace, and well."""
    stack.compose("stop", derived.AGENTS)
    for name in reversed(stack.services()):
        if name == ONCE:
            continue
        grace = int(str(derived.derive()["services"][name]["stop_grace_period"]).rstrip("s"))
        began = time.monotonic()
        answer_of(stack.compose("stop", name))
        took = time.monotonic() - began
        state = stack.inspect(name)["State"]
        must(state["ExitCode"] == 0, f"{name} ended with {state['ExitCode']} after {took:.1f} s")
        must(took < grace, f"{name} took {took:.1f} s to end, its grace is {grace} s")


def back_up(stack: Stack) -> None:
    """As the page on operations says, with everything running."""
    answer_of(stack.compose("run", "--rm", ONCE, "bongsu", "backup", BACKUP))


def restore(stack: Stack) -> None:
    """As the page on restoring says: the databases run alone, and both are replaced by the backup."""
    stack.up(*DATABASES)
    stack.wait_until_healthy(*DATABASES)
    answer_of(stack.compose("run", "--rm", "--no-deps", ONCE, "bongsu", "restore", BACKUP, "--replace"))


def let_go_on(stack: Stack) -> None:
    """After a restore nothing goes out until somebody says so."""
    done = stack.try_in(COMMAND_LINE, "bongsu", "run", DEFINITION)
    must(done.returncode != 0 and b"restored" in done.stderr.lower(), f"a run after a restore: {done.stderr.decode()}")
    stack.run_in(COMMAND_LINE, "bongsu", "lift", TENANT)


def start_again(stack: Stack) -> None:
    start(stack)
    stack.up(derived.AGENTS)


def state_is_found(stack: Stack) -> None:
    _all_accepted(_report(stack))
    audit(stack)


CHECKS: list[tuple[str, Callable[[Stack], None]]] = [
    ("secrets, a tenant's folder", make_files),
    ("starting the compose file until all is healthy", start),
    ("starting the carrier's agents", start_agents),
    ("no process runs as root", nothing_runs_as_root),
    ("what is mightier than a task is not where tasks run", privileges_stay_where_they_belong),
    ("each account of the line does its own work only", line_accounts_do_their_own_work_only),
    ("a line is stopped by its pool", stop_a_line),
    ("a tenant, and bongsu apply without a file", apply_all),
    (f"bongsu run, {RECIPIENTS:,} recipients, from the command line's container", run_from_command_line),
    ("report and audit", state_is_found),
    ("a worker says what it lacks for a run", worker_says_what_is_missing),
    ("bongsu run from a worker's container", run_in_worker),
    ("bongsu run --in-process in a worker's container", run_in_one_process),
    ("audit of that run", audit),
    ("a run whose worker is killed", run_over_a_dead_worker),
    ("bongsu rejected", write_rejected),
    ("bongsu status", status),
    ("old rows and logs can be removed", clean_up),
    ("the logs complain of nothing", logs_are_quiet),
    ("a backup", back_up),
    ("stopping each service, exit code 0 within its grace", stop),
    ("putting the backup back", restore),
    ("starting again until all is healthy", start_again),
    ("the line is still stopped", line_is_still_stopped),
    ("report and audit as before", state_is_found),
    ("nothing goes out after a restore until its tenant is let go on", let_go_on),
    ("a run after the second start", run_from_command_line),
]
