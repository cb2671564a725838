// Runs the benchmarks in e2e/: a real browser against a real daemon. They print figures about this machine.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['e2e/**/*.bench.ts'], environment: 'node', fileParallelism: false },
});
