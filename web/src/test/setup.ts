// Runs before every unit test file: unmounts what a component test rendered.
import { afterEach } from 'vitest';
import { unmountAll } from './render';

afterEach(() => {
  unmountAll();
});
