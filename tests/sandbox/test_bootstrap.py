"""Each problem of a machine is reported in one sentence that says how to fix it."""

import argparse
import ast
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest

from sandbox import bootstrap, children, store
from sandbox.__main__ import check_port, prepare
from sandbox.shops import demo_shop

SENTENCE = re.compile(r"[A-Z/][^\n]*\.")


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def project(tmp_path):
    """A folder like the project's, before any build."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    return tmp_path


@pytest.fixture
def built(project):
    """A ``.venv`` as it is after a build for the store."""
    venv = bootstrap.Venv(project)
    venv.python.parent.mkdir(parents=True)
    venv.python.touch()
    (venv.folder / "built-for-sandbox").write_text(venv._fingerprint())
    return venv


def error_of(call, *args, **kwargs):
    with pytest.raises(bootstrap.SetupError) as caught:
        call(*args, **kwargs)
    assert SENTENCE.fullmatch(str(caught.value))
    return str(caught.value)


@pytest.mark.parametrize("name", ["sandbox/bootstrap.py", "sandbox/__main__.py", "tests/__main__.py"])
def test_an_old_python_can_read_the_files_that_check_its_version(name):
    source = (bootstrap.ROOT / name).read_text()

    ast.parse(source, feature_version=(3, 6))

    assert "from __future__" not in source


def test_the_error_for_an_old_python_names_the_version_that_is_needed():
    assert "3.11 or newer and was started with 3.9.18" in error_of(bootstrap.check_machine, version=(3, 9, 18))


def test_the_error_on_windows_names_wsl():
    assert "WSL" in error_of(bootstrap.check_machine, system="nt")


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_the_error_without_venv_names_the_package_to_install(missing):
    message = error_of(
        bootstrap.check_machine, version=(3, 12, 1), find=lambda name: None if name == missing else name
    )

    assert "apt install python3.12-venv" in message


def test_this_machine_passes_the_check():
    bootstrap.check_machine()


def test_the_error_names_a_folder_that_cannot_be_written(project):
    (project / ".venv").write_text("a file, where a folder should be")

    assert f"{project}/.venv cannot be written" in error_of(bootstrap.Venv(project).provide, "sandbox")


def test_a_failed_installation_reports_its_error_and_is_repeated(project):
    venv = bootstrap.Venv(project)
    venv.folder.mkdir()

    message = error_of(venv._run, [sys.executable, "-c", "print('ERROR: the disk is full'); exit(1)"], "It failed")

    assert message.startswith("It failed: ERROR: the disk is full.")
    assert not venv.has("sandbox")


def test_an_installation_without_a_network_says_so(project):
    venv = bootstrap.Venv(project)
    venv.folder.mkdir()
    pip_output = (
        "WARNING: Retrying after connection broken by 'NewConnectionError(...)': /simple/django/\nERROR: No match"
    )

    assert "is there a network?" in error_of(
        venv._run, [sys.executable, "-c", f"print({pip_output!r}); exit(1)"], "It failed"
    )


def test_a_finished_build_is_reused(built):
    assert built.has("sandbox")
    assert not built.has("dev")


def test_an_interrupted_build_is_repeated(built):
    (built.folder / "unfinished").touch()

    assert not built.has("sandbox")
    assert not built._can_be_extended()


def test_another_python_starts_a_new_build(built):
    stamp = built.folder / "built-for-sandbox"
    stamp.write_text(stamp.read_text().replace(".", ".9", 1))

    assert not built.has("sandbox")
    assert not built._can_be_extended()


def test_changed_requirements_are_added_to_the_build(built, project):
    with (project / "pyproject.toml").open("a") as file:
        file.write('dependencies = ["Django>=6"]\n')

    assert not built.has("sandbox")
    assert built._can_be_extended()


def test_a_changed_tool_setting_needs_no_build(built, project):
    with (project / "pyproject.toml").open("a") as file:
        file.write("[tool.ruff]\nline-length = 120\n")

    assert built.has("sandbox")


def test_two_starts_at_once_build_once(built, project, monkeypatch):
    second_waits = threading.Event()
    monkeypatch.setattr(bootstrap, "print", lambda *_text, **_options: second_waits.set(), raising=False)
    second = threading.Thread(target=built.provide, args=("dev",))

    with (project / "pyproject.toml").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second.start()
        assert second_waits.wait(10)
        (built.folder / "built-for-dev").write_text(built._fingerprint())
    second.join(timeout=10)

    assert not second.is_alive()
    assert not (built.folder / "install.log").exists()


def test_a_port_in_use_is_reported_before_the_build():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        message = error_of(check_port, port, "--port")

    assert f"Port {port} cannot be used" in message
    assert "--port" in message


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_a_port_that_does_not_exist_is_reported(port):
    assert f"Port {port} does not exist" in error_of(check_port, port, "--port")


def test_a_port_that_is_not_a_number_is_reported(monkeypatch):
    monkeypatch.setenv("PORT", "eight thousand")

    assert "'eight thousand'" in error_of(prepare, [])


def test_the_simulators_port_is_the_stores_plus_1000(monkeypatch, free_port):
    monkeypatch.delenv("KHALTI_BASE_URL", raising=False)
    port = free_port if free_port < 64_000 else free_port - 2000

    chosen = prepare(["--port", str(port)])

    assert (chosen.port, chosen.simulator_port) == (port, port + 1000)


def test_with_another_khalti_no_simulator_starts(monkeypatch, free_port):
    monkeypatch.setenv("KHALTI_BASE_URL", "https://dev.khalti.com/api/v2/")

    chosen = prepare(["--port", str(free_port), "--simulator-port", "0"])

    shop = demo_shop(chosen.shop)
    assert [name for name, _command, _health in store._commands(chosen, shop)] == ["The store"]
    assert "no simulator was started" in store._banner(chosen, shop, {})


@pytest.fixture
def example(tmp_path, monkeypatch):
    """A folder of ``examples/`` that is complete, beside one that is not."""
    folder = tmp_path / "examples" / "tea"
    folder.mkdir(parents=True)
    (folder.parent / "unfinished").mkdir()
    (folder / "manage.py").touch()
    (folder / "demo.txt").write_text(
        "The tea house is running:  {site}/\n\n  {khalti}{which}{login} {manage} reconcile\n"
    )
    monkeypatch.setattr("sandbox.shops.ROOT", tmp_path)
    return folder


def test_each_complete_folder_of_the_examples_can_be_run(example, tmp_path, free_port, monkeypatch):
    monkeypatch.delenv("SANDBOX_VAR")
    monkeypatch.delenv("KHALTI_BASE_URL", raising=False)
    chosen = argparse.Namespace(shop="tea", port=8100, simulator_port=9111, khalti="", reset=False)
    shop = demo_shop("tea")
    environment = store._environment(chosen, shop)
    commands = {name: (command[1:], health) for name, command, health in store._commands(chosen, shop)}

    assert bootstrap.shops(tmp_path) == ["oscar", "tea"]
    assert environment["SANDBOX_VAR"] == str(example / "var")
    assert environment["KHALTI_BASE_URL"] == "http://127.0.0.1:9111/api/v2/"
    assert commands["The store"] == (
        [str(example / "manage.py"), "runserver", "--noreload", "127.0.0.1:8100"],
        "http://127.0.0.1:8100/",
    )
    assert store._banner(chosen, shop, {}).splitlines()[1:4] == [
        "  The tea house is running:  http://127.0.0.1:8100/",
        "",
        "  http://127.0.0.1:9111/panel/, simulated: the tester's panel:",
    ]
    assert (
        "PORT=8100 KHALTI_BASE_URL=http://127.0.0.1:9111/api/v2/ .venv/bin/python examples/tea/manage.py reconcile"
        in store._banner(chosen, shop, {})
    )


def test_a_shop_that_does_not_exist_is_reported_with_those_that_do(capsys):
    with pytest.raises(SystemExit):
        prepare(["--shop", "tea"])

    assert "'oscar'" in capsys.readouterr().err


def test_the_store_is_what_runs_without_a_choice(free_port, monkeypatch):
    monkeypatch.setenv("KHALTI_BASE_URL", "https://dev.khalti.com/api/v2/")

    chosen = prepare(["--port", str(free_port)])

    assert (chosen.shop, bootstrap.needed_packages(chosen.shop)) == ("oscar", "sandbox")
    assert "gunicorn" in demo_shop(chosen.shop).server("127.0.0.1:8000")


def test_salesman_has_an_environment_of_its_own_because_it_refuses_django_6(project):
    extra = bootstrap.needed_packages("salesman")
    venv = bootstrap.Venv(project, bootstrap.folder_of(extra))

    assert venv.folder == project / ".venv-salesman"
    assert bootstrap.interpreter("salesman") == ".venv-salesman/bin/python"
    assert bootstrap.folder_of(bootstrap.needed_packages("page")) == ".venv"


def test_a_data_folder_that_cannot_be_written_is_reported(tmp_path):
    (tmp_path / "var").write_text("a file")

    assert "SANDBOX_VAR" in error_of(store._check_writable, tmp_path / "var")


def test_a_reset_deletes_the_files_of_the_store_and_no_others(tmp_path):
    ours = [
        "store.sqlite3",
        "store.sqlite3-wal",
        "khalti.sqlite3",
        "media/pen.webp",
        "mail/1.log",
        "elsewhere.sqlite3",
    ]
    for name in [*ours, "notes.txt"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    store.reset(tmp_path, f"sqlite:///{tmp_path}/elsewhere.sqlite3")

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_first_child_to_end_is_named():
    lasting = children.start([sys.executable, "-c", "import signal; signal.pause()"])
    short = children.start([sys.executable, "-c", ""])
    try:
        assert children.first_to_end({"lasting": lasting, "short": short}) == "short"
    finally:
        children.stop(lasting)

    assert lasting.returncode == -signal.SIGTERM


def test_a_child_that_ignores_the_signal_is_killed():
    ignoring = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ignoring', flush=True); signal.pause()"
    )
    child = children.start([sys.executable, "-c", ignoring], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"ignoring\n"

    children.stop(child, seconds=0.1)
    child.stdout.close()

    assert child.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals a child when its parent dies")
def test_no_child_outlives_a_killed_parent():
    parent = (
        "import os, sys; from sandbox import children;"
        "child = children.start([sys.executable, '-c', 'import signal; signal.pause()'], pass_fds=[int(sys.argv[1])]);"
        "os.kill(os.getpid(), 9)"
    )
    reader, writer = os.pipe()

    subprocess.run([sys.executable, "-c", parent, str(writer)], cwd=bootstrap.ROOT, pass_fds=[writer], check=False)
    os.close(writer)

    with open(reader, "rb") as end:  # noqa: PTH123  (ends when the last holder of the other side has ended)
        assert end.read() == b""
