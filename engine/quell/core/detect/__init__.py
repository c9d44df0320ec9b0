"""Detectors: rules over telemetry that become alerts.

A point goes from `quell.core.takers` to `detector`, which knows by `readers` what rules read its series, and waits in a
`quell.model.detecting.Watch` until the grid of the rule is due. Then the rule's condition takes the points, judges each
window that is over, and what comes of ``need`` bad windows of ``of`` is worded by `telling` and taken as an alert.

To add a condition:

1. what a rule may say: a struct with a tag in `quell.model.detect`, added to ``Condition`` there, and a shape in
   `quell.config.detect_shapes` (a field of ``WhenShape``) that `quell.config.detect_file` turns into the struct (its
   line in ``_CONDITIONS``; what it can read in ``_READ``; ``_POOLED`` if it looks at entities as a whole);
2. what it remembers of one series: a struct with a tag in `quell.model.detecting`, added to ``Memory`` there
   (``Windows`` with `buckets` does for most);
3. a module here with a class as `condition.Condition` describes it, and a line in `conditions`.

``for``, ``every``, ``delay`` and how an alert begins and ends are the frame's: a condition only says of one window
whether it is bad. What must not begin anew after a reload depends on the rule and on ``rests_on`` alone.

The memory must be bounded by what the rule declares, never by traffic. Rows as ``DistributionRecord`` come by
``take_distribution``, at once; points come by ``take``, in order of time, shortly before ``judge``.
"""
