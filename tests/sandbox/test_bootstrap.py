"""What a machine lacks is told in one sentence that says how to mend it."""

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

SENTENCE = re.compile(r"[A-Z/][^\n]*\.")


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def project(tmp_path):
    """A folder like the project's, with nothing built in it."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    return tmp_path


@pytest.fixture
def built(project):
    """A ``.venv`` as a finished build for the store leaves it."""
    venv = bootstrap.Venv(project)
    venv.python.parent.mkdir(parents=True)
    venv.python.touch()
    (venv.folder / "built-for-sandbox").write_text(venv._mark())
    return venv


def trouble(call, *args, **kwargs):
    with pytest.raises(bootstrap.Trouble) as caught:
        call(*args, **kwargs)
    assert SENTENCE.fullmatch(str(caught.value))
    return str(caught.value)


@pytest.mark.parametrize("name", ["sandbox/bootstrap.py", "sandbox/__main__.py", "tests/__main__.py"])
def test_an_old_python_can_read_what_tells_it_that_it_is_too_old(name):
    source = (bootstrap.ROOT / name).read_text()

    ast.parse(source, feature_version=(3, 6))

    assert "from __future__" not in source


def test_too_old_a_python_is_told_which_one_is_needed():
    assert "3.11 or newer and was started with 3.9.18" in trouble(bootstrap.check_machine, version=(3, 9, 18))


def test_windows_is_told_of_wsl():
    assert "WSL" in trouble(bootstrap.check_machine, system="nt")


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_a_python_without_venv_is_told_what_to_install(missing):
    said = trouble(bootstrap.check_machine, version=(3, 12, 1), find=lambda name: None if name == missing else name)

    assert "apt install python3.12-venv" in said


def test_this_machine_is_good_enough():
    bootstrap.check_machine()


def test_a_folder_that_cannot_be_written_is_named(project):
    (project / ".venv").write_text("a file, where a folder should be")

    assert f"{project}/.venv cannot be written" in trouble(bootstrap.Venv(project).provide, "sandbox")


def test_an_installation_that_fails_says_why_and_is_done_again(project):
    venv = bootstrap.Venv(project)
    venv.folder.mkdir()

    said = trouble(venv._run, [sys.executable, "-c", "print('ERROR: the disk is full'); exit(1)"], "It failed")

    assert said.startswith("It failed: ERROR: the disk is full.")
    assert not venv.has("sandbox")


def test_no_network_is_told_as_such(project):
    venv = bootstrap.Venv(project)
    venv.folder.mkdir()
    pip_says = (
        "WARNING: Retrying after connection broken by 'NewConnectionError(...)': /simple/django/\nERROR: No match"
    )

    assert "is there a network?" in trouble(
        venv._run, [sys.executable, "-c", f"print({pip_says!r}); exit(1)"], "It failed"
    )


def test_what_was_built_is_used_again(built):
    assert built.has("sandbox")
    assert not built.has("dev")


def test_an_interrupted_build_is_no_build(built):
    (built.folder / "unfinished").touch()

    assert not built.has("sandbox")
    assert not built._can_be_extended()


def test_another_python_begins_from_nothing(built):
    stamp = built.folder / "built-for-sandbox"
    stamp.write_text(stamp.read_text().replace(".", ".9", 1))

    assert not built.has("sandbox")
    assert not built._can_be_extended()


def test_other_requirements_are_added_to_what_is_there(built, project):
    with (project / "pyproject.toml").open("a") as file:
        file.write('dependencies = ["Django>=6"]\n')

    assert not built.has("sandbox")
    assert built._can_be_extended()


def test_another_setting_of_a_tool_asks_for_nothing(built, project):
    with (project / "pyproject.toml").open("a") as file:
        file.write("[tool.ruff]\nline-length = 120\n")

    assert built.has("sandbox")


def test_of_two_starts_at_once_the_second_waits_and_uses_what_the_first_built(built, project, capfd):
    first_builds = built.folder / "built-for-dev"
    waits = threading.Thread(target=built.provide, args=("dev",))

    with (project / "pyproject.toml").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waits.start()
        while "waiting for it" not in capfd.readouterr().out:
            assert waits.is_alive()
        first_builds.write_text(built._mark())
    waits.join(timeout=10)

    assert not waits.is_alive()
    assert not (built.folder / "install.log").exists()


def test_a_taken_port_is_told_before_anything_is_built():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        said = trouble(check_port, port, "--port")

    assert f"Port {port} cannot be used" in said
    assert "--port" in said


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_a_port_that_does_not_exist_is_told(port):
    assert f"Port {port} does not exist" in trouble(check_port, port, "--port")


def test_a_port_that_is_no_number_is_told(monkeypatch):
    monkeypatch.setenv("PORT", "eight thousand")

    assert "'eight thousand'" in trouble(prepare, [])


def test_the_simulator_listens_a_thousand_above_the_store(monkeypatch, free_port):
    monkeypatch.delenv("KHALTI_BASE_URL", raising=False)
    port = free_port if free_port < 64_000 else free_port - 2000

    chosen = prepare(["--port", str(port)])

    assert (chosen.port, chosen.simulator_port) == (port, port + 1000)


def test_another_khalti_needs_no_simulator(monkeypatch, free_port):
    monkeypatch.setenv("KHALTI_BASE_URL", "https://dev.khalti.com/api/v2/")

    chosen = prepare(["--port", str(free_port), "--simulator-port", "0"])

    assert [name for name, _command, _health in store._commands(chosen, bootstrap.ROOT)] == ["The store"]
    assert "no simulated one was started" in store._banner(chosen, {})


def test_a_folder_for_the_data_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "var").write_text("a file")

    assert "SANDBOX_VAR" in trouble(store._check_writable, tmp_path / "var")


def test_a_reset_takes_the_stores_own_files_and_no_other(tmp_path):
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


def test_a_child_that_does_not_listen_is_ended_all_the_same():
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    child = children.start([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"deaf\n"

    children.stop(child, seconds=0.1)
    child.stdout.close()

    assert child.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_no_child_outlives_a_parent_that_was_killed():
    parent = (
        "import os, sys; from sandbox import children;"
        "child = children.start([sys.executable, '-c', 'import signal; signal.pause()'], pass_fds=[int(sys.argv[1])]);"
        "os.kill(os.getpid(), 9)"
    )
    listening, speaking = os.pipe()

    subprocess.run([sys.executable, "-c", parent, str(speaking)], cwd=bootstrap.ROOT, pass_fds=[speaking], check=False)
    os.close(speaking)

    with open(listening, "rb") as end:  # noqa: PTH123  (ends when the last holder of the other side has ended)
        assert end.read() == b""
