"""Figures of several runs: their spread, their ratios, and how they are shown."""

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Figures = Mapping[str, float]
Spread = dict[str, dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one case measured, run by run: the daemon's own figures, its floor's, and what is to be compared."""

    case: str
    runs: list[Figures] = field(default_factory=list)
    floors: list[Figures] = field(default_factory=list)
    rivals: list[Figures] = field(default_factory=list)
    """Of somebody else's program for the same work."""
    targets: Mapping[str, str] = field(default_factory=dict)
    """By name of a figure of `compared`: what is to be reached."""

    @property
    def ratios(self) -> list[Figures]:
        """Run by run: own figures by the floor's, and by the rival's (`rival_…`)."""
        found: list[Figures] = []
        for number, run in enumerate(self.runs):
            ratio = _divided(run, self.floors[number], "") if self.floors else {}
            found.append(ratio | (_divided(run, self.rivals[number], "rival_") if self.rivals else {}))
        return found

    def as_json(self) -> dict[str, object]:
        """Everything, with every run."""
        return {
            "case": self.case,
            "daemon": spread(self.runs),
            "floor": spread(self.floors),
            "rival": spread(self.rivals),
            "ratio": spread(self.ratios),
            "targets": dict(self.targets),
            "runs": [dict(run) for run in self.runs],
        }

    def show(self) -> None:
        """Print the table of this case."""
        columns = {"daemon": self.runs, "floor": self.floors, "rival": self.rivals, "ratio": self.ratios}
        spreads = {name: spread(runs) for name, runs in columns.items() if runs and runs[0]}
        print(f"\n{self.case}: {len(self.runs)} runs, min .. median .. max")
        print(f"{'':22}" + "".join(f"{name:>28}" for name in spreads) + "   target")
        for name in dict.fromkeys(name for one in spreads.values() for name in one):
            cells = "".join(f"{cell(one.get(name)):>28}" for one in spreads.values())
            print(f"{name:22}{cells}   {self.targets.get(name, '')}".rstrip())


def _divided(run: Figures, other: Figures, prefix: str) -> dict[str, float]:
    return {prefix + name: run[name] / other[name] for name in other if name in run and other[name]}


def spread(runs: Sequence[Figures]) -> Spread:
    """Smallest, median and largest of each figure."""
    return {name: three([run[name] for run in runs]) for name in runs[0]} if runs else {}


def three(values: Sequence[float]) -> dict[str, float]:
    """Smallest, median and largest."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def cell(found: Mapping[str, float] | None) -> str:
    """The three in a few characters."""
    return " .. ".join(_short(found[word]) for word in ("min", "median", "max")) if found else ""


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def say(text: str) -> None:
    """Progress, apart from the tables."""
    print(text, file=sys.stderr, flush=True)
