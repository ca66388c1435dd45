// One row: its calls, and what was read of the board over time.

function choose(index, scroll) {
  const plots = read(`plots-${index}`);
  $("which").value = index;
  $("its-conditions").hash = `row-${index}`;
  $("no-plots").textContent = plots.why ? `No plots: ${plots.why}.` : "";
  calls(plots.calls, index);
  const times = ["power_w", "temperature_c", "clock_mhz"]
    .flatMap((key) => plots[key] ?? [])
    .flatMap((line) => line.points.map((point) => point[0]));
  for (const window of plots.windows ?? []) times.push(window.start_s, window.end_s);
  const span = times.length
    ? [times.reduce((a, b) => Math.min(a, b)), times.reduce((a, b) => Math.max(a, b))]
    : [0, 1];
  const together = [
    ["power", "power_w", "W"],
    ["temperature", "temperature_c", "°C"],
    ["clock", "clock_mhz", "MHz"],
  ]
    .map(([id, key, unit]) => overTime(id, plots[key] ?? [], plots.windows ?? [], unit, span))
    .filter(Boolean);
  together.forEach((chart) => {
    chart.group = "time";
  });
  if (together.length > 1) echarts.connect("time");
  const lacking = plots.why
    ? []
    : [
        ["power_w", "power"],
        ["temperature_c", "temperatures"],
        ["clock_mhz", "clocks"],
      ]
        .filter(([key]) => !plots[key].length)
        .map(([, name]) => name);
  $("left-out").textContent = [
    lacking.length ? `Not told or not measured: ${lacking.join(", ")}.` : "",
    plots.left_out?.length ? `No room for: ${plots.left_out.join("; ")}.` : "",
  ]
    .join(" ")
    .trim();
  if (scroll) $("trial").scrollIntoView();
}

function calls(found, index) {
  const width = found ? (found.high_ms - found.low_ms) / found.counts.length : 0;
  $("beyond").textContent = found?.beyond
    ? `${found.beyond} longer ${found.beyond === 1 ? "call is" : "calls are"} beyond the right edge; the longest took ${digits(found.longest_ms)} ms.`
    : "";
  const row = data.rows[index];
  const line = (key, at) => ({
    xAxis: row[key],
    label: { formatter: key, color: palette.ink, position: "end", offset: [0, -13 * at] },
    lineStyle: { color: palette.dim, type: "dashed" },
  });
  show(
    "calls",
    found
      ? () =>
          base({
            grid: { left: 40, right: 24, top: 54, bottom: 34, containLabel: true },
            xAxis: axis("latency in ms", {
              axis: {
                min: found.low_ms,
                max: found.high_ms,
                axisLabel: innerLabels(),
              },
            }),
            yAxis: { ...axis("calls", { axis: { scale: false } }), nameGap: 54 },
            series: [
              {
                type: "line",
                step: "end",
                symbol: "none",
                areaStyle: { opacity: 0.35 },
                lineStyle: { width: 1.2 },
                data: [
                  [found.low_ms, found.counts[0]],
                  ...found.counts.map((count, at) => [found.low_ms + (at + 1) * width, count]),
                ],
                markLine: {
                  silent: true,
                  symbol: "none",
                  animation: false,
                  precision: 9,
                  data: ["p50", "p95", "p99"].filter((key) => row[key] <= found.high_ms).map(line),
                },
              },
            ],
            tooltip: {
              ...base().tooltip,
              trigger: "axis",
              formatter: ([point]) => {
                const end = point.value[0];
                return told([
                  `${digits(Math.max(found.low_ms, end - width))} to ${digits(end)} ms`,
                  `${point.value[1]} calls`,
                ]);
              },
            },
          })
      : null,
    `Distribution of ${row.name}'s call times: p50 ${digits(row.p50)} ms, p95 ${digits(row.p95)} ms, p99 ${digits(row.p99)} ms`,
  );
}

function overTime(id, lines, windows, unit, [start, end]) {
  const area = (window) => {
    const active = window.name !== "idle";
    return [
      {
        name: window.name,
        xAxis: window.start_s,
        itemStyle: { color: active ? palette.active : palette.idle },
      },
      { xAxis: window.end_s },
    ];
  };
  return show(
    id,
    lines.length
      ? () =>
          base({
            legend: legend(lines.length > 1),
            grid: { left: 36, right: 24, top: lines.length > 1 ? 54 : 30, bottom: 74, containLabel: true },
            xAxis: axis("seconds since the timed window began", {
              axis: {
                min: start,
                max: end,
                axisLabel: innerLabels(),
              },
            }),
            yAxis: { ...axis(unit), nameGap: 50 },
            dataZoom: [
              {
                type: "slider",
                show: !printing,
                height: 22,
                bottom: 8,
                showDetail: false,
                brushSelect: false,
                borderColor: palette.line,
                fillerColor: palette.active,
                dataBackground: { lineStyle: { color: palette.dim }, areaStyle: { color: palette.dim } },
              },
              ...(coarse ? [] : [{ type: "inside", zoomOnMouseWheel: "ctrl" }]),
            ],
            series: lines.map((line, at) => ({
              type: "line",
              name: line.name,
              data: line.points,
              showSymbol: line.points.length < 3,
              symbolSize: 5,
              lineStyle: { width: 1.3 },
              emphasis: { disabled: true },
              markArea: at
                ? undefined
                : {
                    silent: true,
                    label: { color: palette.dim, position: "insideTop", fontSize: 11 },
                    data: windows.map(area),
                  },
            })),
            tooltip: {
              ...base().tooltip,
              trigger: "axis",
              formatter: (points) =>
                told([
                  `${digits(points[0].value[0])} s`,
                  ...points.map((point) => `${point.seriesName}: ${digits(point.value[1])} ${unit}`),
                ]),
            },
          })
      : null,
    `${lines.map((line) => line.name).join(", ")} in ${unit} over time, idle and active windows shaded`,
  );
}
