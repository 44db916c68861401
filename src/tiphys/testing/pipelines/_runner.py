"""Runs test files."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from tiphys.errors import ManifestError
from tiphys.languages.lua import WorkerPool
from tiphys.testing.pipelines._coverage import Coverage
from tiphys.testing.pipelines._expectations import Failure, check
from tiphys.testing.pipelines._given import moment
from tiphys.testing.pipelines._pipeline import Pipeline
from tiphys.testing.pipelines._suite import Case, Suite, discover


@dataclasses.dataclass(frozen=True)
class Result:
    """
    How a test went.

    Without *failures* it passed.  *broken*: it could not run, because its file, its manifests or
    its events are wrong.  *trace* is the way of each event.
    """

    name: str
    file: str
    line: int
    seconds: float
    failures: list[Failure]
    trace: str = ""
    broken: bool = False

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.failures


class Suites:
    """
    Runs the tests below some paths, with one pool of workers for all scripts.

    Manifests are loaded once, however many tests are about them.
    """

    def __init__(
        self, paths: Sequence[Path], *, matching: str = "", within: Path | None = None
    ) -> None:
        """
        Find the files.

        *matching*: only tests whose name has this in it.  *within*: no test, and no manifest that
        one is about, may have a file outside of this folder read.  Raises :exc:`ManifestError`
        when there is no test file.
        """
        self.files = list(dict.fromkeys(file for path in paths for file in discover(path)))
        if not self.files:
            named = ", ".join(str(path) for path in paths)
            raise ManifestError(f"there is no *.test.yaml in {named}")
        self.coverage = Coverage()
        self._matching = matching
        self._within = within
        self._suites: dict[Path, Suite] = {}
        self._pipelines: dict[tuple[str, ...], Pipeline] = {}

    def load(self) -> None:
        """
        Read all files and manifests now.

        Raises :exc:`ManifestError` for the first that is wrong; without this, such a file has a
        result like any other, and the tests of the others run.
        """
        for file in self.files:
            try:
                self._pipeline(self._suite(file))
            except ManifestError as error:
                if error.file:
                    raise
                raise ManifestError(error.message, path=error.path, file=str(file)) from error

    async def results(self) -> AsyncIterator[Result]:
        """The result of every test, in order."""
        scripts = WorkerPool()
        try:
            for file in self.files:
                async for result in self._of_file(file, scripts):
                    yield result
        finally:
            await scripts.close()

    async def _of_file(self, file: Path, scripts: WorkerPool) -> AsyncIterator[Result]:
        try:
            suite = self._suite(file)
            pipeline = self._pipeline(suite)
        except ManifestError as error:
            line = error.line if error.file == str(file) else None
            failure = Failure(str(error))
            yield Result(file.name, str(file), line or 1, 0.0, [failure], broken=True)
            return
        for case in suite.cases:
            if self._matching in case.name:
                yield await self._run(case, pipeline, scripts)

    def _suite(self, file: Path) -> Suite:
        if file not in self._suites:
            self._suites[file] = Suite.read(file, within=self._within)
        return self._suites[file]

    def _pipeline(self, suite: Suite) -> Pipeline:
        if suite.manifests not in self._pipelines:
            pipeline = Pipeline(suite.manifests, within=self._within)
            self._pipelines[suite.manifests] = pipeline
            self.coverage.add(pipeline, [])
        return self._pipelines[suite.manifests]

    async def _run(self, case: Case, pipeline: Pipeline, scripts: WorkerPool) -> Result:
        started = time.perf_counter()
        trace, broken = "", False
        try:
            until = moment(case.block.until) if case.block.until else None
            run = await pipeline.play(case.events(), scripts, until=until)
            self.coverage.add(pipeline, [run])
            trace = run.trace()
            failures = check(case.block, pipeline, run)
        except ManifestError as error:
            failures, broken = [Failure(str(error))], True
        took = time.perf_counter() - started
        return Result(case.name, case.file, case.line, took, failures, trace, broken)
