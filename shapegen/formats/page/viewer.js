// The page: what is chosen, the camera, and what the reader does.

const $ = (id) => document.getElementById(id);
const SUN = normalised([-0.55, 1.0, 0.45]);
const VIEW = { azimuth: 0.6, elevation: 0.36, distance: 1, pan: [0, 0, 0] };
const KINDS = ['ADJ', 'ROT_SYM', 'TRANS_SYM', 'REF_SYM'];

const state = { shapes: [], first: 0, all: false, time: 0, playing: false, way: 1, view: { ...VIEW }, chosen: null };
let renderer = null;
let waiting = false;

async function start() {
  const document_ = JSON.parse($('scene').textContent);
  try {
    renderer = new Renderer($('canvas'));
  } catch (error) {
    $('picked').textContent = error.message;
    return;
  }
  state.shapes = readShapes(document_, await readArrays($('arrays').textContent));
  state.rate = document_.fps;
  fillSelector();
  listen();
  choose(document_.together && state.shapes.length > 1 ? 'all' : 0);
  new ResizeObserver(redraw).observe($('canvas'));
  document.documentElement.dataset.ready = 'yes';
}

const shown = () => (state.all ? state.shapes : [state.shapes[state.first]]);
const frames = () => Math.max(...shown().map((shape) => shape.frames));

function fillSelector() {
  const option = (text, value) => {
    const made = document.createElement('option');
    made.textContent = text;
    made.value = value;
    $('shape').append(made);
  };
  state.shapes.forEach((shape, number) => option(shape.name, number));
  if (state.shapes.length > 1) option('all side by side', 'all');
  const alone = state.shapes.length === 1;
  for (const id of ['shape', 'previous', 'next']) $(id).hidden = alone;
}

function choose(number) {
  state.all = number === 'all';
  if (!state.all) state.first = (Number(number) + state.shapes.length) % state.shapes.length;
  $('shape').value = state.all ? 'all' : state.first;
  const depth = Math.max(...shown().map((shape) => shape.depth));
  const has = (test) => shown().some((shape) => test(shape));
  $('player').hidden = frames() === 1;
  $('frame').max = frames() - 1;
  $('levels').hidden = depth === 0;
  $('apart').hidden = !has((shape) => shape.nodes.length > 1);
  $('level').max = depth;
  $('level').value = depth;
  $('lines').hidden = !has((shape) => shape.relations.length);
  $('tree').hidden = state.all || !has((shape) => shape.nodes.length > 1);
  $('save-glb').hidden = state.all || !has((shape) => shape.nodes.some(solid));
  if (flat() !== state.flat) resetView();
  seek(Math.min(state.time, frames() - 1));
  pickPart(null);
  listParts();
}

const solid = (node) => node.isBox || node.drawn.some((drawn) => drawn && drawn.positions);

/** Whether there is nothing but pictures. */
const flat = () => !shown().some((shape) => shape.nodes.some(solid));

/** Pictures are seen from the front, solids from the front right and above. */
function resetView() {
  state.flat = flat();
  state.view = { ...VIEW, ...(state.flat ? { azimuth: 0, elevation: 0 } : {}) };
  redraw();
}

function seek(time) {
  state.time = time;
  $('frame').value = time;
  redraw();
}

function listParts() {
  $('parts').replaceChildren();
  if (state.all) return;
  for (const node of shown()[0].nodes) {
    const item = document.createElement('li');
    item.className = `depth-${Math.min(node.level, 5)}`;
    const tick = document.createElement('input');
    tick.type = 'checkbox';
    tick.checked = !node.hidden;
    tick.addEventListener('change', () => {
      node.hidden = !tick.checked;
      redraw();
    });
    const swatch = document.createElement('i');
    swatch.style.background = css(node.colour);
    const name = document.createElement('span');
    name.textContent = node.name;
    name.addEventListener('click', () => pickPart(node));
    item.append(tick, swatch, name);
    node.item = item;
    $('parts').append(item);
  }
}

const css = (colour) => `rgb(${colour.map((value) => Math.round(255 * value)).join(' ')})`;

function pickPart(node) {
  if (state.chosen && state.chosen.item) state.chosen.item.classList.remove('chosen');
  state.chosen = node;
  const place = $('picked');
  place.replaceChildren();
  if (!node) {
    place.textContent = 'Click a part for its name.';
  } else {
    const name = document.createElement('b');
    name.textContent = node.name;
    place.append(name, node.label || `level ${node.level}`);
    if (node.item) node.item.classList.add('chosen');
  }
  redraw();
}

/** How far every shown shape is moved, so that several stand side by side. */
function offsets() {
  const list = shown();
  const columns = Math.ceil(Math.sqrt(list.length * 1.4));
  const step = [0, 2].map(
    (axis) => 1.3 * Math.max(...list.map((shape) => shape.high[axis] - shape.low[axis])) || 1.3,
  );
  const rows = Math.ceil(list.length / columns);
  return list.map((shape, number) => {
    if (list.length === 1) return [0, 0, 0];
    const middle = mix(shape.low, shape.high, 0.5);
    const column = (number % columns) - (columns - 1) / 2;
    const row = Math.floor(number / columns) - (rows - 1) / 2;
    return [column * step[0] - middle[0], -shape.low[1], row * step[1] - middle[2]];
  });
}

function content() {
  const out = { boxes: [], meshes: [], points: [], images: [], lines: [] };
  const level = Number($('level').value);
  const mode = $('colour').value;
  const moves = offsets();
  shown().forEach((shape, number) => {
    const found = poses(shape, Math.min(state.time, shape.frames - 1), 2 * $('explode').value);
    for (const { node, owner, asBox } of visible(shape, level)) {
      const pose = found[node.number];
      if (!pose.amount) continue;
      const offset = add(moves[number], found[owner.number].offset);
      const tint = shownColour(owner, mode);
      if (node.isBox || asBox) {
        const place = add(pose.centre, offset);
        out.boxes.push(...place, ...pose.size, ...pose.turn, ...tint, owner.id);
        continue;
      }
      const drawn = pointsAt(node, pose);
      if (!drawn) continue;
      const item = { drawn, offset, tint, own: mode === 'semantics' && node === owner, number: owner.id };
      out[{ mesh: 'meshes', points: 'points', image: 'images' }[drawn.kind]].push(item);
    }
    if ($('relations').checked) {
      for (const [kind, a, b] of shape.relations) {
        if (!found[a].amount || !found[b].amount) continue;
        for (const end of [a, b]) {
          const place = add(add(found[end].centre, found[end].offset), moves[number]);
          out.lines.push(...place, Math.max(KINDS.indexOf(kind), 0), 0);
        }
      }
    }
  });
  out.boxes = new Float32Array(out.boxes);
  return out;
}

/** The part of the canvas that the panel leaves free: how large and where, by the whole. */
function freePart() {
  const [canvas, panel] = [$('canvas'), $('panel')];
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const below = panel.offsetWidth > 0.6 * width;
  const free = below ? [width, height - panel.offsetHeight] : [width - panel.offsetWidth, height];
  const side = Math.max(Math.min(...free), 0.3 * Math.min(width, height));
  return {
    side,
    scale: [side / width, side / height],
    shift: below ? [0, panel.offsetHeight / height] : [-panel.offsetWidth / width, 0],
  };
}

function camera() {
  const canvas = $('canvas');
  const moves = offsets();
  const corner = (pick, choose_) => [0, 1, 2].map(
    (axis) => choose_(...shown().map((shape, n) => shape[pick][axis] + moves[n][axis])),
  );
  const low = corner('low', Math.min);
  const high = corner('high', Math.max);
  const reach = Math.max(Math.hypot(...add(high, low, -1)) / 2, 1e-6);
  const { azimuth, elevation, distance, pan } = state.view;
  const back = [
    Math.cos(elevation) * Math.sin(azimuth), Math.sin(elevation), Math.cos(elevation) * Math.cos(azimuth),
  ];
  const spread = 1 + 1.2 * $('explode').value;
  const target = add(mix(low, high, 0.5), pan);
  const far = (reach * spread * distance) / Math.tan(0.29);
  const eye = add(target, back, far);
  const wide = 1.6 * reach * spread;
  const { scale, shift } = freePart();
  const lens = perspective(0.7, scale, shift, far * 0.02, far + 6 * wide);
  const sunEye = add(mix(low, high, 0.5), SUN, 2 * wide);
  const right = normalised(cross([0, 1, 0], back));
  return {
    camera: multiply(lens, lookAt(eye, target)),
    sunlight: multiply(orthographic(wide, 0, 4 * wide), lookAt(sunEye, mix(low, high, 0.5))),
    sun: SUN,
    right,
    up: cross(back, right),
    back,
    reach,
    chosen: state.chosen ? state.chosen.id : -9,
    width: 0.03 * reach * Math.min(canvas.width, canvas.height),
    disc: state.flat ? null : [
      (low[0] + high[0]) / 2, low[1] - 0.002 * reach, (low[2] + high[2]) / 2, 2.2 * wide,
    ],
  };
}

function redraw() {
  if (waiting || !renderer || !state.shapes.length) return;
  waiting = true;
  requestAnimationFrame((now) => {
    waiting = false;
    if (state.playing) step(now);
    draw();
    if (state.playing) redraw();
  });
}

function draw() {
  const canvas = $('canvas');
  const scale = Math.min(window.devicePixelRatio || 1, 2);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.max(Math.round(side * scale), 1));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  renderer.draw(camera(), content());
}

function step(now) {
  const elapsed = state.last === undefined ? 0 : Math.min((now - state.last) / 1000, 0.25);
  state.last = now;
  const last = frames() - 1;
  let time = state.time + state.way * elapsed * state.rate;
  // There and back: the loop has no jump.
  if (time > last) [time, state.way] = [2 * last - time, -1];
  if (time < 0) [time, state.way] = [-time, 1];
  state.time = Math.min(Math.max(time, 0), last);
  $('frame').value = state.time;
}

function play() {
  state.playing = !state.playing && frames() > 1;
  state.last = undefined;
  $('play').textContent = state.playing ? 'Pause' : 'Play';
  redraw();
}

function save(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const fileName = () => (state.all ? 'shapes' : shown()[0].name).replace(/[^\w-]+/g, '_') || 'shape';

function savePng() {
  draw(); // what was drawn before may be gone
  $('canvas').toBlob((blob) => save(blob, `${fileName()}.png`));
}

function listen() {
  $('shape').addEventListener('change', (event) => choose(event.target.value));
  const beside = (way) => choose(state.first + way);
  $('previous').addEventListener('click', () => beside(-1));
  $('next').addEventListener('click', () => beside(1));
  $('play').addEventListener('click', play);
  $('frame').addEventListener('input', (event) => seek(Number(event.target.value)));
  for (const id of ['explode', 'level', 'colour', 'relations']) $(id).addEventListener('input', redraw);
  $('save-png').addEventListener('click', savePng);
  $('save-glb').addEventListener('click', () => save(writeGlb(shown()[0], state.time), `${fileName()}.glb`));
  $('reset').addEventListener('click', resetView);
  const keys = { ArrowLeft: () => beside(-1), ArrowRight: () => beside(1), ' ': play, r: resetView };
  document.addEventListener('keydown', (event) => {
    if (event.target.closest('input, select, button, summary') || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  listenToPointers($('canvas'));
}

function listenToPointers(canvas) {
  const fingers = new Map();
  let moved = 0;
  const zoom = (factor) => {
    state.view.distance = Math.min(Math.max(state.view.distance * factor, 0.1), 10);
  };
  const pan = (dx, dy) => {
    const { right, up, reach } = camera();
    const size = (2.4 * reach * state.view.distance) / freePart().side;
    state.view.pan = add(add(state.view.pan, right, -size * dx), up, size * dy);
  };
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (fingers.size === 1) moved = 0;
  });
  canvas.addEventListener('pointermove', (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
    moved += Math.abs(dx) + Math.abs(dy);
    if (fingers.size === 2) {
      const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      const apart = (x, y) => Math.hypot(x - other[0], y - other[1]) || 1;
      zoom(apart(...before) / apart(event.clientX, event.clientY));
      pan(dx / 2, dy / 2);
    } else if (event.shiftKey || event.buttons & 6) {
      pan(dx, dy);
    } else {
      state.view.azimuth -= 0.008 * dx;
      state.view.elevation = Math.min(Math.max(state.view.elevation + 0.008 * dy, -1.5), 1.5);
    }
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    redraw();
  });
  const up = (event) => {
    const single = fingers.size === 1;
    if (fingers.delete(event.pointerId) && single && moved < 5 && event.type === 'pointerup') pickAt(event);
  };
  canvas.addEventListener('pointerup', up);
  canvas.addEventListener('pointercancel', up);
  canvas.addEventListener('contextmenu', (event) => event.preventDefault());
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    zoom(Math.exp(0.0012 * event.deltaY));
    redraw();
  }, { passive: false });
}

function pickAt(event) {
  const canvas = $('canvas');
  const box = canvas.getBoundingClientRect();
  const pixel = (at, from, length, count) => Math.min(Math.floor(((at - from) / length) * count), count - 1);
  const x = pixel(event.clientX, box.left, box.width, canvas.width);
  const y = pixel(event.clientY, box.top, box.height, canvas.height);
  const id = renderer.pick(camera(), content(), x, y);
  pickPart(state.shapes.flatMap((shape) => shape.nodes).find((node) => node.id === id) || null);
}

start();
