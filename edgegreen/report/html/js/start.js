// Light, dark and paper; then everything is drawn for the first time.

function redraw() {
  colours();
  charts.forEach(draw);
}
dark.addEventListener("change", redraw);
const [PAPER_WIDTH, PAPER_HEIGHT] = [450, 250]; // px; two side by side on A4 and Letter, one when upright
function forPaper(on) {
  printing = on;
  document.documentElement.classList.toggle("printing", on); // light, whatever the screen is
  redraw();
  charts.forEach(({ chart }, id) => {
    chart.resize(
      on
        ? id === "spread"
          ? { width: 1.5 * PAPER_WIDTH, height: "auto" }
          : { width: PAPER_WIDTH, height: PAPER_HEIGHT }
        : { width: "auto", height: "auto" },
    );
    chart.getZr().flush(); // now: no frame comes before the paper
  });
}
addEventListener("beforeprint", () => forPaper(true));
addEventListener("afterprint", () => forPaper(false));

colours();
const [ms, mj, right] = [
  { key: "p50", name: "p50 in ms" },
  { key: "mj", name: "mJ an inference" },
  { key: "accuracy", name: data.accuracy },
];
scatter("accuracy-latency", ms, right, mj);
scatter("accuracy-energy", mj, right, ms);
scatter("latency-energy", mj, ms);
spread();
choose(+$("which").value, false);
open();
document.documentElement.dataset.ready = "true";
