"""When to stop: what rules would have chosen among the epochs of a run, and how good each is by several measures.

GL and P_k are those of `colorcli.training.stopping`. A rule that watches them chooses the epoch at which it would have
stopped the run, as the Edinburgh paper does; every other rule chooses the epoch with the best value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorcli.errors import UsageError
from colorcli.experiments.tables import FilledTable
from colorcli.training.stopping import generalization_loss, training_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from colorcli.evaluation.tables import Comparison, Report
    from colorcli.experiments.declaration import Stopping
    from colorcli.training.report import RunLosses

METRICS = ("recognition", "fd_lite2")  # beside the standard ones
_MEASURES: Mapping[str, tuple[str, Callable[[Mapping[int, float]], int]]] = {
    "recognition": ("recognized as the original %", lambda values: max(values, key=values.__getitem__)),
    "colorfulness_delta": ("colorfulness gap", lambda values: min(values, key=values.__getitem__)),
    "fd_lite2": ("Fréchet distance", lambda values: min(values, key=values.__getitem__)),
}


@dataclass(frozen=True)
class EpochStudy:
    """A run by epoch, and the choice of each rule.

    Attributes:
        columns: values by epoch, by their heading.
        choices: the epoch that each rule chooses, by the rule's name.
        comparable: by the name of a rule that chooses the best figure of photographs, the epochs whose figures may
            be as good, because the 95 % interval of the difference does not exclude 0.
    """

    columns: Mapping[str, Mapping[int, float]]
    choices: Mapping[str, int]
    comparable: Mapping[str, Sequence[int]]

    def tables(self, declared: Stopping) -> list[FilledTable]:
        """Write the values by epoch, and the choices."""
        epochs = sorted({epoch for values in self.columns.values() for epoch in values})
        rows = [[str(epoch), *(_shown(values.get(epoch)) for values in self.columns.values())] for epoch in epochs]
        choices = [
            [rule, str(epoch), ", ".join(map(str, self.comparable.get(rule, ()))) or "-"]
            for rule, epoch in self.choices.items()
        ]
        return [
            FilledTable(f"{declared.title}, by epoch", ["epoch", *self.columns], rows, declared.note),
            FilledTable(f"{declared.title}: what each rule chooses", ["rule", "epoch", "may be as good"], choices),
        ]


def kept_epochs(count: int, most: int) -> list[int]:
    """Choose at most this number of the epochs 1 to count, evenly spaced, including the last one."""
    chosen = min(count, most)
    return [count - (chosen - 1 - number) * count // chosen for number in range(chosen)]


def study_epochs(declared: Stopping, run: RunLosses, report: Report, names: Mapping[str, int]) -> EpochStudy:
    """Put together what happens in a run, epoch by epoch.

    Args:
        declared: the losses that are watched, k and mu.
        run: its losses.
        report: the evaluation of the epochs that are evaluated.
        names: the epoch of each row of the report.

    Raises:
        UsageError: the run does not have a loss.
    """
    columns: dict[str, Mapping[int, float]] = {}
    choices: dict[str, int] = {}
    comparable: dict[str, Sequence[int]] = {}
    for loss in declared.losses:
        ratios = gl_over_pk(run, loss, declared.k)
        validation = run.losses[f"validation {loss}"]
        columns |= {f"validation {loss}": validation, f"GL / P_{declared.k} on {loss}": ratios}
        over = [epoch for epoch, ratio in ratios.items() if ratio > declared.limit]
        choices[f"lowest validation {loss}"] = min(validation, key=validation.__getitem__)
        rule = f"GL / P_{declared.k} on {loss} above {declared.limit:g}"
        choices[rule if over else f"{rule} (never)"] = min(over, default=max(validation))
    rows, comparisons = report.tables[0].sections[0].rows, report.tables[0].comparisons
    for metric, (heading, best) in _MEASURES.items():
        values = {epoch: rows[name][metric].value for name, epoch in names.items() if metric in rows.get(name, {})}
        if values:
            columns[heading] = values
            choices[f"best {heading}"] = chosen = best(values)
            compared = [each for each in comparisons if each.column == metric]
            comparable[f"best {heading}"] = _comparable(compared, names, chosen)
    choices["last epoch"] = max(validation)
    return EpochStudy(columns, choices, comparable)


def _comparable(comparisons: Iterable[Comparison], names: Mapping[str, int], chosen: int) -> list[int]:
    """List the epochs whose difference from the chosen one does not exclude 0."""
    pairs = [
        {names[each.one], names[each.other]}
        for each in comparisons
        if {each.one, each.other} <= names.keys() and not each.difference.excludes_zero
    ]
    return sorted(epoch for pair in pairs if chosen in pair for epoch in pair - {chosen})


def gl_over_pk(run: RunLosses, loss: str, strip: int) -> dict[int, float]:
    """Compute GL(t) / P_k(t) of a loss from the k-th epoch on; infinite where only P_k is 0.

    Raises:
        UsageError: the run does not have the loss in training and in validation.
    """
    if loss not in run.losses or f"validation {loss}" not in run.losses:
        known = ", ".join(name for name in run.losses if f"validation {name}" in run.losses)
        raise UsageError(f"The run {run.name} has no loss {loss!r}.", f"Its losses: {known}.")
    training, validation = run.losses[loss], run.losses[f"validation {loss}"]
    epochs = sorted(validation)
    ratios = {}
    for number in range(strip, len(epochs) + 1):
        gl = generalization_loss([validation[epoch] for epoch in epochs[:number]])
        pk = training_progress([training[epoch] for epoch in epochs[:number]], strip)
        ratios[epochs[number - 1]] = gl / pk if pk else (float("inf") if gl else 0.0)
    return ratios


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def rules_by_epoch(choices: Mapping[str, int]) -> dict[int, Sequence[str]]:
    """Group the rules by the epoch that they choose, in the order of the epochs."""
    return {
        epoch: [rule for rule, chosen in choices.items() if chosen == epoch] for epoch in sorted(set(choices.values()))
    }
