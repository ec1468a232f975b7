// Figures by Observable Plot. Colours are CSS variables, so that one drawing serves light, dark and paper.
const MOST = 40; // rows of a figure; the filter leads to the others
const ROW = 21; // pixels of a row
const REACH = 18; // pixels from which a mark is meant
const LETTER = 6.7; // pixels of a letter of a row's name

function empty(place, text) {
  place.replaceChildren(element("p", { class: "empty" }, text));
}

// A mark that can be reached, read and opened: by pointer, or by Tab and the arrow keys.
function interactive(cells, label) {
  return (index, scales, values, dimensions, context, next) => {
    const group = next(index, scales, values, dimensions, context);
    const marks = [...group.children];
    marks.forEach((mark, n) => {
      const cell = cells[index[n]];
      mark.classList.add("mark");
      mark.dataset.mark = cell.index;
      mark.setAttribute("role", "button");
      mark.setAttribute("aria-label", label(cell));
      mark.setAttribute("tabindex", n ? -1 : 0);
      mark.addEventListener("focus", () => showTip(cell, mark.getBoundingClientRect()));
      mark.addEventListener("blur", hideTip);
      mark.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (event.key === "Escape") hideTip();
        if (event.key === "Enter" || event.key === " ") openDetails(cell);
        if (step) {
          const other = marks[(n + step + marks.length) % marks.length];
          mark.setAttribute("tabindex", -1);
          other.setAttribute("tabindex", 0);
          other.focus();
        }
        if (step || event.key === " " || event.key === "Enter") event.preventDefault();
      });
    });
    followPointer(context.ownerSVGElement, marks);
    return group;
  };
}

// The mark nearest to the pointer is meant, however small it is drawn.
function followPointer(svg, marks) {
  const meant = (event) => {
    const near = marks.map((mark) => {
      const box = mark.getBoundingClientRect();
      return Math.hypot(event.clientX - box.x - box.width / 2, event.clientY - box.y - box.height / 2);
    });
    const nearest = d3.minIndex(near);
    return near[nearest] <= REACH ? marks[nearest] : null;
  };
  svg.addEventListener("pointermove", (event) => {
    const mark = meant(event);
    svg.style.cursor = mark ? "pointer" : "";
    if (mark) showTip(CELLS[Number(mark.dataset.mark)], mark.getBoundingClientRect());
    else hideTip();
  });
  svg.addEventListener("pointerleave", hideTip);
  svg.addEventListener("click", (event) => {
    const mark = meant(event);
    if (mark) {
      mark.focus({ preventScroll: true });
      openDetails(CELLS[Number(mark.dataset.mark)]);
    }
  });
}

function draw(place, name, options) {
  const svg = Plot.plot({ width: place.clientWidth, style: { background: "none", fontSize: "12px" }, ...options });
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", name);
  svg.querySelectorAll("g[aria-label]").forEach((part) => { // Plot names its parts; only marks are for readers
    part.dataset.part = part.getAttribute("aria-label");
    part.removeAttribute("aria-label");
    if (!part.querySelector(".mark")) part.setAttribute("aria-hidden", "true");
  });
  place.replaceChildren(svg);
  return svg;
}

// Cost against mAP

// Labels that would lie on an earlier one are left out; their points still say their names.
function apart(index, scales, values, dimensions, context, next) {
  const { x, y, text } = values;
  const kept = [];
  const free = (i) => kept.every((k) => Math.abs(y[i] - y[k]) > 16 || Math.abs(x[i] - x[k]) > (LETTER * (text[i].length + text[k].length)) / 2 + 6);
  for (const i of index) if (free(i)) kept.push(i);
  const group = next(kept, scales, values, dimensions, context);
  [...group.children].forEach((label, n) => { // no further left than the frame
    if (x[kept[n]] - (LETTER * text[kept[n]].length) / 2 < dimensions.marginLeft) label.setAttribute("text-anchor", "start");
  });
  return group;
}

function drawTrade(place, cells, shown, timed) {
  const cost = (cell) => (timed ? cell.image_ms : known(cell.metrics.size_bytes) ? cell.metrics.size_bytes / 1e6 : null);
  const points = cells.filter((cell) => known(cost(cell)) && known(cell.metrics.map)).sort((a, b) => cost(a) - cost(b));
  if (!points.length) return empty(place, "No cell has both numbers.");
  const largest = d3.max(points, (cell) => cell.metrics.size_bytes ?? 0) || 1;
  const narrow = place.clientWidth < 560;
  const room = (narrow ? 7 : 10) * (points.length > 60 ? 0.75 : 1);
  const radius = (cell) => Math.max(3, room * Math.sqrt((cell.metrics.size_bytes ?? 0) / largest));
  const [low, high] = d3.extent(points, cost);
  const front = points.filter((cell) => cell.front);
  const unit = timed ? "median latency, ms an image" : "size, MB";
  const svg = draw(place, `${unit} against mAP`, {
    height: narrow ? 340 : 440, marginLeft: 48, marginRight: narrow ? 16 : 40, marginTop: 28, marginBottom: 40, insetLeft: 44, insetRight: 24, insetTop: 18, insetBottom: 14,
    x: { type: high / low > 5 ? "log" : "linear", label: unit, labelArrow: "right", tickFormat: "~g", ticks: narrow ? 5 : undefined, tickSize: 0, grid: true },
    y: { label: "mAP", labelArrow: "up", grid: true, ticks: 6, tickSize: 0 },
    symbol: { type: "identity" }, r: { type: "identity" }, color: { type: "identity" },
    marks: [
      Plot.line(front, { x: cost, y: (cell) => cell.metrics.map, curve: "step-after", stroke: "var(--muted)", strokeWidth: 1.2, strokeDasharray: "4 3", z: "league" }),
      narrow ? null : Plot.text(front, {
        x: cost, y: (cell) => cell.metrics.map, text: "label", lineAnchor: "bottom", dy: -15, fill: "currentColor", stroke: "var(--page)", strokeWidth: 4, pointerEvents: "none",
        render: apart,
      }),
      Plot.dot(points, {
        x: cost, y: (cell) => cell.metrics.map, r: radius, symbol: (cell) => symbol(cell.family), sort: null,
        fill: (cell) => colour(cell.backend), fillOpacity: 0.78, stroke: "var(--page)", strokeWidth: 1,
        render: interactive(points, (cell) => `${cell.id}: ${cost(cell).toFixed(2)} ${timed ? "ms" : "MB"}, mAP ${cell.metrics.map.toFixed(4)}, ${cell.status}`),
      }),
    ],
  });
  svg.querySelectorAll(".mark").forEach((mark) => mark.classList.toggle("dim", !shown.has(Number(mark.dataset.mark))));
}

function drawLegend(place, cells) {
  const glyph = (name, fill) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("width", 12);
    svg.setAttribute("height", 12);
    svg.setAttribute("viewBox", "-7 -7 14 14");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", d3.symbol(d3[`symbol${name[0].toUpperCase()}${name.slice(1)}`], 70)());
    path.style.fill = fill;
    svg.append(path);
    return svg;
  };
  const used = (name, all) => all.filter((value) => cells.some((cell) => cell[name] === value && known(cell.metrics.map)));
  place.replaceChildren(
    ...used("backend", BACKENDS).map((backend) => element("span", {}, glyph("circle", colour(backend)), backend)),
    ...used("family", FAMILIES).map((family) => element("span", {}, glyph(symbol(family), "var(--muted)"), family)));
}

// One row a cell

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
    height: rows.length * ROW + 50, marginLeft: left, marginRight: 18, marginTop: 8, marginBottom: 38, insetLeft: 8, insetRight: 8,
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
      Plot.ruleY(changed, { x1: part("low"), x2: part("high"), y: "index", stroke: tone, strokeWidth: 2.5, strokeOpacity: 0.55 }),
      Plot.dot(changed, { x: part("value"), y: "index", r: 4, fill: tone, stroke: "var(--page)", render: interactive(changed, (cell) => `${cell.id}: ${say(cell)}, ${cell.changes[of].status}`) }),
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
      Plot.ruleY(rows, { x1: quantile(0.25), x2: quantile(0.75), y: "index", stroke: (cell) => colour(cell.backend), strokeWidth: 6, strokeOpacity: 0.75 }),
      Plot.dot(rows, { x: quantile(0.5), y: "index", r: 4, fill: "var(--ink)", stroke: "var(--page)", render: interactive(rows, (cell) => `${cell.id}: median ${quantile(0.5)(cell).toFixed(2)} ms of ${cell.calls.length} calls`) }),
    ],
  });
  rest(place, all.length - rows.length);
}

function drawProcesses(place, cells) {
  const all = cells.filter((cell) => cell.processes.length);
  if (!all.length) return empty(place, "No latency was gated against a baseline: one process of each cell was timed.");
  const rows = all.slice(0, MOST);
  const processes = rows.flatMap((cell) => cell.processes.map((ratio) => ({ change: 100 * (ratio - 1), index: cell.index, backend: cell.backend })));
  const judged = rows.filter((cell) => cell.changes.latency);
  const part = (name) => (cell) => (known(cell.changes.latency[name]) ? 100 * cell.changes.latency[name] : null);
  const ends = judged.flatMap((cell) => ["low", "high", "limit"].map((name) => part(name)(cell)));
  rowFigure(place, rows, "CPU time against the baseline, %", {
    x: changing([...ends, ...processes.map((one) => one.change)]),
    marks: [
      Plot.ruleX([0], { stroke: "var(--muted)" }),
      Plot.tickX(judged, { x: part("limit"), y: "index", stroke: "var(--bad)", strokeDasharray: "2 2", inset: 3 }),
      Plot.ruleY(judged, { x1: part("low"), x2: part("high"), y: "index", stroke: "var(--muted)", strokeWidth: 7, strokeOpacity: 0.28 }),
      Plot.dot(processes, { x: "change", y: "index", r: 3.5, fill: (one) => colour(one.backend), fillOpacity: 0.8, stroke: "var(--page)", strokeWidth: 0.7, render: interactive(processes.map((one) => CELLS[one.index]), (cell) => `${cell.id}: one of ${cell.processes.length} processes`) }),
    ],
  });
  rest(place, all.length - rows.length);
}

function drawAll(suite, cells, shown, timed) {
  const visible = cells.filter((cell) => shown.has(cell.index));
  suite.querySelectorAll("[data-figure]").forEach((place) => {
    if (!place.clientWidth) return;
    const kinds = {
      trade: () => drawTrade(place, cells, shown, timed),
      change: () => drawChange(place, visible, place.dataset.of),
      calls: () => drawCalls(place, visible),
      processes: () => drawProcesses(place, visible),
    };
    kinds[place.dataset.figure]();
  });
}
