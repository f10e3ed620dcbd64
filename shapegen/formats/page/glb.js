// The shape that is shown as binary glTF 2.0: names, hierarchy, colours, labels.

function writeGlb(shape, time) {
  const found = poses(shape, time, 0);
  const pieces = [];
  const document_ = {
    asset: { version: '2.0', generator: 'shapegen viewer' },
    scene: 0,
    scenes: [{ nodes: [] }],
    nodes: [],
    meshes: [],
    materials: [],
    accessors: [],
    bufferViews: [],
    buffers: [{ byteLength: 0 }],
  };
  const put = (data, type, componentType, extra = {}) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const byteOffset = document_.buffers[0].byteLength;
    document_.bufferViews.push({ buffer: 0, byteOffset, byteLength: bytes.length });
    document_.buffers[0].byteLength += bytes.length + (-bytes.length & 3);
    pieces.push(bytes, new Uint8Array(-bytes.length & 3));
    const count = data.length / { SCALAR: 1, VEC3: 3 }[type];
    const bufferView = document_.bufferViews.length - 1;
    document_.accessors.push({ bufferView, componentType, count, type, ...extra });
    return document_.accessors.length - 1;
  };
  const FLOAT = 5126;
  const vectors = (data) => put(data, 'VEC3', FLOAT);
  const places = (data) => put(data, 'VEC3', FLOAT, bounds(data));
  let cube = null;
  const cubeAttributes = () => {
    if (cube) return cube;
    const corners = boxCorners();
    const column = (from) => Float32Array.from(
      { length: corners.length / 2 }, (_, i) => corners[6 * Math.floor(i / 3) + from + (i % 3)],
    );
    cube = { POSITION: places(column(0)), NORMAL: vectors(column(3)) };
    return cube;
  };
  const material = (colour) => {
    const baseColorFactor = [...colour.map(linear), 1];
    const known = document_.materials.findIndex(
      (each) => each.pbrMetallicRoughness.baseColorFactor.every((v, i) => v === baseColorFactor[i]),
    );
    if (known >= 0) return known;
    const surface = { baseColorFactor, metallicFactor: 0, roughnessFactor: 0.75 };
    document_.materials.push({ pbrMetallicRoughness: surface, doubleSided: true });
    return document_.materials.length - 1;
  };
  const primitiveOf = (node, drawn) => {
    const own = Boolean(drawn && drawn.colours);
    const primitive = { material: material(own ? [1, 1, 1] : node.colour) };
    if (!drawn) return { ...primitive, attributes: cubeAttributes(), mode: 4 };
    primitive.attributes = { POSITION: places(drawn.positions) };
    primitive.mode = drawn.faces ? 4 : 0;
    if (drawn.normals) {
      primitive.attributes.NORMAL = vectors(unitRows(drawn.normals));
    }
    if (own) {
      const shades = Float32Array.from(drawn.colours, (value) => linear(value / 255));
      primitive.attributes.COLOR_0 = vectors(shades);
    }
    if (drawn.faces) primitive.indices = put(drawn.faces, 'SCALAR', 5125);
    return primitive;
  };
  const visit = (node) => {
    const pose = found[node.number];
    const out = { name: node.name, extras: { label: node.label, instance: node.instance } };
    const place = document_.nodes.push(out) - 1;
    const drawn = pointsAt(node, pose);
    if (node.isBox) {
      out.translation = pose.centre;
      out.rotation = [...pose.turn.slice(1), pose.turn[0]];
      out.scale = pose.size.map((side) => Math.max(side, 1e-6));
    }
    if (node.isBox || (drawn && drawn.positions)) {
      const primitives = [primitiveOf(node, node.isBox ? null : drawn)];
      out.mesh = document_.meshes.push({ name: node.name, primitives }) - 1;
    }
    const children = node.children.filter((child) => there(child)).map(visit);
    if (children.length) out.children = children;
    return place;
  };
  const there = (node) => found[node.number].amount > 0;
  document_.scenes[0].nodes = shape.nodes.filter((n) => !n.parent && there(n)).map(visit);
  return packed(document_, pieces);
}

const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

function bounds(data) {
  const min = [Infinity, Infinity, Infinity];
  const max = [-Infinity, -Infinity, -Infinity];
  data.forEach((value, i) => {
    min[i % 3] = Math.min(min[i % 3], value);
    max[i % 3] = Math.max(max[i % 3], value);
  });
  return { min, max };
}

function unitRows(data) {
  const out = new Float32Array(data.length);
  for (let i = 0; i < data.length; i += 3) {
    const row = Array.from(data.subarray(i, i + 3));
    out.set(Math.hypot(...row) > 0 ? normalised(row) : [0, 1, 0], i);
  }
  return out;
}

function packed(document_, pieces) {
  const text = new TextEncoder().encode(JSON.stringify(document_));
  const spaces = new Uint8Array(-text.length & 3).fill(32);
  const json = text.length + spaces.length;
  const blob = document_.buffers[0].byteLength;
  const head = (...numbers) => new Uint32Array(numbers);
  return new Blob([
    head(0x46546c67, 2, 12 + 8 + json + 8 + blob), head(json, 0x4e4f534a), text, spaces,
    head(blob, 0x004e4942), ...pieces,
  ], { type: 'model/gltf-binary' });
}
