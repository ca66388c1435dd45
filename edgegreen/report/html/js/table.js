// The tables: sorting; and of the results filtering, and from a row to its plots.

const body = $("rows").tBodies[0];
const order = () => [...body.rows].filter((row) => !row.hidden).map((row) => +row.dataset.row);

function sortable(table, sorted) {
  const heads = [...table.tHead.rows[0].cells];
  const lines = table.tBodies[0];
  function sortBy(column) {
    const down = heads[column].getAttribute("aria-sort") === "ascending";
    heads.forEach((head, at) =>
      head.setAttribute("aria-sort", at === column ? (down ? "descending" : "ascending") : "none"),
    );
    const keyed = [...lines.rows].map((row) => [row.cells[column].dataset.v, row]);
    const numeric = keyed.every(([value]) => value === "" || Number.isFinite(+value));
    const compare = (a, b) => (numeric ? a - b : a.localeCompare(b, "en", { numeric: true }));
    // What is absent stays below, whichever way the others go.
    keyed.sort(([a], [b]) => (a === "") - (b === "") || (down ? -1 : 1) * compare(a, b));
    lines.append(...keyed.map(([, row]) => row));
    sorted();
  }
  heads.forEach((head, at) => head.firstElementChild.addEventListener("click", () => sortBy(at)));
}
sortable($("rows"), () => spread());
if ($("compared")) sortable($("compared"), () => {});

function filter() {
  const wanted = $("filter").value.trim().toLowerCase().split(/\s+/);
  for (const row of body.rows)
    row.hidden = !wanted.every((word) => row.textContent.toLowerCase().includes(word));
  const shown = new Set(order());
  for (const one of $("entries").children) one.hidden = !shown.has(+one.dataset.row);
  $("shown").textContent = shown.size < data.rows.length ? `${shown.size} of ${data.rows.length} rows` : "";
  spread();
}
let waiting;
$("filter").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(filter, 120);
});

body.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link) return;
  event.preventDefault();
  choose(+link.closest("tr").dataset.row, true);
});
$("which").addEventListener("change", () => choose(+$("which").value, false));
const open = () => {
  const one = location.hash.startsWith("#row-") && $(location.hash.slice(1));
  if (one) {
    one.open = true;
    one.scrollIntoView();
  }
};
addEventListener("hashchange", open);
$("its-conditions").addEventListener("click", () => setTimeout(open));
