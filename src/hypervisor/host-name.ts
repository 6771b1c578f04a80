/**
 * The guest's host name: the VM's name, as far as host names go, on the kernel's command line, so
 * that prompts tell VMs apart. Guarantees that no name adds anything else to the command line, nor
 * makes it longer than a kernel takes.
 */

/** RFC 1123 §2.1: the length of one label. */
const LENGTH_LIMIT = 63;
/** Linux's COMMAND_LINE_SIZE on RISC-V without the zero that ends it. */
const COMMAND_LINE_LIMIT = 1023;

/** Letters, digits and hyphens within; empty when the name has none. */
export function hostName(name: string): string {
  const label = name.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-/, '');
  return label.slice(0, LENGTH_LIMIT).replace(/-$/, '');
}

/** `append` with the VM's host name; a VM called like its template keeps what the image says. */
export function withHostName(append: string, name: string, template: string): string {
  const host = hostName(name);
  if (host === '' || name === template) return append;
  const longer = `${append} hostname=${host}`.trimStart();
  return longer.length > COMMAND_LINE_LIMIT ? append : longer;
}
