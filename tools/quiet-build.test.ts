/** Building the page says nothing when nothing is wrong, also on a slow machine. */
import { setTimeout as sleep } from 'node:timers/promises';
import { build, createLogger } from 'vite';
import { expect, test } from 'vitest';
import config from '../vite.config.ts';

test('plugins that take long are not reported', async () => {
  const said: string[] = [];
  const customLogger = createLogger('warn');
  customLogger.warn = (message) => said.push(message);
  await build({
    configFile: false,
    customLogger,
    logLevel: 'warn',
    build: {
      ...config.build,
      write: false,
      rolldownOptions: { ...config.build?.rolldownOptions, input: 'x' },
    },
    plugins: [
      {
        name: 'slow',
        enforce: 'pre',
        resolveId: (id) => id,
        // From three seconds on the bundler takes note.
        load: async () => {
          await sleep(3500);
          return 'console.log(1)';
        },
      },
    ],
  });
  expect(said).toEqual([]);
});
