"""The table as a person sees it: whole lines, honest marks, and reasons below."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from builders import BOARD, accuracy, executed, measurement, metered, run
from rich.cells import cell_len
from rich.console import Console

from edgegreen.config.limitkeys import Budgets
from edgegreen.judging import comparison
from edgegreen.measurement import Energy, Failure, Measurement, Power, Run, Tuning
from edgegreen.report import terminal

ESCAPE = "\x1b"
AT_TIMES = (  # columns
    "Deflated", *terminal.OF_A_METER, *terminal.OF_A_SWEEP, *terminal.OF_THE_RUNTIME, *terminal.OF_AN_EDGETPU,
)  # fmt: skip


def shown(of: Run, width: int = 200, *, colour: bool = False, **budgets: Any) -> str:
    """What a person sees on a terminal of this width."""
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=colour, highlight=False, markup=False, emoji=False
    )
    rows = comparison.rows(of.results, "fp32-tflite", Budgets(**budgets))
    terminal.show(of.model_copy(update={"budgets": Budgets(**budgets)}), rows, console)
    return out.getvalue()


def line_of(text: str, start: str) -> str:
    (found,) = [line for line in text.splitlines() if line.startswith(start)]
    return found


KWS = (
    measurement("fp32-tflite", p50=0.049, size_bytes=104_088, accuracy=accuracy(0.913), precision="fp32"),
    measurement("int8-tflite", p50=0.0646, size_bytes=53_168, accuracy=accuracy(0.902)),
    measurement(
        "int8-openvino", p50=0.122, size_bytes=60_000, accuracy=accuracy(0.5), verdict="invalid",
        reasons=("this board's runtime computes something else",), runtime=("openvino", "2026.4.1", None),
    ),
)  # fmt: skip


def test_a_replayed_row_bears_its_mark_and_says_of_what() -> None:
    mark = {"board": "bench", "recorded_at": "2026-11-22T07:30:29.984174+00:00", "edgegreen": "0.1.0"}
    conditions = {"board": BOARD, "replayed": mark}
    text = shown(run(measurement("fp32-tflite", conditions=conditions), measurement("int8-tflite")))
    assert line_of(text, "fp32-tflite ↺  litert")
    assert "↺" not in line_of(text, "int8-tflite")
    words = "replayed from a recording of bench of 2026-11-22 07:30 UTC; nothing was measured now"
    assert line_of(text, "↺") == f"↺ {words}"


class TestTable:
    """One row a variant."""

    def test_what_stands_in_a_row(self) -> None:
        text = shown(run(*KWS))
        assert text.splitlines()[0] == "pi5  aarch64 · 4 cores · Python 3.11.2 · glibc 2.36"
        assert re.sub(r"\s{2,}", " | ", line_of(text, "Variant")) == (
            "Variant | Runtime | Threads | Size | Accuracy | p50 ms | p95 ms | First ms | Memory | Speed"
        )
        assert re.sub(r"\s{2,}", " | ", line_of(text, "int8-tflite")) == (
            "int8-tflite | litert 2.3.0 + XNNPACK | 1 | 53.2 kB* | 90.2 % (−1.1) | "
            "0.0646 | 0.0775 | 0.129 | 10.2 MB | 0.759×"
        )

    def test_the_best_are_marked_without_colour(self) -> None:
        text = shown(run(*KWS))
        assert "91.3 % (±0.0)*" in line_of(text, "fp32-tflite")
        assert "0.0490*" in line_of(text, "fp32-tflite")
        assert "53.2 kB*" in line_of(text, "int8-tflite")
        assert "*" not in line_of(text, "int8-openvino")
        assert "* best of its column" in text

    def test_a_missed_budget_is_marked_with_the_reason_below(self) -> None:
        text = shown(run(*KWS), accuracy_drop_max=0.01)
        assert line_of(text, "int8-tflite").startswith("int8-tflite !")
        assert "! int8-tflite: accuracy drop 0.011 > 0.01" in text.splitlines()
        assert "fp32-tflite !" not in text

    def test_a_reading_not_to_be_trusted_is_marked_with_the_reason_below(self) -> None:
        text = shown(run(*KWS), latency_p95_ms_max=0.1)
        assert line_of(text, "int8-openvino").startswith("int8-openvino ! ?")
        assert "? int8-openvino: this board's runtime computes something else" in text.splitlines()

    def test_what_was_not_measured_is_no_zero_and_has_a_reason(self) -> None:
        text = shown(run(measurement("fp32-tflite", accuracy=None)))
        assert re.search(r"kB +– +1\.00", line_of(text, "fp32-tflite"))
        assert "– accuracy: the recipe names no evaluation data" in text.splitlines()

    def test_an_accuracy_that_was_no_number_is_not_blamed_on_the_recipe(self) -> None:
        broken = measurement(accuracy=None, verdict="invalid", reasons=("the outputs are not finite",))
        assert "evaluation data" not in shown(run(KWS[0], broken))

    def test_a_dash_has_its_reason_also_where_the_row_bears_other_marks(self) -> None:
        text = shown(run(measurement(accuracy=None, verdict="invalid", reasons=("a busy board",))))
        assert "– accuracy: the recipe names no evaluation data" in text.splitlines()

    def test_what_is_said_of_several_rows_is_said_once(self) -> None:
        partly = executed(("CONV_2D", "i8", True, 2), ("SOFTMAX", "i8", False, 1))
        sweep = [
            measurement(name, execution=partly, threads=threads, verdict="invalid", reasons=("a busy board",))
            for name in ("a", "b")
            for threads in (1, 2, 4)
        ]
        lines = shown(run(*sweep, measurement("c", execution=partly, p50=2))).splitlines()
        assert "~ a, b, c: 2 of 3 operators in XNNPACK; left: SOFTMAX" in lines
        assert "? a, b: a busy board" in lines
        lines = shown(run(*sweep[:2], measurement("a", threads=4))).splitlines()
        assert "? a, 1 thread; a, 2 threads: a busy board" in lines

    def test_no_speed_without_a_baseline_and_why(self) -> None:
        text = shown(run(measurement("int8-tflite")))
        assert line_of(text, "int8-tflite").endswith("–")
        assert "– speed: no row of a baseline with as many threads here" in text.splitlines()

    def test_each_target_has_its_own(self) -> None:
        text = shown(run(*KWS, measurement("fp32-tflite", target="x86", conditions={})))
        assert text.count("Variant ") == 2
        assert "\nx86\n" in text

    def test_nothing_measured_nothing_shown(self) -> None:
        assert shown(run()) == ""


class TestFailures:
    """A failed row with its reason; nothing is left out in silence."""

    def failed(self, target: str | None, variant: str | None, stage: Any, error: str = "it died") -> Failure:
        return Failure(target=target, variant=variant, stage=stage, error=error)

    def test_a_failed_trial_is_a_row(self) -> None:
        text = shown(run(*KWS, failures=(self.failed("pi5", "lean", "measure", "SIGSEGV in the delegate"),)))
        assert set(line_of(text, "lean ✗").split()) == {"lean", "✗", "–"}
        assert "✗ lean (measure): SIGSEGV in the delegate" in text.splitlines()

    def test_a_failed_conversion_is_a_row_of_every_target(self) -> None:
        results = (*KWS, measurement("fp32-tflite", target="x86"))
        text = shown(run(*results, failures=(self.failed(None, "lean", "convert"),)))
        assert text.count("lean ✗") == 2

    def test_a_target_that_failed_from_the_start_is_said_after_the_tables(self) -> None:
        text = shown(run(*KWS, failures=(self.failed("jetson", None, "connect", "no route to host"),)))
        assert text.splitlines()[-1] == "✗ jetson (connect): no route to host"

    def test_a_target_that_failed_half_way_keeps_its_table(self) -> None:
        text = shown(run(*KWS, failures=(self.failed("pi5", None, "measure", "the link broke"),)))
        assert "✗ the rest (measure): the link broke" in text.splitlines()
        assert line_of(text, "int8-tflite")

    def test_nothing_but_failures(self) -> None:
        failures = (self.failed(None, "lean", "convert"), self.failed("jetson", None, "connect", "refused"))
        assert shown(run(failures=failures)).splitlines() == [
            "✗ lean (convert): it died", "✗ jetson (connect): refused",
        ]  # fmt: skip

    def test_a_hint_stands_under_the_reason(self) -> None:
        lines = shown(
            run(failures=(self.failed("jetson", None, "connect", "off\n  → switch it on"),))
        ).splitlines()
        assert [line.rstrip() for line in lines] == ["✗ jetson (connect): off", "    → switch it on"]


LONG = "a-variant-with-a-name-as-long-as-a-name-may-be-" + "x" * 17
TWINS = (
    *KWS,
    measurement("fp32-tflite", p50=0.03, threads=4),
    measurement(LONG, p50=12345.6, accuracy=accuracy(0.123, 0.9)),
)
LOST = Failure(target="pi5", variant=LONG[:-1] + "y", stage="measure", error="漢字のエラー " * 20 + "x" * 300)


POWER = Power(source="ina3221", rail="VDD_IN", scope="module", idle_w=3, active_w=5, n=99, n_effective=50)
ENERGY = Energy(per_inference_mj=12.3, gross_mj=20, ci95_mj=(11.85, 12.75))


# Nobody told what these rows ran in.


class TestWidth:
    """However narrow, a row is one line and a figure is whole."""

    @pytest.mark.parametrize("width", [200, 160, 120, 100, 80, 60, 40])
    def test_rows_and_figures_are_whole(self, width: int) -> None:
        text = shown(run(*TWINS, failures=(LOST,)), width, latency_p95_ms_max=0.1)
        lines = text.splitlines()
        assert max(cell_len(line) for line in lines) <= width
        top = next(number for number, line in enumerate(lines) if line.startswith("Variant"))
        heading, *rows, failed = lines[top : top + 1 + len(TWINS) + 1]
        # As many cells in each row as there are headings: nothing wrapped, nothing ran together.
        headings = re.split(r"\s{2,}", heading.strip())
        for row in rows:
            assert len(re.split(r"\s{2,}", row.strip())) == len(headings)
            assert "…" not in row.split("  ", 1)[1]  # only a name is ever cut
        assert "✗" in failed
        assert "! ?" in rows[2]  # marks stay when names are cut
        for figure in ("0.0490", "0.0646", "0.122", "0.0300", "12346"):
            assert figure in text
        assert "12.3 % (−77.7)" in text

    def test_what_is_left_out_is_named(self) -> None:
        for width in (200, 120, 100, 80, 60, 40):
            text = shown(run(*TWINS), width)
            heading = next(line for line in text.splitlines() if line.startswith("Variant"))
            there = [c.heading for c in terminal.COLUMNS if c.heading not in AT_TIMES]
            heading = heading.replace("Thr.", "Threads")
            gone = [name for name in there if name not in heading]
            flat = " ".join(text.split())
            if gone:
                assert f"… too narrow for {', '.join(gone)}; --json has everything" in flat
            else:
                assert "too narrow" not in flat

    def test_names_accuracy_and_median_go_last(self) -> None:
        assert re.split(r"\s{2,}", line_of(shown(run(*KWS), 40), "Variant")) == [
            "Variant",
            "Accuracy",
            "p50 ms",
        ]

    def test_all_of_it_fits_a_pipe(self) -> None:
        text = shown(run(*KWS), terminal.PIPE_WIDTH)
        assert len(re.split(r"\s{2,}", line_of(text, "Variant"))) == len(terminal.COLUMNS) - len(AT_TIMES)

    def test_settings_are_there_when_rows_differ_in_them(self) -> None:
        lean, fast = (
            measurement("a", tuning=Tuning(governor=name, power_mode="15W"))
            for name in ("powersave", "performance")
        )
        text = shown(run(lean, fast))
        assert re.search(r"Threads +Governor +Size", line_of(text, "Variant"))
        assert re.search(r" 1 +powersave  ", text)
        narrow = shown(run(lean, fast), 60)
        assert "Governor" in line_of(narrow, "Variant")  # or the rows would be the same to the eye
        assert "Governor" not in shown(run(lean, lean))

    def test_the_answer_of_a_sweep_stands_first_below_the_table(self) -> None:
        far = Energy(per_inference_mj=20, gross_mj=30, ci95_mj=(19, 21))
        sweep = [
            measurement("a", energy=energy, energy_absent=None, tuning=Tuning(governor=name))
            for name, energy in (("powersave", ENERGY), ("performance", far))
        ]
        text = shown(run(*sweep), latency_p95_ms_max=5)
        assert text.splitlines()[4] == (
            "→ least energy within the latency budget: a, powersave: 12.30 ± 0.45 mJ (p95 1.20 ms)"
        )

    def test_power_and_energy_are_there_when_a_meter_was(self) -> None:
        metered = measurement("int8-tflite", power=POWER, energy=ENERGY, energy_absent=None)
        absent = {
            "energy_absent": "gaps in the record",
            "conditions": {"board": BOARD, "meter": {"why": "x"}},
        }
        text = shown(
            run(metered, measurement("a", **absent), measurement("b", **absent)), terminal.PIPE_WIDTH
        )
        assert re.search(r"Memory +Power W +mJ/inference +Speed", line_of(text, "Variant"))
        assert re.search(r" 5\.00 +12\.30 ± 0\.45 ", line_of(text, "int8-tflite"))
        assert re.search(r" – +– +", line_of(text, "a "))
        assert text.count("– energy: gaps in the record") == 1

    def test_what_ran_is_there_when_a_runtime_told(self) -> None:
        partly = executed(
            ("CONV_2D", "i8", True, 3), ("CONV_2D", "f32", True, 1), ("SOFTMAX", "i8", False, 1)
        )
        text = shown(run(measurement("int8-tflite", execution=partly), measurement("other")), 200)
        assert re.search(r"Runtime +Ran in +Threads", line_of(text, "Variant"))
        assert re.search(r" \+ XNNPACK +i8 3, f32 1 +1 ", line_of(text, "int8-tflite"))
        assert re.search(r" \+ XNNPACK +– +1 ", line_of(text, "other"))
        assert "~ int8-tflite: 4 of 5 operators in XNNPACK; left: SOFTMAX" in text.splitlines()

    def test_a_meter_nothing_was_heard_of_leaves_a_dash_and_its_reason(self) -> None:
        silent = {"meter": {"about": None, "why": None, "period_s": None}}
        why = "the board said nothing of its meter"
        text = shown(run(measurement("int8-tflite", energy_absent=why, conditions=silent)))
        assert "mJ/inference" in line_of(text, "Variant")
        assert f"– energy: {why}" in text.splitlines()

    def test_energy_outlives_most_columns(self) -> None:
        metered = measurement("int8-tflite", power=POWER, energy=ENERGY, energy_absent=None)
        narrow = shown(run(metered), 60)
        assert "12.30 ± 0.45" in narrow
        assert "Power W" in narrow.partition("too narrow for")[2]

    def test_where_no_meter_was_wanted_there_is_no_word_of_it(self) -> None:
        text = shown(run(measurement("int8-tflite", energy_absent="target `pi5` names no meter")), 200)
        assert "mJ" not in text
        assert "no meter" not in text

    @pytest.mark.parametrize("width", [120, 80, 60, 50])
    def test_no_two_rows_of_a_sweep_read_alike(self, width: int) -> None:
        runtimes = (("litert", "2.3.0", "XNNPACK"), ("tflite-runtime", "2.14.0", None))
        sweep = [
            metered("int8-tflite", mj=1234.5, half=100, threads=threads, runtime=runtime,
                    tuning=Tuning(governor=governor))
            for threads in (1, 4) for runtime in runtimes for governor in ("powersave", "performance")
        ]  # fmt: skip
        rows = [line for line in shown(run(*sweep), width).splitlines() if line.startswith("int8")]
        assert len({*map(str.rstrip, rows)}) == len(sweep)
        assert max(map(cell_len, rows)) <= width

    @pytest.mark.parametrize("width", [120, 80, 60, 40])
    def test_rows_that_differ_in_threads_alone_stay_apart(self, width: int) -> None:
        text = shown(run(*TWINS), width)
        first, second = (line for line in text.splitlines() if line.startswith("fp32-tf"))
        assert re.search(r" 1 ", first)
        assert re.search(r" 4 ", second)

    def test_rows_that_differ_in_the_runtime_alone_stay_apart(self) -> None:
        tfr = measurement("fp32-tflite", p50=1, runtime=("tflite-runtime", "2.14.0", None))
        text = shown(run(*KWS, tfr), 80)
        assert "tflite-runtime 2.14.0" in text
        assert "Runtime" in line_of(text, "Variant")

    def test_long_words_are_folded_and_none_is_lost(self) -> None:
        together = "".join(shown(run(*KWS, failures=(LOST,)), 40).split())
        assert "漢字のエラー" * 20 + "x" * 300 in together


class TestPlainText:
    """What others wrote is printed as it is."""

    NASTY = "[red]a[/red] [/] [bold :x: \\[b] ${HOME} %s {0} <b>&amp;"

    def test_markup_is_none(self) -> None:
        broken = measurement(
            verdict="invalid", reasons=(self.NASTY,), conditions={"board": BOARD | {"libc": "[b]c[/b]"}}
        )
        failure = Failure(target="ssh://[fe80::1]", variant=None, stage="connect", error=self.NASTY)
        text = shown(run(broken, measurement(target="[red]"), failures=(failure,)), 200)
        assert f"? int8-tflite: {self.NASTY}" in text
        assert f"✗ ssh://[fe80::1] (connect): {self.NASTY}" in text
        assert "[b]c[/b]" in text
        assert "\n[red]" in text

    def test_the_console_of_the_commands_prints_strings_as_they_are(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        terminal.console().print(self.NASTY)
        assert capsys.readouterr().out == self.NASTY + "\n"


class TestColour:
    """None where nobody sees it, or nobody wants it."""

    def test_no_escape_codes_in_a_pipe(self, capsys: pytest.CaptureFixture[str]) -> None:
        terminal.show(run(*KWS), comparison.rows(KWS, "fp32-tflite", Budgets()), terminal.console())
        terminal.console(stderr=True).print("[bold]x[/bold]")
        said = capsys.readouterr()
        assert "int8-tflite" in said.out
        assert ESCAPE not in said.out + said.err
        assert said.err == "[bold]x[/bold]\n"

    def test_no_color_is_honoured_on_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert f"{ESCAPE}[" in shown(run(*KWS), colour=True)
        monkeypatch.setenv("NO_COLOR", "1")
        codes = set(re.findall(r"\x1b\[([\d;]*)m", shown(run(*KWS), colour=True)))
        # Bold and dim are no colours; 30–49 and 90–107 are.
        assert {part for code in codes for part in code.split(";")} <= {"", "0", "1", "2"}

    def test_marks_say_the_same_without_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        coloured = re.sub(r"\x1b\[[\d;]*m", "", shown(run(*KWS), colour=True))
        assert coloured == shown(run(*KWS))

    def test_a_pipe_has_its_own_width(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "40")
        assert terminal.console().width == terminal.PIPE_WIDTH

    def test_a_pipe_has_no_blanks_at_the_ends_of_lines(self, capsys: pytest.CaptureFixture[str]) -> None:
        terminal.show(run(*KWS), comparison.rows(KWS, "fp32-tflite", Budgets()), terminal.console())
        lines = capsys.readouterr().out.splitlines()
        assert lines
        assert [line for line in lines if line.endswith(" ")] == []


def test_every_mark_of_the_legend_is_used() -> None:
    slow = measurement("slow", p50=9)
    mark = {"board": "bench", "recorded_at": "2026-11-22T07:30:29+00:00", "edgegreen": "0.1.0"}
    played = measurement("bare", accuracy=None, conditions={"replayed": mark, "board": {"emulated": True}})
    of: tuple[Measurement, ...] = (*KWS, slow, played)
    text = shown(run(*of, failures=(LOST,)), latency_p95_ms_max=0.1)
    legend = re.findall(r"`(.)`", terminal.__doc__ or "")
    assert legend == ["*", "!", "?", "~", "↺", "◇", "✗", "–"]
    for mark in legend:
        assert f"\n{mark} " in text
