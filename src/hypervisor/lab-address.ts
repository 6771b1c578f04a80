/**
 * Where labs of the page come from: addresses of its own site, and nothing else. Guarantees that what
 * a link or a lab names leads to no other site, and a lab's files to no place beside its folder.
 */

const OPEN_IT = 'Save the lab file and drop it on the page.';

/** Of `?lab=`: the name of one of the site's labs, or an address of the site. Throws a sentence. */
export function labAddress(given: string, page: string): URL {
  const wanted = given.trim();
  const shown = shorten(wanted);
  if (wanted === '') throw new Error('No lab is named: write ?lab=NAME, or ?lab=labs/mine.yaml.');
  const named = /^[a-z0-9-]+$/i.test(wanted);
  const address = parsed(named ? `labs/${wanted}.yaml` : wanted, page);
  if (address === undefined) {
    throw new Error(`“${shown}” is no address of a lab. Write ?lab=labs/mine.yaml.`);
  }
  // A blob: or data: address may have the page's origin, and content that a link has brought.
  const { origin, protocol } = new URL(page);
  if (address.origin !== origin || address.protocol !== protocol) {
    throw new Error(`A lab comes from this site alone, not from “${shown}”. ${OPEN_IT}`);
  }
  if (address.username !== '' || address.password !== '') {
    throw new Error('The address of a lab has no user name or password. Leave them out.');
  }
  address.hash = '';
  return address;
}

/** A file below a lab's folder, by a path that has passed the lab's check. */
export function besideLab(path: string, lab: URL): URL {
  // A URL parser takes `%2e%2e` for `..`, and drops tabs and spaces: only whole, coded names go in.
  // Halves of characters cannot be coded.
  const whole = new TextDecoder().decode(new TextEncoder().encode(path));
  const names = whole.split('/').map(encodeURIComponent);
  return new URL(`./${names.filter((name) => name !== '').join('/')}`, lab);
}

function parsed(address: string, page: string): URL | undefined {
  return URL.canParse(address, page) ? new URL(address, page) : undefined;
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
