import { expect, test } from 'vitest';
import { status } from '../test/fixtures';
import { StatusStore } from './status';

test('ages are told by the time of the capture where one is played', () => {
  const store = new StatusStore();
  expect(store.ageAtMs(5000)).toBe(5000);

  store.update(status());
  expect(store.ageAtMs(5000)).toBe(5000);

  store.update(status({ captureFile: 'a.pcap', captureTimeMs: 1200 }));
  expect(store.ageAtMs(5000)).toBe(1200);
});
