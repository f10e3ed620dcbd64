// Vectors are arrays, quaternions are [w, x, y, z], matrices 16 numbers by columns.

const add = (a, b, share = 1) => [a[0] + share * b[0], a[1] + share * b[1], a[2] + share * b[2]];
const mix = (a, b, share) => a.map((value, i) => value + share * (b[i] - value));
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [
  a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0],
];
const normalised = (a) => {
  const length = Math.hypot(...a) || 1;
  return a.map((value) => value / length);
};

/** On the arc between two rotations; their signs were made alike when the page was written. */
function slerp(a, b, share) {
  const cosine = Math.min(a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3], 1);
  if (cosine > 0.9995) return normalised(mix(a, b, share));
  const angle = Math.acos(cosine);
  const from = Math.sin((1 - share) * angle) / Math.sin(angle);
  const to = Math.sin(share * angle) / Math.sin(angle);
  return a.map((value, i) => from * value + to * b[i]);
}

function multiply(a, b) {
  const out = new Float32Array(16);
  for (let column = 0; column < 4; column++) {
    for (let row = 0; row < 4; row++) {
      let sum = 0;
      for (let k = 0; k < 4; k++) sum += a[4 * k + row] * b[4 * column + k];
      out[4 * column + row] = sum;
    }
  }
  return out;
}

/** An angle across the free part of the canvas, whose middle is moved by shares of its half. */
function perspective(angle, [x, y], [right, up], near, far) {
  const zoom = 1 / Math.tan(angle / 2);
  const depth = near - far;
  return new Float32Array([
    zoom * x, 0, 0, 0, 0, zoom * y, 0, 0,
    -right, -up, (far + near) / depth, -1, 0, 0, (2 * far * near) / depth, 0,
  ]);
}

function orthographic(reach, near, far) {
  const depth = near - far;
  return new Float32Array([
    1 / reach, 0, 0, 0, 0, 1 / reach, 0, 0, 0, 0, 2 / depth, 0, 0, 0, (far + near) / depth, 1,
  ]);
}

function lookAt(eye, target) {
  const back = normalised(add(eye, target, -1));
  const right = normalised(cross([0, 1, 0], back));
  const up = cross(back, right);
  return new Float32Array([
    right[0], up[0], back[0], 0, right[1], up[1], back[1], 0, right[2], up[2], back[2], 0,
    -dot(right, eye), -dot(up, eye), -dot(back, eye), 1,
  ]);
}

/** Where a point comes to: x and y in -1..1. */
function project(matrix, point) {
  const row = (i) => matrix[i] * point[0] + matrix[4 + i] * point[1]
    + matrix[8 + i] * point[2] + matrix[12 + i];
  return [row(0) / row(3), row(1) / row(3)];
}
