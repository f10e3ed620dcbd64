// Shapes out of the page's arrays, and where their parts are at a time of the walk.

const TYPES = { f4: Float32Array, u4: Uint32Array, u2: Uint16Array, u1: Uint8Array };
const LEVEL_COLOURS = ['#5b4a8a', '#3b7ab0', '#2fa39a', '#7dbb57', '#e0b840', '#d9743f'].map(
  (code) => [1, 3, 5].map((at) => parseInt(code.slice(at, at + 2), 16) / 255),
);
/** Of parts without a symmetry, where symmetries have the colours. */
const UNRELATED = [0.72, 0.74, 0.77];

async function readArrays(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Response(stream).arrayBuffer();
}

/** Turn references into typed arrays, quantised positions into numbers, and link the nodes. */
function readShapes(document_, buffer) {
  const array = ([type, offset, count]) => new TYPES[type](buffer, offset, count);
  let id = 0;
  for (const shape of document_.shapes) {
    const scale = shape.high.map((value, i) => (value - shape.low[i]) / 65535);
    const places = (reference) => Float32Array.from(
      array(reference), (value, i) => shape.low[i % 3] + scale[i % 3] * value,
    );
    for (const [number, node] of shape.nodes.entries()) {
      node.id = id++;
      node.number = number;
      node.children = [];
      node.parent = number && node.parent >= 0 ? shape.nodes[node.parent] : null;
      node.level = node.parent ? node.parent.level + 1 : 0;
      if (node.parent) node.parent.children.push(node);
      if (node.box) node.box = array(node.box);
      node.drawn = (node.drawn || []).map((drawn) => drawn && readDrawn(drawn, array, places));
      node.hidden = false;
    }
    shape.depth = Math.max(...shape.nodes.map((node) => node.level));
    for (const node of [...shape.nodes].reverse()) node.colour = ownColour(node);
  }
  return document_.shapes;
}

function readDrawn(drawn, array, places) {
  const out = { kind: drawn.kind };
  if (drawn.kind === 'image') return { ...out, ...drawn, pixels: array(drawn.pixels) };
  out.positions = places(drawn.positions);
  if (drawn.colours) out.colours = array(drawn.colours);
  if (drawn.faces) {
    out.faces = Uint32Array.from(array(drawn.faces));
    out.normals = vertexNormals(out.positions, out.faces);
  }
  return out;
}

/** Normals by the area of the faces around; corners that are not shared stay flat. */
function vertexNormals(positions, faces) {
  const normals = new Float32Array(positions.length);
  const at = (i) => [positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]];
  for (let f = 0; f < faces.length; f += 3) {
    const [a, b, c] = [at(faces[f]), at(faces[f + 1]), at(faces[f + 2])];
    const normal = cross(add(b, a, -1), add(c, a, -1));
    for (let k = 0; k < 3; k++) {
      for (let axis = 0; axis < 3; axis++) normals[3 * faces[f + k] + axis] += normal[axis];
    }
  }
  return normals;
}

/** A part's own colour; a group's is the mean of what it holds. */
function ownColour(node) {
  if (!node.children.length) return node.colour;
  const sum = node.children.reduce((total, child) => add(total, child.colour), [0, 0, 0]);
  return sum.map((value) => value / node.children.length);
}

function shownColour(node, mode) {
  if (mode === 'level') return LEVEL_COLOURS[node.level % LEVEL_COLOURS.length];
  if (mode === 'instance') return numberColour(node.instance);
  if (mode === 'relation') return node.related ? numberColour(node.related) : UNRELATED;
  return node.colour;
}

/** Steps of the golden ratio: numbers that follow one another have hues far apart. */
function numberColour(number) {
  const hue = (0.11 + number * 0.61803398875) % 1;
  return [0, 2 / 3, 1 / 3].map((shift) => {
    const value = Math.abs(((hue + shift) % 1) * 6 - 3) - 1;
    return 0.3 + 0.55 * Math.min(Math.max(value, 0), 1);
  });
}

/** Where every part of a shape is: present 0..1, centre, size and turn of boxes, offset. */
function poses(shape, time, explode) {
  const frame = Math.min(Math.floor(time), shape.frames - 1);
  const next = Math.min(frame + 1, shape.frames - 1);
  const share = time - frame;
  const found = shape.nodes.map((node) => {
    const amount = (1 - share) * isThere(node, frame) + share * isThere(node, next);
    const pose = { amount, frame: share < 0.5 ? frame : next, next, from: frame, share };
    if (!node.box) return pose;
    const row = (f, from, to) => Array.from(node.box.subarray(10 * f + from, 10 * f + to));
    pose.centre = mix(row(frame, 0, 3), row(next, 0, 3), share);
    pose.size = mix(row(frame, 3, 6), row(next, 3, 6), share).map((side) => side * amount);
    pose.turn = slerp(row(frame, 6, 10), row(next, 6, 10), share);
    return pose;
  });
  for (const node of [...shape.nodes].reverse()) {
    found[node.number].centre ??= middle(node, found);
  }
  for (const node of shape.nodes) {
    const pose = found[node.number];
    const above = node.parent ? found[node.parent.number] : null;
    pose.offset = above
      ? add(above.offset, add(pose.centre, above.centre, -1), explode) : [0, 0, 0];
  }
  return found;
}

const isThere = (node, frame) => (node.present ? node.present[frame] : 1);

function middle(node, found) {
  const below = node.children.filter((child) => found[child.number].amount > 0);
  if (below.length) {
    const sum = below.reduce((total, child) => add(total, found[child.number].centre), [0, 0, 0]);
    return sum.map((value) => value / below.length);
  }
  const drawn = node.drawn[found[node.number].frame];
  if (!drawn || !drawn.positions) return [0, 0, 0];
  drawn.middle ??= meanOf(drawn.positions);
  return drawn.middle;
}

function meanOf(positions) {
  const sum = [0, 0, 0];
  for (let i = 0; i < positions.length; i++) sum[i % 3] += positions[i];
  return sum.map((value) => (3 * value) / positions.length);
}

/** The nodes that are drawn at a level, each with the node whose colour and name it has. */
function visible(shape, level) {
  const out = [];
  const visit = (node, owner) => {
    if (node.hidden) return;
    const stop = node.level >= level && node.children.length;
    if (stop && node.box && !owner) {
      out.push({ node, owner: node, asBox: true });
      return;
    }
    const shown = owner || (stop ? node : null);
    if (node.isBox || node.drawn.some(Boolean)) out.push({ node, owner: shown || node });
    for (const child of node.children) visit(child, shown);
  };
  for (const node of shape.nodes) if (!node.parent) visit(node, null);
  return out;
}

/** Points on their way from one frame to the next where they keep their identity. */
function pointsAt(node, pose) {
  const here = node.drawn[pose.from];
  const there = node.drawn[pose.next];
  const moving = node.matched && here && there && pose.share > 0 && pose.next !== pose.from;
  if (!moving) return node.drawn[pose.frame];
  const positions = here.positions.map((v, i) => v + pose.share * (there.positions[i] - v));
  return { kind: 'points', positions, colours: here.colours, passing: true };
}
