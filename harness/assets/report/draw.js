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
  svg.querySelectorAll("g[aria-label]").forEach((part) => {
    // Plot names its parts; only marks are for readers
    part.dataset.part = part.getAttribute("aria-label");
    part.removeAttribute("aria-label");
    if (!part.querySelector(".mark")) part.setAttribute("aria-hidden", "true");
  });
  place.replaceChildren(svg);
  return svg;
}
