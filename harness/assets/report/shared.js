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

// Colour by backend and symbol by precision: the same in every report, and then by name.
const named = (first, name) => [
  ...new Set([
    ...first,
    ...CELLS.map((cell) => cell[name])
      .filter(Boolean)
      .sort(),
  ]),
];
const BACKENDS = named(["onnxruntime", "openvino", "litert", "torch", "tensorrt"], "backend");
const colour = (backend) => `var(--b${BACKENDS.indexOf(backend) % 8})`;
const FAMILIES = named(["fp32", "fp16", "int8", "int8-dynamic", "int8-qat", "bf16", "w8a16", "ready"], "family");
const SYMBOLS = ["circle", "square", "triangle", "diamond", "star", "cross", "wye", "square2"];
const symbol = (family) => SYMBOLS[FAMILIES.indexOf(family) % SYMBOLS.length];
