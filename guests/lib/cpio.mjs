/**
 * Writes the archive that a Linux kernel unpacks at boot: cpio in the "newc" form
 * (Documentation/driver-api/early-userspace/buffer-format.rst). Same entries, same bytes: times and
 * owners are zero, inode numbers count up.
 */

/**
 * @typedef {object} Node
 * @property {string} path without a leading slash
 * @property {'file' | 'folder' | 'link' | 'character'} type
 * @property {number} [mode] permission bits
 * @property {Buffer | string} [data] contents, or a link's target
 * @property {[number, number]} [device] major and minor number
 */

const typeBits = { file: 0o100000, folder: 0o040000, link: 0o120000, character: 0o020000 };
const usualMode = { file: 0o644, folder: 0o755, link: 0o777, character: 0o600 };

/**
 * @param {Node[]} nodes parents before what they hold; missing parents are added
 * @returns {Buffer}
 */
export function writeCpio(nodes) {
  /** @type {Buffer[]} */
  const parts = [];
  const seen = new Set(['']);
  let inode = 0;
  /** @param {Node} node */
  const put = ({ path, type, mode = usualMode[type], data = '', device = [0, 0] }) => {
    const name = Buffer.from(`${path}\0`);
    const body = Buffer.from(data);
    inode += 1;
    const fields = [
      inode,
      typeBits[type] | mode,
      0, // owner
      0, // group
      type === 'folder' ? 2 : 1,
      0, // time
      body.length,
      0, // the archive's own device
      0,
      ...device,
      name.length,
      0, // no checksum in this form
    ];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
    parts.push(Buffer.from(header), name, padding(header.length + name.length));
    parts.push(body, padding(body.length));
  };
  /** @param {string} path */
  const putParents = (path) => {
    const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    if (seen.has(parent)) return;
    putParents(parent);
    seen.add(parent);
    put({ path: parent, type: 'folder' });
  };
  for (const node of nodes) {
    putParents(node.path);
    if (seen.has(node.path)) {
      if (node.type === 'folder') continue;
      throw new Error(`The initramfs would hold ${node.path} twice.`);
    }
    seen.add(node.path);
    put(node);
  }
  inode = -1;
  put({ path: 'TRAILER!!!', type: 'file', mode: -typeBits.file });
  const archive = Buffer.concat(parts);
  return Buffer.concat([archive, Buffer.alloc((512 - (archive.length % 512)) % 512)]);
}

/** @param {number} length */
function padding(length) {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
