// Bring the document to life: without scripts it is still the verdict, the table and the pictures.
document.querySelectorAll(".dot").forEach((dot) => dot.style.setProperty("--c", colour(dot.dataset.backend)));
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  const copied = event.target.closest("[data-copy]");
  if (opener) openDetails(CELLS[Number(opener.dataset.open)]);
  if (copied) copy(copied);
  if (event.target === dialog) dialog.close();
});
document.addEventListener("scroll", hideTip, { passive: true, capture: true });

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

document.querySelectorAll(".suite").forEach((suite) => {
  const first = Number(suite.dataset.first);
  const cells = CELLS.slice(first, first + Number(suite.dataset.count));
  const timed = cells.some((cell) => known(cell.image_ms));
  const form = suite.querySelector(".filters");
  const legend = suite.querySelector(".legend");
  let shown = new Set(cells.map((cell) => cell.index));
  let width = 0;
  const redraw = () => drawAll(suite, cells, shown, timed);
  const apply = () => {
    shown = matching(form, cells);
    filterRows(suite, shown, cells.length);
    redraw();
  };
  suite.querySelectorAll("table.cells").forEach(makeSortable);
  if (legend) drawLegend(legend, cells);
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  apply();
  new ResizeObserver(([entry]) => {
    if (width && width !== entry.contentRect.width) redraw();
    width = entry.contentRect.width;
  }).observe(suite);
});
// On paper nothing unfolds.
const folded = () => document.querySelectorAll("details:not([open])");
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...folded()];
  opened.forEach((one) => {
    one.open = true;
  });
});
addEventListener("afterprint", () =>
  opened.forEach((one) => {
    one.open = false;
  }),
);
performance.mark("interactive");
