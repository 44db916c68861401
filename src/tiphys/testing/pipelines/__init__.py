"""
Tries manifests out without a bus: events in, rendered actions and verdicts out, nothing sent.

    pipeline = Pipeline("examples/github-push")
    run = pipeline.run([event("github-webhook", "github-push", body={"ref": "refs/heads/main"})])
    assert [action.trigger for action in run.actions] == ["start-build"], run.trace()

``tiphys test`` reads its events and expectations from ``*.test.yaml``; see :class:`Suites`.
"""

from tiphys.testing.pipelines._actions import Action
from tiphys.testing.pipelines._comparison import Change, Comparison, compare, needed
from tiphys.testing.pipelines._coverage import Coverage, Gap
from tiphys.testing.pipelines._differences import as_yaml, difference
from tiphys.testing.pipelines._expectations import Failure
from tiphys.testing.pipelines._filters import Judgement
from tiphys.testing.pipelines._given import Given, archived, event, moment, recorded
from tiphys.testing.pipelines._pipeline import Pipeline, Run
from tiphys.testing.pipelines._results import results_as_json
from tiphys.testing.pipelines._runner import Result, Suites
from tiphys.testing.pipelines._verdicts import Verdict

__all__ = [
    "Action",
    "Change",
    "Comparison",
    "Coverage",
    "Failure",
    "Gap",
    "Given",
    "Judgement",
    "Pipeline",
    "Result",
    "Run",
    "Suites",
    "Verdict",
    "archived",
    "as_yaml",
    "compare",
    "difference",
    "event",
    "moment",
    "needed",
    "recorded",
    "results_as_json",
]
