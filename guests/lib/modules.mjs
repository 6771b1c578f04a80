/**
 * Kernel modules: what each says about itself (.modinfo), the closure of what it depends on, and
 * the index files that modprobe reads. Debian's package has no modules.dep: depmod makes it on the
 * machine where it is installed.
 */

/**
 * @typedef {object} Module
 * @property {string} name with underscores, as the kernel spells it
 * @property {string} path below the folder of this kernel's modules
 * @property {Buffer} packed the file as the package holds it (.ko.xz)
 * @property {Buffer} object the ELF object
 * @property {string[]} needs names of modules that must be there first
 * @property {string[]} aliases
 */

/** @param {string} name */
export function moduleName(name) {
  return name
    .replace(/^.*\//, '')
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');
}

/**
 * The key=value strings of a module's .modinfo section.
 * @param {Buffer} object ELF, 64 bit, little endian
 * @returns {{ key: string, value: string }[]}
 */
export function readModinfo(object) {
  if (object.toString('latin1', 0, 4) !== '\x7fELF' || object[4] !== 2 || object[5] !== 1) {
    throw new Error('A kernel module is no 64-bit little-endian ELF file.');
  }
  const table = Number(object.readBigUInt64LE(40));
  const entrySize = object.readUInt16LE(58);
  const count = object.readUInt16LE(60);
  const section = (/** @type {number} */ index) => {
    const at = table + index * entrySize;
    return {
      name: object.readUInt32LE(at),
      offset: Number(object.readBigUInt64LE(at + 24)),
      size: Number(object.readBigUInt64LE(at + 32)),
    };
  };
  const names = section(object.readUInt16LE(62));
  for (let index = 0; index < count; index += 1) {
    const { name, offset, size } = section(index);
    const start = names.offset + name;
    if (object.toString('latin1', start, object.indexOf(0, start)) !== '.modinfo') continue;
    return object
      .toString('utf8', offset, offset + size)
      .split('\0')
      .filter(Boolean)
      .map((line) => {
        const equals = line.indexOf('=');
        return { key: line.slice(0, equals), value: line.slice(equals + 1) };
      });
  }
  return [];
}

/**
 * The named modules with all that they depend on, soft dependencies included.
 * @param {Map<string, { path: string, packed: Buffer }>} available by name
 * @param {string[]} wanted
 * @param {Record<string, string[]>} soft dependencies that the modules do not state
 * @param {(packed: Buffer) => Buffer} unpack
 * @returns {Map<string, Module>}
 */
export function moduleClosure(available, wanted, soft, unpack) {
  /** @type {Map<string, Module>} */
  const closure = new Map();
  /** @param {string} given @param {string} because */
  const add = (given, because) => {
    const name = moduleName(given);
    if (closure.has(name)) return;
    const file = available.get(name);
    if (!file)
      throw new Error(`The kernel package has no module ${given}, which ${because} needs.`);
    const object = unpack(file.packed);
    const info = readModinfo(object);
    const values = (/** @type {string} */ key) =>
      info.filter((entry) => entry.key === key).map(({ value }) => value);
    const stated = values('softdep').flatMap((line) => {
      const before = /(?:^|\s)pre:\s*(.*?)(?=\s*post:|$)/.exec(line)?.[1] ?? '';
      return before.split(/\s+/).filter((other) => available.has(moduleName(other)));
    });
    const needs = [
      ...values('depends').flatMap((line) => line.split(',')),
      ...stated,
      ...(soft[given] ?? []),
    ]
      .filter(Boolean)
      .map(moduleName);
    const module = { name, ...file, object, needs: [...new Set(needs)], aliases: values('alias') };
    closure.set(name, module);
    for (const need of module.needs) add(need, name);
  };
  for (const name of wanted) add(name, 'the recipe');
  return closure;
}

/**
 * modules.dep and modules.alias. Dependencies of dependencies are listed too, in the order that
 * modprobe expects: it loads from the end of the line.
 * @param {Map<string, Module>} modules
 */
export function moduleIndexes(modules) {
  const dependencies = (/** @type {Module} */ module) => {
    /** @type {string[]} */
    const order = [];
    const visit = (/** @type {Module} */ { needs }) => {
      for (const need of needs) {
        const other = modules.get(need);
        if (!other || order.includes(other.path)) continue;
        visit(other);
        order.push(other.path);
      }
    };
    visit(module);
    return order.reverse();
  };
  const all = [...modules.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return {
    dep: all
      .map((module) => `${[`${module.path}:`, ...dependencies(module)].join(' ')}\n`)
      .join(''),
    alias: all
      .flatMap(({ name, aliases }) => aliases.map((alias) => `alias ${alias} ${name}\n`))
      .join(''),
  };
}
