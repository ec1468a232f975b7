// Figures of one row a cell: changes with intervals, calls, processes.

// What figures of rows have in common: names on the left, where there is room for them, and a zero line.
function rowFigure(place, rows, unit, { x, marks, names = true }) {
  const room = Math.floor((0.46 * place.clientWidth) / LETTER);
  const name = (index) => {
    const label = CELLS[index].label;
    return label.length > room ? `…${label.slice(1 - room)}` : label;
  };
  const left = names ? 14 + LETTER * Math.max(...rows.map((cell) => name(cell.index).length)) : 8;
  const ticks = Math.max(2, Math.min(5, Math.floor((place.clientWidth - left) / 80)));
  draw(place, unit, {
    height: rows.length * ROW + 50,
    marginLeft: left,
    marginRight: 18,
    marginTop: 8,
    marginBottom: 38,
    insetLeft: 8,
    insetRight: 8,
    x: { label: unit, labelAnchor: "center", labelArrow: "none", grid: true, ticks, tickSize: 0, ...x },
    y: { type: "band", domain: rows.map((cell) => cell.index), label: null, axis: null },
    color: { type: "identity" },
    marks: [names ? Plot.axisY({ tickSize: 0, label: null, tickFormat: name }) : null, ...marks],
  });
}

// The extent of some changes, zero in it, and tick labels with as many decimals as that takes.
function changing(values) {
  const [low, high] = d3.extent([0, ...values.filter(known)]);
  const domain = low === high ? [-0.001, 0.001] : [low, high];
  const digits = Math.min(4, d3.precisionFixed(d3.tickStep(...domain, 4)));
  return { domain, nice: 4, tickFormat: (value) => signed(value, digits) };
}

function rest(place, left) {
  if (left > 0) place.append(element("p", { class: "more" }, `${left} more cells; the filter leads to them.`));
}

// The cells of the figures of change: the same rows in each; the worst where there is no room for all.
function changedRows(cells) {
  const all = cells.filter((cell) => Object.keys(cell.changes).length);
  const tone = (cell) => ["bad", "warn"].indexOf(TONES[cell.status]) >>> 0; // what is neither comes last
  const gain = (cell) => Math.min(...["baseline", "fp32"].map((of) => cell.changes[of]?.value ?? 0));
  const kept = new Set([...all].sort((a, b) => tone(a) - tone(b) || gain(a) - gain(b)).slice(0, MOST));
  return [all.filter((cell) => kept.has(cell)), all.length - kept.size];
}

const NOTHING = {
  baseline: "No cell has a comparable baseline.",
  fp32: "No cell has an fp32 sibling in this run.",
  latency: "No latency was gated against a baseline.",
};

function drawChange(place, cells, of) {
  const [rows, left] = changedRows(cells);
  const changed = rows.filter((cell) => cell.changes[of]);
  if (!changed.length) return empty(place, NOTHING[of]);
  const scale = of === "latency" ? 100 : 1;
  const part = (name) => (cell) => (known(cell.changes[of][name]) ? scale * cell.changes[of][name] : null);
  const tone = (cell) => ({ bad: "var(--bad)", warn: "var(--warn)" })[TONES[cell.changes[of].status]] ?? "var(--ink)";
  const say = (cell) => (of === "latency" ? `${signed(part("value")(cell), 1)} %` : signed(part("value")(cell), 4));
  const ends = changed.flatMap((cell) => ["value", "low", "high", "limit"].map((name) => part(name)(cell)));
  const beside = getComputedStyle(place.closest(".figures")).gridTemplateColumns.split(" ").length > 1;
  rowFigure(place, rows, of === "latency" ? "change of CPU time, %" : "change of mAP", {
    x: changing(ends),
    names: !beside || of === Object.keys(NOTHING).find((other) => rows.some((cell) => cell.changes[other])),
    marks: [
      Plot.ruleX([0], { stroke: "var(--muted)" }),
      Plot.tickX(changed, { x: part("limit"), y: "index", stroke: "var(--bad)", strokeDasharray: "2 2", inset: 3 }),
      Plot.ruleY(changed, {
        x1: part("low"),
        x2: part("high"),
        y: "index",
        stroke: tone,
        strokeWidth: 2.5,
        strokeOpacity: 0.55,
      }),
      Plot.dot(changed, {
        x: part("value"),
        y: "index",
        r: 4,
        fill: tone,
        stroke: "var(--page)",
        render: interactive(changed, (cell) => `${cell.id}: ${say(cell)}, ${cell.changes[of].status}`),
      }),
    ],
  });
  rest(place, left);
}

function drawCalls(place, cells) {
  const all = cells.filter((cell) => cell.calls.length);
  if (!all.length) return empty(place, "No call was timed.");
  const rows = all.slice(0, MOST);
  const calls = rows.flatMap((cell) => cell.calls.map((ms) => ({ ms, index: cell.index, backend: cell.backend })));
  const quantile = (p) => (cell) => d3.quantile(cell.calls, p);
  const [low, high] = d3.extent(calls, (call) => call.ms);
  rowFigure(place, rows, "ms a call", {
    x: { type: high / low > 5 ? "log" : "linear", tickFormat: "~g" },
    marks: [
      Plot.tickX(calls, { x: "ms", y: "index", stroke: (call) => colour(call.backend), strokeOpacity: 0.28, inset: 3 }),
      Plot.ruleY(rows, {
        x1: quantile(0.25),
        x2: quantile(0.75),
        y: "index",
        stroke: (cell) => colour(cell.backend),
        strokeWidth: 6,
        strokeOpacity: 0.75,
      }),
      Plot.dot(rows, {
        x: quantile(0.5),
        y: "index",
        r: 4,
        fill: "var(--ink)",
        stroke: "var(--page)",
        render: interactive(
          rows,
          (cell) => `${cell.id}: median ${quantile(0.5)(cell).toFixed(2)} ms of ${cell.calls.length} calls`,
        ),
      }),
    ],
  });
  rest(place, all.length - rows.length);
}

function drawProcesses(place, cells) {
  const all = cells.filter((cell) => cell.processes.length);
  if (!all.length) return empty(place, "No latency was gated against a baseline: one process of each cell was timed.");
  const rows = all.slice(0, MOST);
  const processes = rows.flatMap((cell) =>
    cell.processes.map((ratio) => ({ change: 100 * (ratio - 1), index: cell.index, backend: cell.backend })),
  );
  const judged = rows.filter((cell) => cell.changes.latency);
  const part = (name) => (cell) => (known(cell.changes.latency[name]) ? 100 * cell.changes.latency[name] : null);
  const ends = judged.flatMap((cell) => ["low", "high", "limit"].map((name) => part(name)(cell)));
  rowFigure(place, rows, "CPU time against the baseline, %", {
    x: changing([...ends, ...processes.map((one) => one.change)]),
    marks: [
      Plot.ruleX([0], { stroke: "var(--muted)" }),
      Plot.tickX(judged, { x: part("limit"), y: "index", stroke: "var(--bad)", strokeDasharray: "2 2", inset: 3 }),
      Plot.ruleY(judged, {
        x1: part("low"),
        x2: part("high"),
        y: "index",
        stroke: "var(--muted)",
        strokeWidth: 7,
        strokeOpacity: 0.28,
      }),
      Plot.dot(processes, {
        x: "change",
        y: "index",
        r: 3.5,
        fill: (one) => colour(one.backend),
        fillOpacity: 0.8,
        stroke: "var(--page)",
        strokeWidth: 0.7,
        render: interactive(
          processes.map((one) => CELLS[one.index]),
          (cell) => `${cell.id}: one of ${cell.processes.length} processes`,
        ),
      }),
    ],
  });
  rest(place, all.length - rows.length);
}
