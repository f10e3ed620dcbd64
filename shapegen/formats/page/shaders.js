// The programs of the graphics card. All draw either light, or the number of the part for picking.

const SHARED_VERTEX = `#version 300 es
uniform mat4 camera;
out vec3 world, normal, colour;
flat out float part;
`;

const BOX_VERTEX = `${SHARED_VERTEX}
in vec3 corner, face, centre, size, tint;
in vec4 turn;
in float number;
out vec3 local, extent;
vec3 turned(vec3 v) {
  return v + 2.0 * cross(turn.yzw, cross(turn.yzw, v) + turn.x * v);
}
void main() {
  world = centre + turned(corner * size);
  normal = turned(face);
  colour = tint;
  part = number;
  local = corner + face;  // beyond 0.5 across the face, so that no line is drawn along it
  extent = size;
  gl_Position = camera * vec4(world, 1.0);
}`;

const MESH_VERTEX = `${SHARED_VERTEX}
in vec3 position, direction, shade;
uniform vec3 offset, tint;
uniform float own, number;
out vec3 local, extent;
void main() {
  world = position + offset;
  normal = direction;
  colour = mix(tint, shade, own);
  part = number;
  local = vec3(0.0);
  extent = vec3(0.0);
  gl_Position = camera * vec4(world, 1.0);
}`;

const POINT_VERTEX = `${SHARED_VERTEX}
in vec3 position, shade;
uniform vec3 offset, tint;
uniform float own, number, width;
void main() {
  world = position + offset;
  normal = vec3(0.0, 1.0, 0.0);
  colour = mix(tint, shade, own);
  part = number;
  gl_Position = camera * vec4(world, 1.0);
  gl_PointSize = max(width / gl_Position.w, 1.0);
}`;

const SHADOWS = `
uniform mat4 sunlight;
uniform sampler2DShadow shadows;
float reached(vec3 place, vec3 n) {
  vec4 seen = sunlight * vec4(place + 0.004 * n, 1.0);
  vec3 at = 0.5 * seen.xyz / seen.w + 0.5;
  float sum = 0.0;
  for (int x = -2; x <= 2; x++) {
    for (int y = -2; y <= 2; y++) {
      sum += texture(shadows, vec3(at.xy + vec2(x, y) / 640.0, at.z - 0.003));
    }
  }
  return sum / 25.0;
}
`;

const SHARED_FRAGMENT = `#version 300 es
precision highp float;
precision highp sampler2DShadow;
in vec3 world, normal, colour;
flat in float part;
uniform int pass;  // 0: light, 1: number of the part
uniform vec3 sun, right, up, back;
uniform float chosen;
out vec4 pixel;
${SHADOWS}
vec3 lit(vec3 n) {
  vec3 base = pow(colour, vec3(2.2));
  float key = max(dot(n, sun), 0.0) * reached(world, n);
  float sky = 0.5 + 0.5 * n.y;
  float front = max(dot(n, back), 0.0);
  vec3 light = base * (0.26 + 0.30 * sky + 0.16 * front + 0.72 * key);
  if (abs(part - chosen) < 0.5) light = mix(light, vec3(1.0, 0.55, 0.1), 0.45);
  return pow(light, vec3(1.0 / 2.2));
}

vec4 numbered() {
  float number = part + 1.0;
  return vec4(mod(number, 256.0), mod(floor(number / 256.0), 256.0), floor(number / 65536.0), 255.0)
    / 255.0;
}
`;

const SURFACE_FRAGMENT = `${SHARED_FRAGMENT}
in vec3 local, extent;
void main() {
  if (pass == 1) { pixel = numbered(); return; }
  vec3 n = normalize(normal);
  if (dot(n, back) < 0.0 && extent == vec3(0.0)) n = -n;  // the inside of an open surface
  vec3 light = lit(n);
  if (extent != vec3(0.0)) {
    vec3 far = abs(0.5 - abs(local)) * extent + step(vec3(0.75), abs(local)) * 1e6;
    vec3 wide = max(fwidth(local * extent), vec3(1e-7));
    vec3 near = far / wide;
    float edge = min(min(near.x, near.y), near.z);
    light *= mix(0.62, 1.0, smoothstep(0.4, 1.4, edge));
  }
  pixel = vec4(light, 1.0);
}`;

const POINT_FRAGMENT = `${SHARED_FRAGMENT}
void main() {
  vec2 at = 2.0 * gl_PointCoord - 1.0;
  float inside = 1.0 - dot(at, at);
  if (inside < 0.0) discard;
  if (pass == 1) { pixel = numbered(); return; }
  pixel = vec4(lit(normalize(at.x * right - at.y * up + sqrt(inside) * back)), 1.0);
}`;

const GROUND_VERTEX = `#version 300 es
in vec2 place;
uniform mat4 camera;
uniform vec4 disc;  // middle and radius
out vec3 world;
out vec2 at;
void main() {
  at = place;
  world = disc.xyz + vec3(place.x, 0.0, place.y) * disc.w;
  gl_Position = camera * vec4(world, 1.0);
}`;

const GROUND_FRAGMENT = `#version 300 es
precision highp float;
precision highp sampler2DShadow;
in vec3 world;
in vec2 at;
out vec4 pixel;
${SHADOWS}
void main() {
  float fade = 1.0 - smoothstep(0.35, 1.0, length(at));
  float shade = 1.0 - reached(world, vec3(0.0, 1.0, 0.0));
  pixel = vec4(0.0, 0.0, 0.0, 0.30 * shade * fade);
}`;

const FLAT_VERTEX = `#version 300 es
in vec3 position;
in vec2 texel;
uniform mat4 camera;
out vec2 at;
void main() {
  at = texel;
  gl_Position = camera * vec4(position, 1.0);
}`;

const IMAGE_FRAGMENT = `#version 300 es
precision highp float;
in vec2 at;
uniform sampler2D picture;
uniform float number;
uniform int pass;
out vec4 pixel;
void main() {
  pixel = texture(picture, at);
  if (pass == 1) pixel = vec4(mod(number + 1.0, 256.0), floor((number + 1.0) / 256.0), 0.0, 255.0) / 255.0;
}`;

const LINE_FRAGMENT = `#version 300 es
precision highp float;
in vec2 at;
out vec4 pixel;
void main() {
  vec3 kinds[4] = vec3[](
    vec3(0.35, 0.35, 0.38), vec3(0.85, 0.30, 0.25), vec3(0.20, 0.60, 0.35), vec3(0.25, 0.45, 0.85)
  );
  pixel = vec4(kinds[int(at.x + 0.5)], 1.0);
}`;
