/** The folder of the origin private file system that holds everything. */
export const FOLDER = 'tabvisor';
