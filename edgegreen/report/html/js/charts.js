// What all plots share: colours, axes, what is said of a point. A run's text is set as text, never as markup.

const $ = (id) => document.getElementById(id);
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
  value == null
    ? "–"
    : value === 0
      ? "0"
      : Math.abs(value) >= 1000
        ? Math.round(value).toLocaleString("en")
        : String(+value.toPrecision(4));

function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  const isDark = dark.matches && !printing;
  palette = {
    lines: isDark ? DARK : LIGHT,
    ink: of("ink"),
    dim: of("dim"),
    line: of("line"),
    panel: of("panel"),
    idle: of("idle"),
    active: of("active"),
  };
}

function axis(name, more) {
  return {
    type: "value",
    name,
    nameLocation: "middle",
    nameGap: 28,
    scale: true,
    boundaryGap: more?.gap,
    nameTextStyle: { color: palette.dim },
    axisLabel: { color: palette.dim, hideOverlap: true, formatter: digits },
    axisLine: { show: true, lineStyle: { color: palette.line } },
    splitLine: { lineStyle: { color: palette.line, opacity: 0.6 } },
    ...more?.axis,
  };
}

function innerLabels() {
  // of an axis whose ends are no round numbers
  return { color: palette.dim, hideOverlap: true, showMinLabel: false, showMaxLabel: false, formatter: digits };
}

function legend(show) {
  return {
    show,
    type: "scroll",
    left: 0,
    top: 0,
    textStyle: { color: palette.ink },
    pageTextStyle: { color: palette.dim },
    pageIconColor: palette.ink,
    itemWidth: 13,
    itemHeight: 13,
  };
}

function told(lines) {
  // a tooltip of text nodes
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
    animation: false,
    textStyle: { fontFamily: "inherit", color: palette.ink },
    color: palette.lines,
    aria: { enabled: true },
    grid: { left: 16, right: 24, top: 36, bottom: 30, containLabel: true },
    tooltip: {
      trigger: "item",
      confine: true,
      backgroundColor: palette.panel,
      borderColor: palette.line,
      textStyle: { color: palette.ink, fontSize: 13 },
      extraCssText: "max-width:24rem;white-space:normal",
    },
    ...more,
  };
}

const toolbox = () => ({
  show: !printing,
  right: 4,
  top: 0,
  itemSize: 14,
  iconStyle: { borderColor: palette.dim },
  emphasis: { iconStyle: { borderColor: palette.ink, textFill: palette.ink } },
  feature: {
    dataZoom: { title: { zoom: "zoom into a part", back: "zoom out" } },
    restore: { title: "show all" },
  },
});

function show(id, option, label) {
  const box = $(id);
  const there = option !== null;
  box.parentElement.hidden = !there;
  if (!there) {
    charts.get(id)?.chart.dispose();
    charts.delete(id);
    return null;
  }
  let entry = charts.get(id);
  if (!entry) {
    entry = { chart: echarts.init(box, null, { renderer: "svg" }) };
    charts.set(id, entry);
    new ResizeObserver(() => {
      if (!printing && charts.get(id) === entry) entry.chart.resize();
    }).observe(box);
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
