// What the page does beyond being read: sorting, filtering, plots. All text reaches the page as text, never as markup.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  if (!$("rows")) return; // nothing was measured, so there is nothing to do
  const read = (id) => JSON.parse($(id).textContent);
  const data = read("data");
  const targets = [...new Set(data.rows.map((row) => row.target))];
  const SYMBOLS = ["circle", "rect", "triangle", "diamond", "pin", "roundRect"];
  const CROSS = "path://M-5,-4L-4,-5L0,-1L4,-5L5,-4L1,0L5,4L4,5L0,1L-4,5L-5,4L-1,0Z";
  const LIGHT = ["#0b7a4e", "#2563b8", "#b4560a", "#8b3fa8", "#a3142b", "#4d6a00", "#00747f", "#6b5b4b"];
  const DARK = ["#58c792", "#7fb0f5", "#f0a35c", "#cf9ae6", "#ff8a9a", "#b4d05a", "#5cc9d4", "#c4b3a2"];
  const coarse = matchMedia("(pointer: coarse)").matches;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let printing = false;
  let palette;
  const charts = new Map(); // id → {chart, option()}

  const digits = (value) =>
    value == null ? "–" : value === 0 ? "0" : Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(4));

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(`--${name}`).trim();
    const isDark = dark.matches && !printing;
    palette = { lines: isDark ? DARK : LIGHT, ink: of("ink"), dim: of("dim"), line: of("line"), paper: of("paper"), panel: of("panel"), idle: of("idle"), active: of("active"), bad: of("bad") };
  }

  // ---- plots -------------------------------------------------------------------------------------------------
  function axis(name, more) {
    return {
      type: "value", name, nameLocation: "middle", nameGap: 28, scale: true, boundaryGap: more?.gap,
      nameTextStyle: { color: palette.dim }, axisLabel: { color: palette.dim, hideOverlap: true, formatter: digits },
      axisLine: { show: true, lineStyle: { color: palette.line } }, splitLine: { lineStyle: { color: palette.line, opacity: 0.6 } }, ...more?.axis,
    };
  }

  function told(lines) { // a tooltip of text nodes
    const box = document.createElement("div");
    lines.filter(Boolean).forEach((line, at) => {
      const one = document.createElement("div");
      one.textContent = line;
      if (!at) one.style.fontWeight = "600";
      box.append(one);
    });
    return box;
  }

  function base(more) {
    return {
      animation: false, textStyle: { fontFamily: "inherit", color: palette.ink }, color: palette.lines,
      aria: { enabled: true }, grid: { left: 16, right: 24, top: 36, bottom: 30, containLabel: true },
      tooltip: { trigger: "item", confine: true, backgroundColor: palette.panel, borderColor: palette.line, textStyle: { color: palette.ink, fontSize: 13 }, extraCssText: "max-width:24rem;white-space:normal" },
      ...more,
    };
  }

  const toolbox = () => ({
    show: !printing, right: 4, top: 0, itemSize: 14, iconStyle: { borderColor: palette.dim }, emphasis: { iconStyle: { borderColor: palette.ink, textFill: palette.ink } },
    feature: { dataZoom: { title: { zoom: "zoom into a part", back: "zoom out" } }, restore: { title: "show all" } },
  });

  function show(id, option, label) {
    const box = $(id);
    const there = option !== null;
    box.parentElement.hidden = !there;
    if (!there) { charts.get(id)?.chart.dispose(); charts.delete(id); return null; }
    let entry = charts.get(id);
    if (!entry) {
      entry = { chart: echarts.init(box, null, { renderer: "svg" }) };
      charts.set(id, entry);
      new ResizeObserver(() => { if (!printing && charts.get(id) === entry) entry.chart.resize(); }).observe(box);
    }
    entry.option = option;
    entry.label = label;
    draw(entry);
    return entry.chart;
  }

  function draw(entry) {
    const option = entry.option();
    option.aria = { enabled: true, label: { description: entry.label } };
    entry.chart.setOption(option, { notMerge: true });
    entry.chart.getDom().setAttribute("role", "img");
  }

  // Logarithmic where the values are far apart.
  function wide(values) {
    const positive = values.length > 0 && Math.min(...values) > 0;
    return positive && Math.max(...values) / Math.min(...values) > 20 ? { axis: { type: "log", minorSplitLine: { show: false } } } : undefined;
  }

  const GAP = ["6%", "6%"]; // so that no mark is cut
  function scatter(id, x, y, size) {
    const rows = data.rows.map((row, index) => ({ ...row, index })).filter((row) => row[x.key] != null && row[y.key] != null);
    if (!rows.length) return void show(id, null);
    const sizes = rows.map((row) => row[size?.key]).filter((value) => value != null && value > 0);
    const largest = Math.max(...sizes);
    const width = (row) => (row[size?.key] > 0 && sizes.length ? 9 + 17 * Math.sqrt(row[size.key] / largest) : 11);
    const shown = targets.filter((target) => rows.some((row) => row.target === target));
    const chart = show(id, () => base({
      toolbox: toolbox(),
      legend: { show: shown.length > 1, type: "scroll", left: 0, right: 90, top: 0, textStyle: { color: palette.ink }, pageTextStyle: { color: palette.dim }, pageIconColor: palette.ink, itemWidth: 13, itemHeight: 13 },
      dataZoom: coarse ? [] : [{ type: "inside", xAxisIndex: 0, zoomOnMouseWheel: "ctrl", moveOnMouseMove: false }, { type: "inside", yAxisIndex: 0, zoomOnMouseWheel: "ctrl", moveOnMouseMove: false }],
      grid: { left: 34, right: 28, top: 46, bottom: 34, containLabel: true },
      xAxis: axis(x.name, { gap: GAP, ...wide(rows.map((row) => row[x.key])) }),
      yAxis: { ...axis(y.name, { gap: GAP, ...(y.key === "accuracy" ? {} : wide(rows.map((row) => row[y.key]))) }), nameGap: 46 },
      series: shown.map((target, at) => {
        const colour = palette.lines[targets.indexOf(target) % palette.lines.length];
        return {
          type: "scatter", name: target, symbol: SYMBOLS[targets.indexOf(target) % SYMBOLS.length], itemStyle: { color: colour },
          data: rows.filter((row) => row.target === target).map((row) => ({
            value: [row[x.key], row[y.key]], row, symbolSize: width(row),
            ...(row.kind === "doubt" ? { symbol: CROSS, symbolSize: 11 } : {}),
            itemStyle: row.front || row.kind === "doubt" ? { color: colour, opacity: 0.85 } : { color: "transparent", borderColor: colour, borderWidth: 1.5 },
          })),
        };
      }),
      tooltip: { ...base().tooltip, formatter: (point) => told(about(point.data.row)) },
    }), `${y.name} over ${x.name} of ${rows.length} rows; the same figures are in the results table`);
    chart?.on("click", (point) => choose(point.data.row.index, true));
  }

  const about = (row) => [
    row.name, `${row.status.join(", ")}${row.front ? ", on the front" : ""}`,
    row.accuracy == null ? "" : `${data.accuracy}: ${digits(row.accuracy)}`,
    `p50 ${digits(row.p50)} ms, p95 ${digits(row.p95)} ms`, row.mj == null ? "" : `${digits(row.mj)} mJ an inference`,
  ];

  const VISIBLE = 24; // rows of the latency plot at once; a slider goes through the others
  function spread() {
    const rows = order().map((index) => data.rows[index]);
    const n = Math.min(rows.length, VISIBLE);
    $("spread").style.height = `${Math.max(11, n * 1.55 + 6)}rem`;
    const zoomed = rows.length > VISIBLE;
    const chart = show("spread", rows.length ? () => base({
      legend: { left: 0, top: 0, itemWidth: 13, itemHeight: 13, textStyle: { color: palette.ink } },
      grid: { left: 8, right: zoomed ? 44 : 20, top: 34, bottom: 34, containLabel: true },
      xAxis: axis("latency in ms", wide(rows.map((row) => row.p50))),
      yAxis: {
        type: "category", inverse: true, data: rows.map((row) => row.name), axisTick: { show: false }, axisLine: { lineStyle: { color: palette.line } },
        splitLine: { show: true, lineStyle: { color: palette.line, opacity: 0.6 } }, axisLabel: { color: palette.ink, width: innerWidth < 640 ? 110 : 260, overflow: "truncate", interval: 0 },
      },
      dataZoom: zoomed ? [{ type: "slider", yAxisIndex: 0, startValue: 0, endValue: VISIBLE - 1, right: 4, width: 18, showDetail: false, brushSelect: false, zoomLock: true, borderColor: palette.line, fillerColor: palette.active }] : [],
      series: [["p50", "circle", 11], ["p95", "rect", 9], ["p99", "triangle", 9]].map(([key, symbol, symbolSize]) => ({
        type: "scatter", name: key, symbol, symbolSize, data: rows.map((row, at) => ({ value: [row[key], at], row })),
      })),
      tooltip: { ...base().tooltip, formatter: ({ data: { row } }) => told([row.name, `p50 ${digits(row.p50)} ms`, `p95 ${digits(row.p95)} ms`, `p99 ${digits(row.p99)} ms`, `shortest ${digits(row.min)}, longest ${digits(row.max)} ms`]) },
    }) : null, `p50, p95 and p99 of ${rows.length} rows; the same figures are in the results table`);
    chart?.resize();
  }

  // ---- one row ----------------------------------------------------------------------------------------------
  function choose(index, scroll) {
    const plots = read(`plots-${index}`);
    $("which").value = index;
    $("its-conditions").hash = `row-${index}`;
    $("no-plots").textContent = plots.why ? `No plots: ${plots.why}.` : "";
    calls(plots.calls, index);
    const times = ["power_w", "temperature_c", "clock_mhz"].flatMap((key) => plots[key] ?? []).flatMap((line) => line.points.map((point) => point[0]));
    for (const window of plots.windows ?? []) times.push(window.start_s, window.end_s);
    const span = times.length ? [times.reduce((a, b) => Math.min(a, b)), times.reduce((a, b) => Math.max(a, b))] : [0, 1];
    const together = [["power", "power_w", "W"], ["temperature", "temperature_c", "°C"], ["clock", "clock_mhz", "MHz"]]
      .map(([id, key, unit]) => overTime(id, plots[key] ?? [], plots.windows ?? [], unit, span)).filter(Boolean);
    together.forEach((chart) => { chart.group = "time"; });
    if (together.length > 1) echarts.connect("time");
    const lacking = plots.why ? [] : [["power_w", "power"], ["temperature_c", "temperatures"], ["clock_mhz", "clocks"]].filter(([key]) => !plots[key].length).map(([, name]) => name);
    $("left-out").textContent = [
      lacking.length ? `Not told or not measured: ${lacking.join(", ")}.` : "",
      plots.left_out?.length ? `No room for: ${plots.left_out.join("; ")}.` : "",
    ].join(" ").trim();
    if (scroll) $("trial").scrollIntoView();
  }

  function calls(found, index) {
    const width = found ? (found.high_ms - found.low_ms) / found.counts.length : 0;
    $("beyond").textContent = found?.beyond ? `${found.beyond} longer ${found.beyond === 1 ? "call is" : "calls are"} beyond the right edge; the longest took ${digits(found.longest_ms)} ms.` : "";
    const row = data.rows[index];
    const line = (key, at) => ({ xAxis: row[key], label: { formatter: key, color: palette.ink, position: "end", offset: [0, -13 * at] }, lineStyle: { color: palette.dim, type: "dashed" } });
    show("calls", found ? () => base({
      grid: { left: 40, right: 24, top: 54, bottom: 34, containLabel: true },
      xAxis: axis("latency in ms", { axis: { min: found.low_ms, max: found.high_ms, axisLabel: { color: palette.dim, hideOverlap: true, showMinLabel: false, showMaxLabel: false, formatter: digits } } }),
      yAxis: { ...axis("calls", { axis: { scale: false } }), nameGap: 54 },
      series: [{
        type: "line", step: "end", symbol: "none", areaStyle: { opacity: 0.35 }, lineStyle: { width: 1.2 },
        data: [[found.low_ms, found.counts[0]], ...found.counts.map((count, at) => [found.low_ms + (at + 1) * width, count])],
        markLine: { silent: true, symbol: "none", animation: false, precision: 9, data: ["p50", "p95", "p99"].filter((key) => row[key] <= found.high_ms).map(line) },
      }],
      tooltip: { ...base().tooltip, trigger: "axis", formatter: ([point]) => {
        const end = point.value[0];
        return told([`${digits(Math.max(found.low_ms, end - width))} to ${digits(end)} ms`, `${point.value[1]} calls`]);
      } },
    }) : null, `Distribution of ${row.name}'s call times: p50 ${digits(row.p50)} ms, p95 ${digits(row.p95)} ms, p99 ${digits(row.p99)} ms`);
  }

  function overTime(id, lines, windows, unit, [start, end]) {
    const area = (window) => {
      const active = window.name !== "idle";
      return [{ name: window.name, xAxis: window.start_s, itemStyle: { color: active ? palette.active : palette.idle } }, { xAxis: window.end_s }];
    };
    return show(id, lines.length ? () => base({
      legend: { show: lines.length > 1, type: "scroll", left: 0, top: 0, textStyle: { color: palette.ink }, pageTextStyle: { color: palette.dim }, pageIconColor: palette.ink, itemWidth: 13, itemHeight: 13 },
      grid: { left: 36, right: 24, top: lines.length > 1 ? 54 : 30, bottom: 74, containLabel: true },
      xAxis: axis("seconds since the timed window began", { axis: { min: start, max: end, axisLabel: { color: palette.dim, hideOverlap: true, showMinLabel: false, showMaxLabel: false, formatter: digits } } }),
      yAxis: { ...axis(unit), nameGap: 50 },
      dataZoom: [{ type: "slider", show: !printing, height: 22, bottom: 8, showDetail: false, brushSelect: false, borderColor: palette.line, fillerColor: palette.active, dataBackground: { lineStyle: { color: palette.dim }, areaStyle: { color: palette.dim } } },
        ...(coarse ? [] : [{ type: "inside", zoomOnMouseWheel: "ctrl" }])],
      series: lines.map((line, at) => ({
        type: "line", name: line.name, data: line.points, showSymbol: line.points.length < 3, symbolSize: 5, lineStyle: { width: 1.3 }, emphasis: { disabled: true },
        markArea: at ? undefined : { silent: true, label: { color: palette.dim, position: "insideTop", fontSize: 11 }, data: windows.map(area) },
      })),
      tooltip: { ...base().tooltip, trigger: "axis", formatter: (points) => told([`${digits(points[0].value[0])} s`, ...points.map((point) => `${point.seriesName}: ${digits(point.value[1])} ${unit}`)]) },
    }) : null, `${lines.map((line) => line.name).join(", ")} in ${unit} over time, idle and active windows shaded`);
  }

  // ---- the table --------------------------------------------------------------------------------------------
  const body = $("rows").tBodies[0];
  const heads = [...$("rows").tHead.rows[0].cells];
  const order = () => [...body.rows].filter((row) => !row.hidden).map((row) => +row.dataset.row);

  function sortBy(column) {
    const down = heads[column].getAttribute("aria-sort") === "ascending";
    heads.forEach((head, at) => head.setAttribute("aria-sort", at === column ? (down ? "descending" : "ascending") : "none"));
    const keyed = [...body.rows].map((row) => [row.cells[column].dataset.v, row]);
    const numeric = keyed.every(([value]) => value === "" || Number.isFinite(+value));
    const compare = (a, b) => (numeric ? a - b : a.localeCompare(b, "en", { numeric: true }));
    // What is absent stays below, whichever way the others go.
    keyed.sort(([a], [b]) => (a === "") - (b === "") || (down ? -1 : 1) * compare(a, b));
    body.append(...keyed.map(([, row]) => row));
    spread();
  }
  heads.forEach((head, at) => head.firstElementChild.addEventListener("click", () => sortBy(at)));

  function filter() {
    const wanted = $("filter").value.trim().toLowerCase().split(/\s+/);
    for (const row of body.rows) row.hidden = !wanted.every((word) => row.textContent.toLowerCase().includes(word));
    const shown = new Set(order());
    for (const one of $("entries").children) one.hidden = !shown.has(+one.dataset.row);
    $("shown").textContent = shown.size < data.rows.length ? `${shown.size} of ${data.rows.length} rows` : "";
    spread();
  }
  let waiting;
  $("filter").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 120); });

  body.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    choose(+link.closest("tr").dataset.row, true);
  });
  $("which").addEventListener("change", () => choose(+$("which").value, false));
  const open = () => { const one = location.hash.startsWith("#row-") && $(location.hash.slice(1)); if (one) { one.open = true; one.scrollIntoView(); } };
  addEventListener("hashchange", open);
  $("its-conditions").addEventListener("click", () => setTimeout(open));

  // ---- colours and paper ------------------------------------------------------------------------------------
  function redraw() { colours(); charts.forEach(draw); }
  dark.addEventListener("change", redraw);
  const [PAPER_WIDTH, PAPER_HEIGHT] = [450, 250]; // px; two side by side on A4 and Letter, one when upright
  function forPaper(on) {
    printing = on;
    document.documentElement.classList.toggle("printing", on); // light, whatever the screen is
    redraw();
    charts.forEach(({ chart }, id) => {
      chart.resize(on ? id === "spread" ? { width: 1.5 * PAPER_WIDTH, height: "auto" } : { width: PAPER_WIDTH, height: PAPER_HEIGHT } : { width: "auto", height: "auto" });
      chart.getZr().flush(); // now: no frame comes before the paper
    });
  }
  addEventListener("beforeprint", () => forPaper(true));
  addEventListener("afterprint", () => forPaper(false));

  colours();
  const [ms, mj, right] = [{ key: "p50", name: "p50 in ms" }, { key: "mj", name: "mJ an inference" }, { key: "accuracy", name: data.accuracy }];
  scatter("accuracy-latency", ms, right, mj);
  scatter("accuracy-energy", mj, right, ms);
  scatter("latency-energy", mj, ms);
  spread();
  choose(+$("which").value, false);
  open();
  document.documentElement.dataset.ready = "true";
})();
