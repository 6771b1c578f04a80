/**
 * End-to-end tests of the page in Debian's Chromium. The built page is served by the very script
 * that people use (`npm start`); what is missing or stale is made first.
 */
import { defineConfig } from '@playwright/test';
import { chromiumPath } from './tools/lib/chromium.mjs';

const port = Number(process.env.TABVISOR_E2E_PORT ?? 5197);
const chromium = chromiumPath();

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  // For what hangs, not for slow machines: three guests boot beside each other in some tests.
  timeout: 600_000,
  expect: { timeout: 30_000 },
  fullyParallel: false,
  workers: 1,
  forbidOnly: true,
  reporter: process.env.TABVISOR_E2E_REPORT
    ? [['list'], ['json', { outputFile: process.env.TABVISOR_E2E_REPORT }]]
    : [['list']],
  use: {
    baseURL: `http://localhost:${port}/`,
    viewport: { width: 1280, height: 800 },
    trace: 'retain-on-failure',
    launchOptions: {
      ...(chromium ? { executablePath: chromium } : {}),
      // Chromium refuses its own sandbox to root.
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    },
  },
  webServer: {
    command: `node tools/start.mjs --port ${port} --strict-port`,
    url: `http://localhost:${port}/`,
    reuseExistingServer: !process.env.CI,
    timeout: 600_000,
    stdout: 'pipe',
    // The tests do without: what makes it keeps a processor busy for long.
    env: { TABVISOR_DEBIAN: 'no' },
  },
});
