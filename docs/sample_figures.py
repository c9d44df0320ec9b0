"""Figures of a week, as docs/how-to/read-the-numbers.md tells them: for the pictures of a digest, and their tests."""

from __future__ import annotations

from quell.core.scores import Score
from quell.stats.figures import Figures, Funnel, Held, Judged, Noisy, Saved, Times
from quell.stats.spans import Share, Span

DIFF = """\
--- a/rules/triage.yaml
+++ b/rules/triage.yaml
@@ -3,3 +3,6 @@
 triage:
   - name: backups are for office hours
     match: ['alertname="BackupLate"']
+  - name: hold QueueBlip
+    match: ['alertname="QueueBlip"']
+    hold: 5m   # 9 pages in 7d, nobody did anything about any
"""
WEEK = Figures(
    from_time=1_772_442_000.0,
    to_time=1_773_046_800.0,
    funnel=Funnel(
        events=41_380, alerts=2_114, rules=61, incidents=37, merged=4, withdrawn=1, paged_incidents=27, pages=29,
        reminders=6, firing=12, folded=611,
    ),
    held=(
        Held(code="low_severity", handling="digest", text="its severity is info", firings=902),
        Held(
            code="waiting_for_company", handling="hold", text="alone so far", firings=377, wanted=21, paged_later=19,
            acted_on=2, wait=Span(count=19, median_s=600.0, p90_s=600.0),
        ),
        Held(code="flapping", handling="hold", text="it came and went five times", firings=161),
    ),
    judged=Judged(
        first_cause=Share(hits=11, of=14, rate=11 / 14, low=0.52, high=0.92), unjudged=18, wrong_merges=1, of_many=33
    ),
    times=Times(
        detect=Span(count=37, median_s=48.0, p90_s=130.0),
        page=Span(count=29, median_s=65.0, p90_s=600.0),
        acknowledge=Span(count=26, median_s=260.0, p90_s=1260.0),
        resolve=Span(count=29, median_s=1860.0, p90_s=7440.0),
        never_acknowledged=3,
    ),
    playbooks=(Score(playbook="rollback-deploy", runs=6, outcomes={"done": 5, "failed": 1}, held={"limit": 2}),),
    saved=(
        Saved(
            playbook="rollback-deploy", runs=6, compared=5, minutes=96.0, low=41.0, high=160.0, basis="same rule",
            with_=9, sure="hardly",
        ),
    ),
    noisiest=(
        Noisy(rule="QueueBlip", firings=214, pages=9, useless_pages=9, change="hold/QueueBlip", text="hold it for 5m"),
        Noisy(rule="HighErrorRate", firings=88, pages=11, useless_pages=1),
    ),
    diff=DIFF,
)  # fmt: skip
