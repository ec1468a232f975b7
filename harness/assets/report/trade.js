// Cost against mAP, with the Pareto front.

// Labels that would lie on an earlier one are left out; their points still say their names.
function apart(index, scales, values, dimensions, context, next) {
  const { x, y, text } = values;
  const kept = [];
  const free = (i) =>
    kept.every(
      (k) => Math.abs(y[i] - y[k]) > 16 || Math.abs(x[i] - x[k]) > (LETTER * (text[i].length + text[k].length)) / 2 + 6,
    );
  for (const i of index) if (free(i)) kept.push(i);
  const group = next(kept, scales, values, dimensions, context);
  [...group.children].forEach((label, n) => {
    // no further left than the frame
    if (x[kept[n]] - (LETTER * text[kept[n]].length) / 2 < dimensions.marginLeft)
      label.setAttribute("text-anchor", "start");
  });
  return group;
}

function drawTrade(place, cells, shown, timed) {
  const cost = (cell) =>
    timed ? cell.image_ms : known(cell.metrics.size_bytes) ? cell.metrics.size_bytes / 1e6 : null;
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
    height: narrow ? 340 : 440,
    marginLeft: 48,
    marginRight: narrow ? 16 : 40,
    marginTop: 28,
    marginBottom: 40,
    insetLeft: 44,
    insetRight: 24,
    insetTop: 18,
    insetBottom: 14,
    x: {
      type: high / low > 5 ? "log" : "linear",
      label: unit,
      labelArrow: "right",
      tickFormat: "~g",
      ticks: narrow ? 5 : undefined,
      tickSize: 0,
      grid: true,
    },
    y: { label: "mAP", labelArrow: "up", grid: true, ticks: 6, tickSize: 0 },
    symbol: { type: "identity" },
    r: { type: "identity" },
    color: { type: "identity" },
    marks: [
      Plot.line(front, {
        x: cost,
        y: (cell) => cell.metrics.map,
        curve: "step-after",
        stroke: "var(--muted)",
        strokeWidth: 1.2,
        strokeDasharray: "4 3",
        z: "league",
      }),
      narrow
        ? null
        : Plot.text(front, {
            x: cost,
            y: (cell) => cell.metrics.map,
            text: "label",
            lineAnchor: "bottom",
            dy: -15,
            fill: "currentColor",
            stroke: "var(--page)",
            strokeWidth: 4,
            pointerEvents: "none",
            render: apart,
          }),
      Plot.dot(points, {
        x: cost,
        y: (cell) => cell.metrics.map,
        r: radius,
        symbol: (cell) => symbol(cell.family),
        sort: null,
        fill: (cell) => colour(cell.backend),
        fillOpacity: 0.78,
        stroke: "var(--page)",
        strokeWidth: 1,
        render: interactive(
          points,
          (cell) =>
            `${cell.id}: ${cost(cell).toFixed(2)} ${timed ? "ms" : "MB"}, mAP ${cell.metrics.map.toFixed(4)}, ${cell.status}`,
        ),
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
  const used = (name, all) =>
    all.filter((value) => cells.some((cell) => cell[name] === value && known(cell.metrics.map)));
  place.replaceChildren(
    ...used("backend", BACKENDS).map((backend) => element("span", {}, glyph("circle", colour(backend)), backend)),
    ...used("family", FAMILIES).map((family) => element("span", {}, glyph(symbol(family), "var(--muted)"), family)),
  );
}
