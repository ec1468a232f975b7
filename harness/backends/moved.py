"""Where the modules of quantgate 0.1 are now, for backends of other packages that still import from the old places.

The old modules have no aliases: a backend that imports from one gets a line that names the new module. Delete this file
with version 0.3.
"""

from __future__ import annotations

import re

MOVED = {
    "harness.acceptance": ("harness.store.accept",),
    "harness.accuracy": ("harness.measure.accuracy.score",),
    "harness.agreement": ("harness.measure.accuracy.agreement",),
    "harness.anchors": ("harness.store.anchors",),
    "harness.artifacts": ("harness.inputs.artifact_cache",),
    "harness.attestation": ("harness.judge.attestation",),
    "harness.backends.backend": ("harness.backends.registry",),
    "harness.backends.backend_names": ("harness.backends.registry",),
    "harness.baselines": ("harness.store.baselines",),
    "harness.calibration": ("harness.inputs.calibration",),
    "harness.cards": ("harness.commands.export.model_card", "harness.measure.accuracy.signature"),
    "harness.changepoints": ("harness.store.changepoints",),
    "harness.children": ("harness.machine.child",),
    "harness.cli": ("harness.commands.cli",),
    "harness.compare": ("harness.commands.compare.side_by_side",),
    "harness.conclusion": ("harness.commands.gate.exit_code",),
    "harness.crosscheck": ("harness.commands.selfcheck.parallel_runs",),
    "harness.crowd": ("harness.commands.selfcheck.noisy_neighbours",),
    "harness.datasets": ("harness.core.dataset", "harness.inputs.datasets"),
    "harness.declarations": ("harness.core.cell", "harness.core.suite", "harness.tasks.base"),
    "harness.detections": ("harness.measure.accuracy.detections_file",),
    "harness.doctor": ("harness.commands.doctor.tables",),
    "harness.energy": ("harness.machine.energy",),
    "harness.environments": ("harness.commands.gate.interpreter",),
    "harness.errors": ("harness.core.errors",),
    "harness.errortypes": ("harness.measure.explain.tide",),
    "harness.evaluation": ("harness.measure.accuracy.coco",),
    "harness.evaluator": ("harness.measure.accuracy.coco_streaming",),
    "harness.explain": ("harness.measure.explain.explain",),
    "harness.families": ("harness.tasks.decode", "harness.tasks.base"),
    "harness.gate": ("harness.commands.gate.against_base",),
    "harness.gating": ("harness.judge.latency",),
    "harness.geometry": ("harness.tasks.preprocess",),
    "harness.history": ("harness.store.trends",),
    "harness.instances": ("harness.tasks.segment", "harness.tasks.pose"),
    "harness.interference": ("harness.machine.noise", "harness.core.processes"),
    "harness.items": ("harness.plugin.items",),
    "harness.latency": ("harness.measure.latency.wall_clock",),
    "harness.layers": ("harness.measure.explain.layer_noise",),
    "harness.ledger": ("harness.store.history_db",),
    "harness.locks": ("harness.machine.locks", "harness.core.files"),
    "harness.looks": ("harness.measure.sequential",),
    "harness.machine.cores": ("harness.machine.fingerprint",),
    "harness.machine.cpu_flags": ("harness.machine.fingerprint",),
    "harness.machine.cpu_model": ("harness.machine.fingerprint",),
    "harness.machine.isa": ("harness.machine.fingerprint",),
    "harness.machine.machine_class": ("harness.machine.fingerprint",),
    "harness.machine.threads": ("harness.machine.fingerprint",),
    "harness.machine.version": ("harness.machine.fingerprint",),
    "harness.metrics": ("harness.core.metrics",),
    "harness.offers": ("harness.store.accept",),
    "harness.options": ("harness.plugin.options",),
    "harness.outputs": ("harness.tasks.outputs", "harness.tasks.base"),
    "harness.paired": ("harness.judge.accuracy",),
    "harness.pairs": ("harness.measure.latency.cpu_pairs",),
    "harness.peers": ("harness.commands.selfcheck.other_rules",),
    "harness.pixels": ("harness.inputs.pixels",),
    "harness.precision": ("harness.recipes", "harness.recipes.registry"),
    "harness.records": ("harness.store.records", "harness.core.measurement", "harness.core.files"),
    "harness.references": ("harness.measure.latency.references",),
    "harness.relative": ("harness.measure.accuracy.fp32_sibling",),
    "harness.replicates": ("harness.measure.latency.fresh_processes",),
    "harness.report.accepted": ("harness.report.terminal.baselines",),
    "harness.report.cells": ("harness.report.terminal.cells",),
    "harness.report.details": ("harness.report.terminal.details",),
    "harness.report.explanation": ("harness.report.terminal.explanation",),
    "harness.report.exported": ("harness.commands.export.readme",),
    "harness.report.figures": ("harness.report.html.chart_rows",),
    "harness.report.findings": ("harness.report.html.findings",),
    "harness.report.headline": ("harness.report.terminal.headline",),
    "harness.report.heat": ("harness.report.html.heatmap",),
    "harness.report.lines": ("harness.report.terminal.messages",),
    "harness.report.numbers": ("harness.report.common.numbers",),
    "harness.report.order": ("harness.report.common.view",),
    "harness.report.past": ("harness.report.html.history",),
    "harness.report.pictures": ("harness.report.html.pictures",),
    "harness.report.progress": ("harness.report.terminal.progress",),
    "harness.report.sections": ("harness.report.html.sections",),
    "harness.report.tables": ("harness.report.common.tables",),
    "harness.report.trend": ("harness.report.terminal.trend",),
    "harness.reports": ("harness.report.media",),
    "harness.resampling": ("harness.measure.accuracy.bootstrap",),
    "harness.results": ("harness.store.results",),
    "harness.revision": ("harness.store.git",),
    "harness.runner": ("harness.measure.runner",),
    "harness.scores": ("harness.measure.accuracy.score_cache",),
    "harness.selection": ("harness.commands.selection",),
    "harness.selfcheck": ("harness.commands.selfcheck.rates",),
    "harness.sensitivity": ("harness.measure.explain.sensitivity",),
    "harness.session": ("harness.plugin.session",),
    "harness.shelf": ("harness.store.inventory",),
    "harness.sides": ("harness.store.base_revision", "harness.core.processes"),
    "harness.sources": ("harness.inputs.sources",),
    "harness.stability": ("harness.machine.noise",),
    "harness.stages": ("harness.measure.explain.stage_swap",),
    "harness.starter": ("harness.commands.init.scaffold",),
    "harness.stats": ("harness.judge.stop_rule",),
    "harness.suitefile": ("harness.commands.suite_files",),
    "harness.taps": ("harness.measure.explain.intermediate_tensors",),
    "harness.tiers": ("harness.judge.accuracy",),
    "harness.timing": ("harness.measure.latency.timed_section",),
    "harness.trials": ("harness.commands.selfcheck.trials",),
    "harness.types": (
        "harness.core.cell",
        "harness.core.suite",
        "harness.core.measurement",
        "harness.core.status",
        "harness.core.verdict",
    ),
    "harness.verdicts": ("harness.judge.gates",),
    "harness.worker": ("harness.machine.worker",),
    "harness.worktree": ("harness.store.git",),
}
"""Module of quantgate 0.1 → the modules or folders that hold its names now.

`harness.backends` and `harness.machine` are folders today, so the names that moved out of them are listed one by one. A
folder that is gone, such as `harness.precision`, is listed without its files: Python reports the missing folder alone.
"""

RENAMED = {"harness.precision": "Inputs is BuildInputs now"}
"""Module of quantgate 0.1 → which of its names has a new spelling, too."""

REFUSED = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")


def hint(error: Exception) -> str:
    """Say in one line where the module that a failed import asked for is now.

    Returns:
        The line, for the end of a message. Empty where `error` is no failed import, or the module has never moved.
    """
    old = _wanted(error)
    while old and old not in MOVED:
        old = old.rpartition(".")[0]
    if not old:
        return ""
    *others, last = MOVED[old]
    line = f"{old} moved to {', '.join(others)} and {last}" if others else f"{old} moved to {last}"
    if old in RENAMED:
        line += f" ({RENAMED[old]})"
    return f"{line}; the package needs a version for this quantgate"


def _wanted(error: Exception) -> str:
    """The dotted name that a failed import asked for; empty for any other error."""
    if not isinstance(error, ImportError):
        return ""
    refused = REFUSED.match(str(error))  # the module is there, and the name is not in it
    return f"{refused[2]}.{refused[1]}" if refused else error.name or ""
