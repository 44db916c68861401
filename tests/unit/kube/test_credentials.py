"""Tokens in files and from plugins: when they are read again, and what is said if they fail."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tiphys.errors import ClusterNotConfigured
from tiphys.kube._credentials import ExecCredentials, ExecPlugin, TokenFile

V1 = "client.authentication.k8s.io/v1"


def plugin(tmp_path: Path, code: str, **options: Any) -> ExecPlugin:
    """A plugin that counts its runs in a file and then does what *code* says."""
    counting = (
        "import json, os, pathlib, sys\n"
        f"runs = pathlib.Path({str(tmp_path / 'runs')!r})\n"
        "count = len(runs.read_text()) + 1 if runs.exists() else 1\n"
        "runs.write_text('x' * count)\n"
        "def answer(**status):\n"
        f"    print(json.dumps(dict(apiVersion={V1!r}, kind='ExecCredential', status=status)))\n"
    )
    script = tmp_path / "plugin.py"
    script.write_text(counting + code)
    return ExecPlugin(V1, sys.executable, [str(script)], **options)


class TestTokenFiles:
    async def test_a_renewed_token_counts_after_a_refusal(self, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text("one\n")
        credentials = TokenFile(file)
        assert await credentials.authorization() == "Bearer one"

        file.write_text("two\n")
        assert await credentials.authorization() == "Bearer one"
        credentials.refused()
        assert await credentials.authorization() == "Bearer two"

    async def test_a_renewed_token_counts_after_a_minute(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "token"
        file.write_text("one")
        credentials = TokenFile(file)
        assert await credentials.authorization() == "Bearer one"

        file.write_text("two")
        monkeypatch.setattr("tiphys.kube._credentials.TOKEN_AGE", -1.0)

        assert await credentials.authorization() == "Bearer two"

    @pytest.mark.parametrize("content", [None, "", "\n"])
    async def test_a_missing_token_is_named(self, tmp_path: Path, content: str | None) -> None:
        file = tmp_path / "token"
        if content is not None:
            file.write_text(content)

        with pytest.raises(ClusterNotConfigured, match=str(file)):
            await TokenFile(file).authorization()


class TestPlugins:
    async def test_a_token_is_remembered(self, tmp_path: Path) -> None:
        credentials = ExecCredentials(plugin(tmp_path, "answer(token=str(count))"), None)

        assert await credentials.authorization() == "Bearer 1"
        assert await credentials.authorization() == "Bearer 1"
        credentials.refused()
        assert await credentials.authorization() == "Bearer 2"

    async def test_an_expired_token_is_renewed(self, tmp_path: Path) -> None:
        code = "answer(token=str(count), expirationTimestamp='2020-01-01T00:00:00Z')"
        credentials = ExecCredentials(plugin(tmp_path, code), None)

        assert await credentials.authorization() == "Bearer 1"
        assert await credentials.authorization() == "Bearer 2"

    async def test_the_plugin_is_told_what_it_needs(self, tmp_path: Path) -> None:
        told = plugin(
            tmp_path,
            "answer(token=os.environ['KUBERNETES_EXEC_INFO'] + os.environ['EXTRA'])",
            environment={"EXTRA": "!"},
            cluster={"server": "https://x"},
        )

        value = await ExecCredentials(told, None).authorization()

        assert value is not None
        assert json.loads(value.removeprefix("Bearer ").removesuffix("!")) == {
            "apiVersion": V1,
            "kind": "ExecCredential",
            "spec": {"interactive": False, "cluster": {"server": "https://x"}},
        }

    @pytest.mark.parametrize(
        ("code", "said"),
        [
            ("sys.exit('log in first')", "failed: log in first"),
            ("sys.exit(3)", "failed: exit status 3"),
            ("print('hello')", "printed no ExecCredential"),
            ("answer()", "gave neither token nor certificate"),
            ("print(json.dumps(dict(apiVersion='other', status={})))", "answered in other"),
        ],
    )
    async def test_a_plugin_that_fails_is_explained(
        self, tmp_path: Path, code: str, said: str
    ) -> None:
        with pytest.raises(ClusterNotConfigured) as refused:
            await ExecCredentials(plugin(tmp_path, code), None).authorization()

        assert said in str(refused.value)
        assert repr(sys.executable) in str(refused.value)

    async def test_a_missing_plugin_comes_with_its_hint(self) -> None:
        missing = ExecPlugin(V1, "/nowhere/plugin", install_hint="get it from the shop\n")

        with pytest.raises(ClusterNotConfigured, match=r"cannot be run: .*; get it from the shop$"):
            await ExecCredentials(missing, None).authorization()
