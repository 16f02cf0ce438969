// Times in words, and the axis's steps.

const UNITS = [["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 1]];

// A length of time: "3.25 ms".
function lengthOfTime(ns) {
  const [unit, size] = UNITS.find(([, size]) => Math.abs(ns) >= size) || UNITS[3];
  const value = ns / size;
  const digits = unit === "ns" ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3;
  return Number(value.toFixed(digits)) + " " + unit;
}

// A moment, with all its digits in groups: "4.137 131 930 s".
function moment(ns) {
  const whole = Math.floor(ns / 1e9);
  const rest = String(Math.round(ns - whole * 1e9)).padStart(9, "0");
  return whole + "." + rest.replace(/(...)(?=.)/g, "$1 ") + " s";
}

// 1, 2 or 5 of a power of ten, at least `least`.
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= least * 0.999) || power * 10;
}

// The axis's marks from `from` to `to`, no nearer than `least`; and what they are counted from.
function marks(from, to, least) {
  const step = niceStep(least);
  // Absolute as long as a label is short.
  const base = to / step < 20000 ? 0 : Math.floor(from / (step * 100)) * step * 100;
  const [unit, size] = UNITS.find(([, size]) => step >= size * (base ? 1 : 0.01)) || UNITS[3];
  const digits = Math.max(0, Math.ceil(-Math.log10(step / size) - 1e-9));
  const list = [];
  // Before time 0 is only the margin.
  for (let t = Math.max(0, Math.ceil(from / step) * step); t <= to; t += step) {
    const value = ((t - base) / size).toFixed(digits);
    list.push({ at: t, label: (base && t !== base ? "+" : "") + value + " " + unit });
  }
  return { base, step, list };
}
