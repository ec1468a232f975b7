// Sorting by the buttons in the head, and a filter that the figures of the suite obey too.
function makeSortable(table) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  table.tHead.querySelectorAll("button").forEach((button) => {
    const head = button.closest("th");
    button.addEventListener("click", () => {
      const next = { none: "ascending", ascending: "descending", descending: "none" }[head.ariaSort ?? "none"];
      table.tHead.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      if (next !== "none") head.setAttribute("aria-sort", next);
      const rows =
        next === "none"
          ? original
          : sorted(original, head.cellIndex, button.dataset.sort, next === "ascending" ? 1 : -1);
      body.append(...rows);
    });
  });
}

// What is not known comes last, whichever way.
function sorted(rows, column, kind, sign) {
  const value = (row) => row.cells[column].dataset.value;
  const missing = (row) => value(row) === "";
  return [...rows].sort((a, b) => {
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    if (kind === "text") return sign * value(a).localeCompare(value(b));
    return sign * (Number(value(a)) - Number(value(b)));
  });
}

// The indices of the cells that match every field of the form.
function matching(form, cells) {
  const wanted = new FormData(form);
  const words = (wanted.get("text") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const fields = ["model", "backend", "family", "status"].filter((name) => wanted.get(name));
  const text = (cell) => `${cell.id} ${cell.precision} ${cell.status}`.toLowerCase();
  return new Set(
    cells
      .filter(
        (cell) =>
          words.every((word) => text(cell).includes(word)) && fields.every((name) => cell[name] === wanted.get(name)),
      )
      .map((cell) => cell.index),
  );
}

function filterRows(suite, shown, total) {
  suite.querySelectorAll("[data-cell]").forEach((row) => {
    row.hidden = !shown.has(Number(row.dataset.cell));
  });
  suite.querySelectorAll(".empty.none").forEach((line) => {
    line.hidden = shown.size > 0;
  });
  suite.querySelector(".count").textContent =
    shown.size === total ? `${total} cells` : `${shown.size} of ${total} cells`;
}
