// Builds the dashboard into dist/ (embedded in the daemon), serves it for development
// with the API proxied to a running daemon, and runs the unit tests.
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const DAEMON_URL = process.env.TCPVIEWER_URL ?? 'http://127.0.0.1:50051';

// The daemon answers only pages of its own origin.
const toDaemon = { target: DAEMON_URL, changeOrigin: true, headers: { origin: DAEMON_URL } };

export default defineConfig({
  plugins: [react()],
  build: {
    target: ['chrome123', 'firefox121', 'safari17.5'],
    // Nothing is inlined as a data: URL, because the daemon's CSP allows that for images only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    host: '127.0.0.1',
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
