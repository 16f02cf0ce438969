// What is drawn. Where more records stand in a column of pixels than can be told apart, their number is drawn.

const MARK = 4.2;
// The most marks of a device and way that are drawn one by one.
const APART = 600;

function fitted(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = width + "px";
    canvas.style.height = height + "px";
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["paper", "ink", "soft", "faint", "rule", "rule-strong", "read", "write", "line", "line-fill", "port", "bad", "chosen", "band", "text", "code"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue("--" + name).trim()]));
}

function shortened(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  const letter = pen.measureText("m").width;
  const fits = Math.floor(width / letter) - 1;
  return fits < 1 ? "" : text.slice(0, fits) + "…";
}

// How high a column is that stands for so many accesses: each doubling is a step.
const columnHeight = (count, most) => Math.max(2, Math.min(1, Math.log2(1 + count) / 9) * most);

function drawAxis(canvas, view, paint) {
  const width = view.width;
  const pen = fitted(canvas, width, 26);
  const axis = marks(view.from, view.to, (view.to - view.from) / width * 108);
  pen.font = "11.5px " + paint.text;
  pen.fillStyle = paint.soft;
  pen.strokeStyle = paint["rule-strong"];
  pen.beginPath();
  for (const mark of axis.list) {
    const x = Math.round(view.x(mark.at)) + 0.5;
    pen.moveTo(x, 18);
    pen.lineTo(x, 26);
    const half = pen.measureText(mark.label).width / 2;
    if (x - half >= 2 && x + half <= width - 2) pen.fillText(mark.label, x - half, 14);
  }
  pen.stroke();
  return axis;
}

// How much happened in each column of the whole trace.
function wholeColumns(width, model, sorted, view) {
  const scale = width / (view.most - view.least);
  const columns = { width, reads: new Float64Array(width + 1), writes: new Float64Array(width + 1), others: new Uint8Array(width + 1) };
  for (const i of sorted.all) {
    const x = Math.min(width, Math.max(0, Math.floor((model.at[i] - view.least) * scale)));
    if (model.kind[i] === Kind.READ) columns.reads[x] += model.times[i];
    else if (model.kind[i] === Kind.WRITE) columns.writes[x] += model.times[i];
    else columns.others[x] = 1;
  }
  return columns;
}

function drawOverview(canvas, width, model, sorted, view, paint) {
  const height = 52;
  const pen = fitted(canvas, width, height);
  const scale = width / (view.most - view.least);
  if (sorted.columns?.width !== width) sorted.columns = wholeColumns(width, model, sorted, view);
  const { reads, writes, others } = sorted.columns;
  const middle = height / 2;
  const log = (count) => Math.max(1.5, Math.min(1, Math.log2(1 + count) / 14) * (middle - 4));
  pen.globalAlpha = 0.8;
  for (let x = 0; x <= width; x++) {
    if (others[x]) { pen.fillStyle = paint.line; pen.fillRect(x, middle - 0.5, 1, 1); }
    if (reads[x]) { pen.fillStyle = paint.read; pen.fillRect(x, middle - 1 - log(reads[x]), 1, log(reads[x])); }
    if (writes[x]) { pen.fillStyle = paint.write; pen.fillRect(x, middle + 1, 1, log(writes[x])); }
  }
  pen.globalAlpha = 1;
  const left = Math.max(0, (view.from - view.least) * scale);
  const right = Math.min(width, (view.to - view.least) * scale);
  const frame = Math.max(3, right - left);
  pen.fillStyle = paint.band;
  pen.fillRect(left, 0, frame, height);
  pen.strokeStyle = paint.ink;
  pen.lineWidth = 1.5;
  pen.strokeRect(left + 0.75, 0.75, Math.max(2, frame - 1.5), height - 1.5);
  pen.lineWidth = 1;
}

function drawLanes(canvas, height, scene) {
  const { view, layout, paint, axis, offset } = scene;
  const pen = fitted(canvas, view.width, height);
  pen.strokeStyle = paint.rule;
  pen.beginPath();
  for (const mark of axis.list) {
    const x = Math.round(view.x(mark.at)) + 0.5;
    pen.moveTo(x, 0);
    pen.lineTo(x, Math.min(height, layout.height - offset));
  }
  pen.stroke();
  for (const lane of layout.lanes) {
    if (lane.top + lane.height < offset || lane.top > offset + height) continue;
    for (const row of lane.rows) {
      const top = row.top - offset;
      if (row.kind === "access") drawAccesses(pen, scene, lane.device, top, row.height);
      else if (row.kind === "line") drawLine(pen, scene, row.line, top, row.height);
      else if (row.kind === "text") drawText(pen, scene, row.text, top, row.height);
      else drawFrames(pen, scene, row.port, top, row.height);
    }
    const y = Math.round(lane.top + lane.height - offset) - 0.5;
    pen.strokeStyle = paint.rule;
    pen.beginPath();
    pen.moveTo(0, y);
    pen.lineTo(view.width, y);
    pen.stroke();
  }
  for (const i of scene.sorted.resets) drawUpright(pen, view.x(scene.model.at[i]), height, paint.bad, [4, 3]);
  if (scene.chosen >= 0) drawUpright(pen, view.x(scene.model.at[scene.chosen]), height, paint.chosen, [2, 3]);
}

function drawUpright(pen, x, height, colour, dash) {
  pen.save();
  pen.strokeStyle = colour;
  pen.globalAlpha = 0.6;
  pen.setLineDash(dash);
  pen.beginPath();
  pen.moveTo(Math.round(x) + 0.5, 0);
  pen.lineTo(Math.round(x) + 0.5, height);
  pen.stroke();
  pen.restore();
}

// Reads stand above the lane's middle, writes below it.
function drawAccesses(pen, scene, device, top, height) {
  const { view, paint } = scene;
  const middle = Math.round(top + height / 2);
  pen.fillStyle = paint["rule-strong"];
  pen.fillRect(0, middle, view.width, 1);
  drawWay(pen, scene, device, "reads", middle, -1, height / 2 - 4);
  drawWay(pen, scene, device, "writes", middle, 1, height / 2 - 4);
  drawSmall(pen, scene, device.memory, (x) => triangle(pen, x, middle, 3.5), paint.port);
  drawSmall(pen, scene, device.due, (x) => pen.fillRect(x, middle - 4, 1, 9), paint.faint);
}

// Small marks on the middle; of those in one column of pixels, one.
function drawSmall(pen, scene, list, mark, colour) {
  const { model, view } = scene;
  const to = before(model, list, view.to);
  pen.fillStyle = colour;
  for (let n = before(model, list, view.from); n < to; ) {
    const x = view.x(model.at[list[n]]);
    mark(x);
    n = Math.max(n + 1, before(model, list, view.time(x + 1)));
  }
}

function drawWay(pen, scene, device, way, middle, side, most) {
  const { model, view, paint } = scene;
  const list = device[way];
  const sum = device[way + "Sum"];
  const from = before(model, list, view.from);
  const to = before(model, list, view.to);
  pen.fillStyle = way === "reads" ? paint.read : paint.write;
  if (to - from > APART) {
    let first = from;
    for (let x = 0; x < view.width && first < to; x++) {
      // To the column of the next record, not through all that are empty.
      x = Math.max(x, Math.floor(view.x(model.at[list[first]])));
      const next = before(model, list, view.time(x + 1));
      const behind = Math.max(first + 1, next);
      const count = sum[behind] - sum[first];
      const tall = columnHeight(count, most);
      pen.fillRect(x, side < 0 ? middle - tall : middle + 1, 1, tall);
      first = behind;
    }
    return;
  }
  const y = middle + side * (most / 2 + 1) + (side > 0 ? 1 : 0);
  const start = from > 0 && model.end[list[from - 1]] > view.from ? from - 1 : from;
  const narrow = to - from > 120;
  pen.font = "11.5px " + paint.code;
  for (let n = start; n < to; n++) {
    const i = list[n];
    const x = view.x(model.at[i]);
    // Shorter than its mark, a run is not seen.
    if (view.x(model.end[i]) - x > MARK) {
      const end = Math.min(view.width + 5, view.x(model.end[i]));
      pen.globalAlpha = 0.6;
      // Beside the middle, where no words stand.
      pen.fillRect(Math.max(x, -5), side < 0 ? middle - 3 : middle + 2, Math.max(1, end - Math.max(x, -5)), 2);
      pen.globalAlpha = 1;
    }
    if (model.flags[i] & Flag.ABORT) cross(pen, x, y, paint.bad);
    else if (side < 0) disc(pen, x, y, narrow ? 2.6 : MARK);
    else diamond(pen, x, y, narrow ? 2.9 : MARK + 0.6);
    if (i === scene.chosen || i === scene.hovered) ring(pen, x, y, i === scene.chosen ? paint.chosen : paint.faint);
    if (narrow) continue;
    const next = n + 1 < list.length ? view.x(model.at[list[n + 1]]) : Infinity;
    const room = Math.min(next, view.width + MARK) - x - MARK * 2 - 11;
    const name = subjectOf(model, i);
    const times = model.times[i] > 1 ? " ×" + model.times[i] : "";
    const words = [name + " " + valueText(model, i) + times, name].find((text) => pen.measureText(text).width <= room);
    if (words && x > -4) {
      const colour = pen.fillStyle;
      pen.fillStyle = paint.ink;
      pen.fillText(words, x + MARK + 6, y + 4);
      pen.fillStyle = colour;
    }
  }
}

function disc(pen, x, y, size) {
  pen.beginPath();
  pen.arc(x, y, size, 0, 2 * Math.PI);
  pen.fill();
}

function diamond(pen, x, y, size) {
  pen.beginPath();
  pen.moveTo(x, y - size);
  pen.lineTo(x + size, y);
  pen.lineTo(x, y + size);
  pen.lineTo(x - size, y);
  pen.fill();
}

function triangle(pen, x, y, size) {
  pen.beginPath();
  pen.moveTo(x, y - size);
  pen.lineTo(x + size, y + size);
  pen.lineTo(x - size, y + size);
  pen.fill();
}

function cross(pen, x, y, colour) {
  pen.save();
  pen.strokeStyle = colour;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.moveTo(x - 4, y - 4);
  pen.lineTo(x + 4, y + 4);
  pen.moveTo(x + 4, y - 4);
  pen.lineTo(x - 4, y + 4);
  pen.stroke();
  pen.restore();
}

function ring(pen, x, y, colour) {
  pen.save();
  pen.strokeStyle = colour;
  pen.lineWidth = 1.6;
  pen.beginPath();
  pen.arc(x, y, MARK + 3.4, 0, 2 * Math.PI);
  pen.stroke();
  pen.restore();
}

// A level as a waveform: high is a filled band, low a line at the bottom. Before its first change a line had the other level.
function drawLine(pen, scene, line, top, height) {
  const { model, view, paint } = scene;
  const list = line.records;
  const high = top + 4.5;
  const low = top + height - 4.5;
  const from = before(model, list, view.from);
  const to = before(model, list, view.to);
  let level = from > 0 ? model.low[list[from - 1]] : 1 - model.low[list[0]];
  let x = 0;
  pen.strokeStyle = paint.line;
  const path = new Path2D();
  const bands = (till) => {
    if (!level) return;
    pen.fillStyle = paint["line-fill"];
    pen.fillRect(x, high, till - x, low - high);
  };
  path.moveTo(0, level ? high : low);
  for (let n = from; n < to; ) {
    const edge = view.x(model.at[list[n]]);
    // All changes of one column of pixels are one upright stroke.
    const behind = Math.max(n + 1, before(model, list, view.time(Math.floor(edge) + 1)));
    bands(edge);
    path.lineTo(edge, level ? high : low);
    if (behind - n > 1) {
      path.lineTo(edge, level ? low : high);
    }
    level = model.low[list[behind - 1]];
    path.lineTo(edge, level ? high : low);
    x = edge;
    n = behind;
  }
  bands(view.width);
  path.lineTo(view.width, level ? high : low);
  pen.lineWidth = 1.3;
  pen.stroke(path);
  pen.lineWidth = 1;
}

// Bytes as text. Where the letters of a line stand further apart than they are wide, each stands at its time.
function drawText(pen, scene, text, top, height) {
  const { view, paint } = scene;
  pen.font = "11.5px " + paint.code;
  const letter = pen.measureText("m").width;
  const base = top + height - 6;
  const { lines } = text;
  let first = 0;
  let behind = lines.length;
  while (first < behind) {
    const half = (first + behind) >> 1;
    if (lines[half].to < view.from) first = half + 1;
    else behind = half;
  }
  let cursor = -Infinity;
  let tick = -Infinity;
  for (let n = first; n < lines.length && lines[n].from < view.to; n++) {
    const line = lines[n];
    const x = view.x(line.from);
    const end = view.x(line.to);
    pen.fillStyle = paint.port;
    if (Math.max(end, x + 1) > tick + 1) {
      const left = Math.max(x, 0, tick);
      pen.globalAlpha = 0.5;
      pen.fillRect(left, top + height - 2.5, Math.max(1, Math.min(end, view.width) - left), 1.5);
      pen.globalAlpha = 1;
      tick = Math.max(end, x + 1);
    }
    pen.fillStyle = paint.ink;
    if (end - x > line.text.length * letter) {
      cursor = Math.max(cursor, lettersApart(pen, scene, line, base, letter, cursor));
      continue;
    }
    const left = Math.max(x, 2);
    if (left < cursor || !line.text.trim()) continue;
    const next = n + 1 < lines.length ? view.x(lines[n + 1].from) : Infinity;
    const room = Math.max(next - left - 6, Math.min(line.text.length * letter, 150));
    const words = shortened(pen, line.text.replace(/[↵⏎]+$/, ""), room);
    pen.fillText(words, left, base);
    cursor = left + pen.measureText(words).width + 10;
  }
}

function lettersApart(pen, scene, line, base, letter, cursor) {
  const { model, view } = scene;
  let n = Math.max(0, before(model, line.records, view.from) - 1);
  for (; n < line.text.length; n++) {
    const x = view.x(model.at[line.records[n]]);
    if (x > view.width) break;
    const left = Math.max(x - letter / 2, cursor);
    if (left > -letter) pen.fillText(line.text[n] === " " ? "␣" : line.text[n], left, base);
    cursor = left + letter;
  }
  return cursor;
}

function drawFrames(pen, scene, port, top, height) {
  const { model, view, paint } = scene;
  const list = port.records;
  pen.font = "11.5px " + paint.code;
  let cursor = -Infinity;
  const to = before(model, list, view.to);
  for (let n = before(model, list, view.from); n < to; n++) {
    const x = view.x(model.at[list[n]]);
    pen.fillStyle = paint.port;
    pen.fillRect(x, top + 4, 2, height - 8);
    const words = model.high[list[n]] + " bytes";
    const next = n + 1 < to ? view.x(model.at[list[n + 1]]) : Infinity;
    if (x < cursor || next - x < pen.measureText(words).width + 10) continue;
    pen.fillStyle = paint.ink;
    pen.fillText(words, x + 6, top + height - 6);
    cursor = x + 10 + pen.measureText(words).width;
  }
}
