// Drawing with WebGL 2: boxes all at once, meshes, points, images, the shadow on the ground.

const SHADOW_SIDE = 1024;
const BOX_FLOATS = 14; // centre 3, size 3, turn 4, colour 3, number

function boxCorners() {
  const out = [];
  for (let axis = 0; axis < 3; axis++) {
    for (const side of [-1, 1]) {
      const u = (axis + 1) % 3;
      const v = (axis + 2) % 3;
      // Counter-clockwise seen from outside.
      const ring = side > 0 ? [[-1, -1], [1, -1], [1, 1], [-1, 1]] : [[-1, -1], [-1, 1], [1, 1], [1, -1]];
      for (const i of [0, 1, 2, 0, 2, 3]) {
        const corner = [0, 0, 0];
        const face = [0, 0, 0];
        corner[axis] = 0.5 * side;
        [corner[u], corner[v]] = ring[i].map((value) => 0.5 * value);
        face[axis] = side;
        out.push(...corner, ...face);
      }
    }
  }
  return new Float32Array(out);
}

class Program {
  constructor(gl, vertex, fragment) {
    this.gl = gl;
    this.handle = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(this.handle, shader);
    }
    gl.linkProgram(this.handle);
    if (!gl.getProgramParameter(this.handle, gl.LINK_STATUS)) {
      throw new Error(gl.getProgramInfoLog(this.handle));
    }
    this.places = {};
  }

  set(values) {
    const { gl } = this;
    gl.useProgram(this.handle);
    for (const [name, value] of Object.entries(values)) {
      this.places[name] ??= gl.getUniformLocation(this.handle, name);
      const place = this.places[name];
      if (name === 'pass' || name === 'shadows' || name === 'picture') gl.uniform1i(place, value);
      else if (typeof value === 'number') gl.uniform1f(place, value);
      else gl[{ 3: 'uniform3fv', 4: 'uniform4fv' }[value.length] || 'uniformMatrix4fv'](
        place, ...(value.length === 16 ? [false, value] : [value]),
      );
    }
  }

  /** Attributes as [name, floats, offset] of a buffer with so many floats a vertex. */
  attributes(buffer, floats, names, divisor = 0) {
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    for (const [name, count, offset] of names) {
      const at = gl.getAttribLocation(this.handle, name);
      if (at < 0) continue;
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, count, gl.FLOAT, false, 4 * floats, 4 * offset);
      gl.vertexAttribDivisor(at, divisor);
    }
  }
}

class Renderer {
  constructor(canvas) {
    const gl = canvas.getContext('webgl2', { antialias: true, alpha: true });
    if (!gl) throw new Error('This browser has no WebGL 2, which the picture needs.');
    Object.assign(this, { canvas, gl, geometries: new WeakMap() });
    this.programs = {
      boxes: new Program(gl, BOX_VERTEX, SURFACE_FRAGMENT),
      meshes: new Program(gl, MESH_VERTEX, SURFACE_FRAGMENT),
      points: new Program(gl, POINT_VERTEX, POINT_FRAGMENT),
      images: new Program(gl, FLAT_VERTEX, IMAGE_FRAGMENT),
      ground: new Program(gl, GROUND_VERTEX, GROUND_FRAGMENT),
      lines: new Program(gl, FLAT_VERTEX, LINE_FRAGMENT),
    };
    this.corners = this.buffer(boxCorners());
    this.instances = gl.createBuffer();
    this.scratch = gl.createBuffer();
    this.disc = this.buffer(new Float32Array([-1, -1, -1, 1, 1, -1, 1, 1]));
    this.shadowTarget();
  }

  buffer(data, target = this.gl.ARRAY_BUFFER) {
    const { gl } = this;
    const made = gl.createBuffer();
    gl.bindBuffer(target, made);
    gl.bufferData(target, data, gl.STATIC_DRAW);
    return made;
  }

  shadowTarget() {
    const { gl } = this;
    this.shadow = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.shadow);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.DEPTH_COMPONENT24, SHADOW_SIDE, SHADOW_SIDE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_COMPARE_MODE, gl.COMPARE_REF_TO_TEXTURE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    this.shadowFrame = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.shadowFrame);
    gl.framebufferTexture2D(
      gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.TEXTURE_2D, this.shadow, 0,
    );
    gl.drawBuffers([gl.NONE]);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  }

  /** Draw what `content` holds as `view` says: camera, sun, ground. */
  draw(view, content) {
    const { gl } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.shadowFrame);
    gl.viewport(0, 0, SHADOW_SIDE, SHADOW_SIDE);
    gl.clear(gl.DEPTH_BUFFER_BIT);
    // The map that is written cannot be read: no texture is bound while it is drawn.
    gl.bindTexture(gl.TEXTURE_2D, null);
    this.solids({ ...view, camera: view.sunlight, width: view.width * 0.5 }, content, 1);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.bindTexture(gl.TEXTURE_2D, this.shadow);
    this.solids(view, content, 0);
    this.lines(view, content.lines);
    if (view.disc) this.ground(view);
  }

  /** The number of the part at a pixel from the upper left, or -1. */
  pick(view, content, x, y) {
    const { gl, canvas } = this;
    const frame = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    const targets = [[gl.RGBA8, gl.COLOR_ATTACHMENT0], [gl.DEPTH_COMPONENT24, gl.DEPTH_ATTACHMENT]];
    const buffers = targets.map(([format, slot]) => {
      const made = gl.createRenderbuffer();
      gl.bindRenderbuffer(gl.RENDERBUFFER, made);
      gl.renderbufferStorage(gl.RENDERBUFFER, format, canvas.width, canvas.height);
      gl.framebufferRenderbuffer(gl.FRAMEBUFFER, slot, gl.RENDERBUFFER, made);
      return made;
    });
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    this.solids(view, content, 1);
    const pixel = new Uint8Array(4);
    gl.readPixels(x, canvas.height - 1 - y, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    buffers.forEach((made) => gl.deleteRenderbuffer(made));
    gl.deleteFramebuffer(frame);
    return pixel[0] + 256 * pixel[1] + 65536 * pixel[2] - 1;
  }

  solids(view, content, pass) {
    const { gl } = this;
    gl.enable(gl.DEPTH_TEST);
    gl.disable(gl.BLEND);
    const { camera, sunlight, sun, right, up, back, chosen } = view;
    const shared = { camera, sunlight, sun, right, up, back, chosen, shadows: 0, pass };
    this.boxes(shared, content.boxes);
    for (const item of content.meshes) this.surface(shared, item);
    for (const item of content.points) this.cloud(shared, item, view.width);
    for (const item of content.images) this.image(shared, item);
  }

  boxes(shared, data) {
    const { gl } = this;
    const program = this.programs.boxes;
    program.set(shared);
    program.attributes(this.corners, 6, [['corner', 3, 0], ['face', 3, 3]]);
    const each = [['centre', 3, 0], ['size', 3, 3], ['turn', 4, 6], ['tint', 3, 10], ['number', 1, 13]];
    gl.bindBuffer(gl.ARRAY_BUFFER, this.instances);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW);
    program.attributes(this.instances, BOX_FLOATS, each, 1);
    gl.drawArraysInstanced(gl.TRIANGLES, 0, 36, data.length / BOX_FLOATS);
    this.forget(program, [...each.map(([name]) => name), 'corner', 'face']);
  }

  forget(program, names) {
    const { gl } = this;
    for (const name of names) {
      const at = gl.getAttribLocation(program.handle, name);
      if (at < 0) continue;
      gl.vertexAttribDivisor(at, 0);
      gl.disableVertexAttribArray(at);
    }
  }

  /** Buffers of what a part draws in a frame, made when it is first seen. */
  geometry(drawn) {
    const known = this.geometries.get(drawn);
    if (known) return known;
    const { gl } = this;
    const count = drawn.positions.length / 3;
    const colours = drawn.colours ? Float32Array.from(drawn.colours, (value) => value / 255) : null;
    const made = {
      count,
      positions: this.buffer(drawn.positions),
      shades: this.buffer(colours || new Float32Array(3 * count)),
      normals: drawn.normals && this.buffer(drawn.normals),
      faces: drawn.faces && this.buffer(drawn.faces, gl.ELEMENT_ARRAY_BUFFER),
    };
    if (drawn.passing) this.passing = made;
    else this.geometries.set(drawn, made);
    return made;
  }

  /** Free what was made for a moment between two frames. */
  release() {
    const { gl, passing } = this;
    if (!passing) return;
    gl.deleteBuffer(passing.positions);
    gl.deleteBuffer(passing.shades);
    this.passing = null;
  }

  surface(shared, { drawn, offset, tint, own, number }) {
    const { gl } = this;
    const made = this.geometry(drawn);
    const program = this.programs.meshes;
    program.set({ ...shared, offset, tint, own: own && drawn.colours ? 1 : 0, number });
    program.attributes(made.positions, 3, [['position', 3, 0]]);
    program.attributes(made.normals, 3, [['direction', 3, 0]]);
    program.attributes(made.shades, 3, [['shade', 3, 0]]);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, made.faces);
    gl.drawElements(gl.TRIANGLES, drawn.faces.length, gl.UNSIGNED_INT, 0);
    this.forget(program, ['position', 'direction', 'shade']);
  }

  cloud(shared, { drawn, offset, tint, own, number }, width) {
    const { gl } = this;
    const made = this.geometry(drawn);
    const program = this.programs.points;
    program.set({ ...shared, offset, tint, own: own && drawn.colours ? 1 : 0, number, width });
    program.attributes(made.positions, 3, [['position', 3, 0]]);
    program.attributes(made.shades, 3, [['shade', 3, 0]]);
    gl.drawArrays(gl.POINTS, 0, made.count);
    this.forget(program, ['position', 'shade']);
    this.release();
  }

  image(shared, { drawn, offset, number }) {
    const { gl } = this;
    const program = this.programs.images;
    if (!this.geometries.has(drawn)) this.geometries.set(drawn, this.texture(drawn));
    const [x, y, z] = offset;
    const wide = (0.5 * drawn.width) / Math.max(drawn.width, drawn.height);
    const high = (0.5 * drawn.height) / Math.max(drawn.width, drawn.height);
    const corners = [[-1, -1, 0, 1], [1, -1, 1, 1], [-1, 1, 0, 0], [1, 1, 1, 0]];
    const data = corners.flatMap(([u, v, s, t]) => [x + u * wide, y + v * high, z, s, t]);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.scratch);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(data), gl.DYNAMIC_DRAW);
    program.set({ camera: shared.camera, pass: shared.pass, number, picture: 1 });
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.geometries.get(drawn));
    program.attributes(this.scratch, 5, [['position', 3, 0], ['texel', 2, 3]]);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.activeTexture(gl.TEXTURE0);
    this.forget(program, ['position', 'texel']);
  }

  texture({ pixels, width, height }) {
    const { gl } = this;
    const made = gl.createTexture();
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, made);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.activeTexture(gl.TEXTURE0);
    return made;
  }

  lines(view, data) {
    if (!data.length) return;
    const { gl } = this;
    const program = this.programs.lines;
    gl.disable(gl.DEPTH_TEST); // relations are seen through the parts
    gl.bindBuffer(gl.ARRAY_BUFFER, this.scratch);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(data), gl.DYNAMIC_DRAW);
    program.set({ camera: view.camera });
    program.attributes(this.scratch, 5, [['position', 3, 0], ['texel', 2, 3]]);
    gl.drawArrays(gl.LINES, 0, data.length / 5);
    this.forget(program, ['position', 'texel']);
    gl.enable(gl.DEPTH_TEST);
  }

  ground(view) {
    const { gl } = this;
    const program = this.programs.ground;
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.depthMask(false);
    const { camera, sunlight, disc } = view;
    program.set({ camera, sunlight, disc, shadows: 0 });
    program.attributes(this.disc, 2, [['place', 2, 0]]);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    this.forget(program, ['place']);
    gl.depthMask(true);
    gl.disable(gl.BLEND);
  }
}
