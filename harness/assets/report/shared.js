// What all scripts share: the data, numbers as a person reads them, and elements without HTML in strings.
const { metrics: METRICS, cells: CELLS, tones: TONES } = JSON.parse(document.getElementById("data").textContent);
const NONE = "–";
const minus = (text) => text.replace("-", "−");
const known = (value) => value !== null && value !== undefined;

function quantity(name, value) {
  if (!known(value)) return NONE;
  const unit = METRICS[name].unit;
  if (unit === "B") return `${(value / 1e6).toFixed(2)} MB`;
  const digits = { "": Number.isInteger(value) ? 0 : 4, ms: 2, calls: 0 }[unit] ?? 1;
  return minus(`${value.toFixed(digits)}${unit ? ` ${unit}` : ""}`);
}

function signed(value, digits) {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? (0).toFixed(digits) : minus(value > 0 ? `+${text}` : text);
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => known(child)));
  return made;
}

const badge = (status) => element("span", { class: `badge ${TONES[status]}` }, status);

// Colour by backend and symbol by precision, in the order in which the results name them.
const distinct = (name) => [...new Set(CELLS.map((cell) => cell[name]).filter(Boolean))];
const BACKENDS = distinct("backend").sort();
const FAMILIES = distinct("family");
const colour = (backend) => `var(--b${Math.max(0, BACKENDS.indexOf(backend)) % 8})`;
const SYMBOLS = ["circle", "square", "diamond", "triangle", "star", "cross", "wye"];
const symbol = (family) => SYMBOLS[Math.max(0, FAMILIES.indexOf(family)) % SYMBOLS.length];
