// Builds the dashboard into dist/ (embedded in the daemon), serves it for development
// with the API proxied to a running daemon, and runs the unit tests.
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const DAEMON_URL = process.env.TCPVIEWER_URL ?? 'http://127.0.0.1:50051';

// The daemon answers only pages of its own origin.
const toDaemon = { target: DAEMON_URL, changeOrigin: true, headers: { origin: DAEMON_URL } };

/** What the first view may load of JavaScript, compressed. */
const FIRST_VIEW_LIMIT_KB = 250;

/** Prints what the first view loads of JavaScript, charts and worker included, and fails where it is too much. */
function firstViewBudget(): Plugin {
  return {
    name: 'first-view-budget',
    apply: 'build',
    writeBundle(_options, bundle) {
      const wanted = (fileName: string): boolean =>
        /^assets\/(index|plot-canvas|shared-worker)-/.test(fileName);
      let bytes = 0;
      for (const [fileName, file] of Object.entries(bundle)) {
        if (fileName.endsWith('.js') && wanted(fileName)) {
          bytes += gzipSync(file.type === 'chunk' ? file.code : file.source).length;
        }
      }
      const sizeKb = bytes / 1000;
      const words = `first view: ${sizeKb.toFixed(1)} KB of JavaScript, compressed; limit ${FIRST_VIEW_LIMIT_KB} KB`;
      if (sizeKb === 0 || sizeKb > FIRST_VIEW_LIMIT_KB) {
        this.error(words);
      }
      this.info(words);
    },
  };
}

export default defineConfig({
  plugins: [react(), firstViewBudget()],
  // The page that describes the filter language names the fields that filters are completed with.
  resolve: {
    alias: [
      {
        find: /^filter-language\.md/,
        replacement: fileURLToPath(new URL('../tcpviewer/docs/filter.md', import.meta.url)),
      },
    ],
  },
  build: {
    target: ['chrome123', 'firefox121', 'safari17.5'],
    // Nothing is inlined as a data: URL, because the daemon's CSP allows that for images only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    host: '127.0.0.1',
    fs: { allow: ['.', '../tcpviewer/docs'] },
    proxy: {
      '/tcpviewer.v1.': toDaemon,
      '/grpc.': toDaemon,
    },
  },
  test: {
    include: ['src/**/*.test.{ts,tsx}'],
    environment: 'happy-dom',
    setupFiles: ['src/test/setup.ts'],
    restoreMocks: true,
    maxWorkers: 1,
  },
});
