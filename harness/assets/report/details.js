// Everything that was measured of a cell: in short beside the pointer or the focus, in full in a dialog.
const tip = document.getElementById("tip");
const dialog = document.getElementById("details");

function showTip(cell, box) {
  const rows = Object.entries(cell.metrics).flatMap(([name, value]) => [
    element("dt", {}, name),
    element("dd", {}, quantity(name, value)),
  ]);
  tip.replaceChildren(element("p", {}, `${cell.id} `, badge(cell.status)), element("dl", {}, ...rows));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const right = box.right + 14 + width < innerWidth;
  const left = right ? box.right + 14 : box.left - 14 - width;
  tip.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  tip.style.top = `${Math.max(8, Math.min(box.top + box.height / 2 - height / 2, innerHeight - height - 8))}px`;
}

const hideTip = () => {
  tip.hidden = true;
};

function table(title, columns, rows) {
  if (!rows.length) return null;
  const head = columns.map((name, n) => element("th", { scope: "col", class: n && name !== "why" ? "n" : "" }, name));
  const body = rows.map(([first, ...rest]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, first),
      ...rest.map((value, n) =>
        element("td", { class: columns[n + 1] === "why" || columns.length === 2 ? "" : "n" }, value),
      ),
    ),
  );
  const drawn = element("table", {});
  if (columns.length > 2) drawn.append(element("thead", {}, element("tr", {}, ...head)));
  drawn.append(element("tbody", {}, ...body));
  return element("div", {}, element("h3", {}, title), drawn);
}

function verdictTable(cell) {
  const rows = cell.verdicts.map((verdict) => {
    const against = verdict.against === "limit" ? "" : ` against ${verdict.against}`;
    const name = element("span", {}, `${verdict.metric}${against} `, badge(verdict.status));
    return [name, verdict.observed, verdict.limit, verdict.detail];
  });
  return table("Verdicts", ["gate", "observed", "limit", "why"], rows);
}

function openDetails(cell) {
  hideTip();
  const close = element("button", { type: "button", class: "copy" }, "Close");
  close.addEventListener("click", () => dialog.close());
  const measured = Object.entries(cell.metrics).map(([name, value]) => {
    const before = cell.baseline[name];
    const label = element("span", {}, element("b", {}, name), ` ${METRICS[name].title}`);
    return [label, quantity(name, value), quantity(name, before)];
  });
  const macs = Object.values(cell.executed).reduce((sum, count) => sum + count, 0);
  const executed = Object.entries(cell.executed).map(([type, count]) => [
    type,
    `${((100 * count) / macs).toFixed(1)} %`,
  ]);
  const again = cell.repeat
    ? element("p", { class: "again" }, element("code", {}, cell.repeat), copier(cell.repeat))
    : null;
  dialog.replaceChildren(
    element("header", {}, element("h2", { id: "details-title" }, cell.id), badge(cell.status), close),
    element(
      "div",
      { class: "body" },
      cell.reason ? element("p", {}, cell.reason) : null,
      verdictTable(cell),
      table("Measured", ["metric", "this run", "baseline"], measured),
      table("Multiply-accumulates by the type they executed in", ["type", "share"], executed),
      table("Where the numbers come from", ["what", "value"], cell.provenance),
      table(
        "Notes",
        ["note"],
        cell.notes.map((note) => [note]),
      ),
      again ? element("h3", {}, "Repeat") : null,
      again,
    ),
  );
  dialog.showModal();
  dialog.scrollTop = 0;
}

function copier(text) {
  const button = element("button", { type: "button", class: "copy" }, "Copy");
  button.dataset.copy = text;
  return button;
}

// Clipboard access is refused to files in some browsers; a selection that is there to be copied is the same.
async function copy(button) {
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
  setTimeout(() => {
    button.textContent = "Copy";
  }, 1600);
}
