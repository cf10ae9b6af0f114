import os
import signal
import subprocess
import sys
import threading
from http.client import HTTPConnection

import pytest

from app_repro.report.page import serve


@pytest.fixture
def port(tmp_path):
    (tmp_path / "index.html").write_text("<p>page</p>")
    (tmp_path / "secret.txt").write_text("no")
    with serve.server(tmp_path) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield serving.server_port
        serving.shutdown()
        thread.join()


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    connection = HTTPConnection(serve.HOST, port, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_the_page_is_served_and_nothing_else(port) -> None:
    assert ask(port, "/") == (200, b"<p>page</p>") == ask(port, "/index.html?x=1")
    assert ask(port, "/", "HEAD") == (200, b"")
    for path in ("/secret.txt", "/../index.html", "/%2e%2e/", "/index.html/"):
        assert ask(port, path)[0] == 404, path
    assert ask(port, "/", "POST")[0] == 501


def test_another_name_for_this_address_is_refused(port) -> None:
    assert ask(port, "/", Host="evil.example")[0] == 403
    assert ask(port, "/", Host=f"localhost:{port}")[0] == 200


def test_no_page_is_one_line_with_what_to_run(tmp_path) -> None:
    with pytest.raises(serve.NoPageError, match=r"index\.html: no such page; run `app-repro report`"):
        serve.serve(tmp_path)


def test_ctrl_c_ends_it_quietly(tmp_path) -> None:
    (tmp_path / "index.html").write_text("page")
    code = "from pathlib import Path; from app_repro.report.page.serve import serve; "
    code += f"serve(Path({str(tmp_path)!r}), browser=False)"
    # a background job of a shell without job control would hand down an ignored SIGINT
    start = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **start) as process:
        assert process.stdout and process.stdout.readline().endswith("until Ctrl-C\n")
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
