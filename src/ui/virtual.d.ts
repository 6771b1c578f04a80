/** What the build makes of the worker and the core (tools/vite-worker.mjs). */
declare module 'virtual:worker-assets' {
  const urls: { worker: string; core: string; coreShared: string };
  export default urls;
}
