"""The small tables: built models, a model's inside, known targets, kept runs, the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement as Width
from rich.table import Table
from rich.text import Text

from edgegreen import mixture
from edgegreen.agent.wire import printable
from edgegreen.artifact import Agreement, Artifact, TensorSpec
from edgegreen.edgetpulog import Compilation
from edgegreen.errors import EdgegreenError
from edgegreen.judging import edgetpu
from edgegreen.report import listed, terminal, words
from edgegreen.report.listed import Column
from edgegreen.target import Target

if TYPE_CHECKING:
    from edgegreen.cache.entry import Entry
    from edgegreen.cache.store import Cache
    from edgegreen.history.shelf import Broken
    from edgegreen.history.store import Summary
    from edgegreen.sources import ModelSummary

RUN_NAMES = 4  # targets of a run that its line names
OF_RUNS = (
    Column("Run"),  # whole: it is there to be copied
    Column("When (UTC)"),
    Column("Recipe", name=True),
    Column("Targets", name=True),
    Column("Rows", 3, right=True),
    Column("Invalid", 2, right=True),
    Column("Failed", 1, right=True),
)
OF_TARGETS = (
    Column("Target", name=True),
    Column("Family", 1),
    Column("Host", name=True),
    Column("Tags", 2, name=True),
    Column("File", 3),
)


def table(*headings: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table in the house style."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        made.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return made


def show_artifacts(
    built: Mapping[str, Artifact], failed: Mapping[str, EdgegreenError], out: Console, folder: Path | None
) -> None:
    """Built variants and how far each is from the source model; reasons for the others."""
    shown = _artifacts(built, failed, with_makers=True)
    fits = Width.get(out, out.options.update(width=1000), shown).maximum <= out.width
    out.print(shown if fits else _artifacts(built, failed, with_makers=False))
    for maker in [] if fits else dict.fromkeys(artifact.built_by for artifact in built.values()):
        names = ", ".join(name for name, artifact in built.items() if artifact.built_by == maker)
        out.print(terminal.note("·", f"{names}: built by {maker}", "dim"))
    for name, error in failed.items():
        out.print(Text.assemble(("✗", "red"), f" {name}: {error}"))
    for name, artifact in built.items():
        if artifact.mixed:
            for note in mixture.notes(artifact.mixed, artifact.precision, None, None):
                out.print(Text.assemble(("~", "yellow"), f" {name}: {note}"))
        if artifact.compilation:
            _show_compilation(name, artifact, artifact.compilation, out)
    samples = {artifact.agreement.on for artifact in built.values() if artifact.agreement}
    for on in sorted(samples):
        out.print(
            Text(
                f"SQNR and top-1 against the float model, after passes, on {on}, on this machine",
                style="dim",
            )
        )
    if folder:
        out.print(f"copied to {folder}", markup=False)


def _show_compilation(name: str, artifact: Artifact, found: Compilation, out: Console) -> None:
    """What the Edge TPU's compiler said, and that nothing here can check what it made."""
    told = edgetpu.short(found)
    out.print(f"{name}: {told or 'nothing is known of it'} on the Edge TPU", markup=False)
    for note in edgetpu.notes(found):
        out.print(Text.assemble(("~", "yellow"), f" {name}: {note}"))
    if artifact.agreement:
        unchecked = f"{name}: checked before it was compiled: no host can run what the compiler made"
        out.print(Text(unchecked, style="dim"))


def _artifacts(
    built: Mapping[str, Artifact], failed: Mapping[str, EdgegreenError], *, with_makers: bool
) -> Table:
    headings = ("Variant", "Size", "Deflated", "SQNR", "Same top-1", *("Built by",) * with_makers)
    made = table(*headings, right=("Size", "Deflated", "SQNR"))
    for name, artifact in built.items():
        sqnr, top1 = _agreement(artifact.agreement)
        sizes = words.size(artifact.size_bytes), words.size(artifact.compressed_bytes)
        made.add_row(name, *sizes, sqnr, top1, *(artifact.built_by,) * with_makers)
    for name in failed:
        empty = (Text(words.ABSENT, style="dim") for _ in headings[1:])
        made.add_row(Text(f"{name} ✗", style="red"), *empty)
    return made


def _agreement(found: Agreement | None) -> tuple[str, str]:
    if found is None:
        return words.ABSENT, words.ABSENT
    sqnr = "equal" if found.sqnr_db == float("inf") else f"{found.sqnr_db:.1f} dB"
    return sqnr, words.ABSENT if found.top1 is None else f"{round(found.top1 * found.n)}/{found.n}"


def show_model(model: ModelSummary, out: Console) -> None:
    """A model's inputs, outputs, operators and parameters."""
    out.print(f"{model.kind}: {model.parameters:,} parameters, {words.size(model.size_bytes)}", markup=False)
    shown = table("", "Name", "Shape", "Type")
    for what, tensors in (("input", model.inputs), ("output", model.outputs)):
        for tensor in tensors:
            shown.add_row(what, printable(tensor.name), _shape(tensor), tensor.dtype)
    out.print(shown)
    ops = table("Operator", "Count", right=("Count",))
    for name, count in sorted(model.ops.items(), key=lambda item: (-item[1], item[0])):
        ops.add_row(name, str(count))
    out.print(ops)
    for part in model.compiled:
        by = f" by compiler {printable(part.compiler)}" if part.compiler else ""
        held = f"{words.size(part.on_chip_bytes)} of parameters stay on the chip"
        out.print(
            f"compiled for an Edge TPU{by}: {held}, {words.size(part.streamed_bytes)} are sent in each "
            f"inference; needs a libedgetpu of RuntimeVersion({part.min_runtime}) or newer",
            markup=False,
        )


def _shape(tensor: TensorSpec) -> str:
    return " × ".join("?" if size < 0 else str(size) for size in tensor.shape) or "scalar"


def show_targets(targets: Mapping[Path, Target | EdgegreenError], out: Console) -> None:
    """Every target that can be named, and what is wrong with those that cannot be read."""
    lines: list[tuple[str | Text, ...]] = []
    empty = Text(words.ABSENT, style="dim")
    for path, target in sorted(targets.items(), key=lambda item: item[0].stem):
        file = Text(str(path), style="dim")
        if isinstance(target, Target):
            host = target.host or Text("not set", style="dim")
            lines.append((target.name, target.family, host, ", ".join(target.tags) or empty, file))
        else:
            lines.append((Text(f"{path.stem} ✗", style="red"), empty, empty, empty, file))
    tagged = any(isinstance(target, Target) and target.tags for target in targets.values())
    if not tagged:
        lines = [(*line[:3], line[-1]) for line in lines]
    listed.show([column for column in OF_TARGETS if tagged or column.heading != "Tags"], lines, out)
    for target in targets.values():
        if isinstance(target, EdgegreenError):
            out.print(Text.assemble(("✗", "red"), f" {target}"))


def show_runs(found: Sequence[Summary], broken: Sequence[Broken], out: Console) -> None:
    """Kept runs, the newest first, and what is wrong with those that cannot be read."""
    lines: dict[str, tuple[str | Text, ...]] = {
        one.run_id: (
            one.run_id,
            f"{one.started_at:%Y-%m-%d %H:%M}",
            printable(one.recipe),
            words.some([printable(name) for name in one.targets], RUN_NAMES),
            *(str(count) for count in (one.results, one.invalid, one.failures)),
        )
        for one in found
    }
    lines |= {one.run_id: (Text(f"{one.run_id} ✗", style="red"),) for one in broken}
    listed.show(OF_RUNS, [line for _, line in sorted(lines.items(), reverse=True)], out)
    for each in broken:
        out.print(Text.assemble(("✗", "red"), f" {each.why}"))


def show_cache(cache: Cache, out: Console) -> None:
    """What the artifact cache holds, by what it is, the latest used first."""
    entries = cache.entries()
    kinds: dict[str, list[Entry]] = {}
    for entry in entries:
        kinds.setdefault(entry.what, []).append(entry)
    shown = table("What", "Entries", "Size", "Last used", right=("Entries", "Size"))
    for what, alike in kinds.items():
        size = words.size(sum(entry.size_bytes for entry in alike))
        shown.add_row(Text(what), str(len(alike)), size, f"{alike[0].used_at:%Y-%m-%d %H:%M} UTC")
    if entries:
        out.print(shown)
    held, limit = words.size(cache.size_bytes), words.size(cache.limit_bytes)
    count = f"{len(entries)} {'entry' if len(entries) == 1 else 'entries'}"
    out.print(f"{count}, {held} of {limit}, in {cache.folder}", markup=False)
