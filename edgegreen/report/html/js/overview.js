// All rows: accuracy, latency and energy against one another; how far apart a row's calls are.

// Logarithmic where the values are far apart.
function wide(values) {
  const positive = values.length > 0 && Math.min(...values) > 0;
  return positive && Math.max(...values) / Math.min(...values) > 20
    ? { axis: { type: "log", minorSplitLine: { show: false } } }
    : undefined;
}

const GAP = ["6%", "6%"]; // so that no mark is cut
function scatter(id, x, y, size) {
  const rows = data.rows
    .map((row, index) => ({ ...row, index }))
    .filter((row) => row[x.key] != null && row[y.key] != null);
  if (!rows.length) return void show(id, null);
  const sizes = rows.map((row) => row[size?.key]).filter((value) => value != null && value > 0);
  const largest = Math.max(...sizes);
  const width = (row) =>
    row[size?.key] > 0 && sizes.length ? 9 + 17 * Math.sqrt(row[size.key] / largest) : 11;
  const shown = targets.filter((target) => rows.some((row) => row.target === target));
  const chart = show(
    id,
    () =>
      base({
        toolbox: toolbox(),
        legend: { ...legend(shown.length > 1), right: 90 },
        dataZoom: coarse
          ? []
          : [
              { type: "inside", xAxisIndex: 0, zoomOnMouseWheel: "ctrl", moveOnMouseMove: false },
              { type: "inside", yAxisIndex: 0, zoomOnMouseWheel: "ctrl", moveOnMouseMove: false },
            ],
        grid: { left: 34, right: 28, top: 46, bottom: 34, containLabel: true },
        xAxis: axis(x.name, { gap: GAP, ...wide(rows.map((row) => row[x.key])) }),
        yAxis: {
          ...axis(y.name, {
            gap: GAP,
            ...(y.key === "accuracy" ? {} : wide(rows.map((row) => row[y.key]))),
          }),
          nameGap: 46,
          // Nothing is right more often than always.
          ...(y.name.endsWith("(%)") ? { max: (range) => (range.max > 90 ? 100 : null) } : {}),
        },
        series: shown.map((target, at) => {
          const colour = palette.lines[targets.indexOf(target) % palette.lines.length];
          return {
            type: "scatter",
            name: target,
            symbol: SYMBOLS[targets.indexOf(target) % SYMBOLS.length],
            itemStyle: { color: colour },
            data: rows
              .filter((row) => row.target === target)
              .map((row) => ({
                value: [row[x.key], row[y.key]],
                row,
                symbolSize: width(row),
                ...(row.kind === "doubt" ? { symbol: CROSS, symbolSize: 11 } : {}),
                itemStyle:
                  row.front || row.kind === "doubt"
                    ? { color: colour, opacity: 0.85 }
                    : { color: "transparent", borderColor: colour, borderWidth: 1.5 },
              })),
          };
        }),
        tooltip: { ...base().tooltip, formatter: (point) => told(about(point.data.row)) },
      }),
    `${y.name} over ${x.name} of ${rows.length} rows; the same figures are in the results table`,
  );
  chart?.on("click", (point) => choose(point.data.row.index, true));
}

const about = (row) => [
  row.name,
  `${row.status.join(", ")}${row.front ? ", on the front" : ""}`,
  row.accuracy == null ? "" : `${data.accuracy}: ${digits(row.accuracy)}`,
  `p50 ${digits(row.p50)} ms, p95 ${digits(row.p95)} ms`,
  row.mj == null ? "" : `${digits(row.mj)} mJ an inference`,
];

const VISIBLE = 24; // rows of the latency plot at once; a slider goes through the others
function spread() {
  const rows = order().map((index) => data.rows[index]);
  const n = Math.min(rows.length, VISIBLE);
  $("spread").style.height = `${Math.max(11, n * 1.55 + 6)}rem`;
  const zoomed = rows.length > VISIBLE;
  const chart = show(
    "spread",
    rows.length
      ? () =>
          base({
            legend: { left: 0, top: 0, itemWidth: 13, itemHeight: 13, textStyle: { color: palette.ink } },
            grid: { left: 8, right: zoomed ? 44 : 20, top: 34, bottom: 34, containLabel: true },
            xAxis: axis("latency in ms", wide(rows.map((row) => row.p50))),
            yAxis: {
              type: "category",
              inverse: true,
              data: rows.map((row) => row.name),
              axisTick: { show: false },
              axisLine: { lineStyle: { color: palette.line } },
              splitLine: { show: true, lineStyle: { color: palette.line, opacity: 0.6 } },
              axisLabel: {
                color: palette.ink,
                width: innerWidth < 640 ? 110 : 260,
                overflow: "truncate",
                interval: 0,
              },
            },
            dataZoom: zoomed
              ? [
                  {
                    type: "slider",
                    yAxisIndex: 0,
                    startValue: 0,
                    endValue: VISIBLE - 1,
                    right: 4,
                    width: 18,
                    showDetail: false,
                    brushSelect: false,
                    zoomLock: true,
                    borderColor: palette.line,
                    fillerColor: palette.active,
                  },
                ]
              : [],
            series: [
              ["p50", "circle", 11],
              ["p95", "rect", 9],
              ["p99", "triangle", 9],
            ].map(([key, symbol, symbolSize]) => ({
              type: "scatter",
              name: key,
              symbol,
              symbolSize,
              data: rows.map((row, at) => ({ value: [row[key], at], row })),
            })),
            tooltip: {
              ...base().tooltip,
              formatter: ({ data: { row } }) =>
                told([
                  row.name,
                  `p50 ${digits(row.p50)} ms`,
                  `p95 ${digits(row.p95)} ms`,
                  `p99 ${digits(row.p99)} ms`,
                  `shortest ${digits(row.min)}, longest ${digits(row.max)} ms`,
                ]),
            },
          })
      : null,
    `p50, p95 and p99 of ${rows.length} rows; the same figures are in the results table`,
  );
  chart?.resize();
}
