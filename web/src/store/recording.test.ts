// A recording is gathered until it is stopped, and says why it failed.
import { describe, expect, it } from 'vitest';
import type { Recorder } from '../domain/recording';
import { RecordingStore } from './recording';

const WISH = { filter: 'port 443', connectionId: undefined };

describe('RecordingStore', () => {
  it('makes a file of what came until it was stopped', async () => {
    const recorder: Recorder = {
      record: async (wish, onPart, signal) => {
        expect(wish).toEqual(WISH);
        onPart({ data: new Uint8Array([1, 2]), packets: 1, lostInKernel: 0, lostInStream: 0, leftOut: 0 });
        onPart({ data: new Uint8Array([3]), packets: 2, lostInKernel: 4, lostInStream: 1, leftOut: 0 });
        await new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => {
            resolve();
          });
        });
      },
    };
    const store = new RecordingStore(recorder, () => 0);
    const file = store.record(WISH, 'host');
    expect([store.running, store.packets, store.bytes, store.lost]).toEqual([true, 2, 3, 5]);
    store.stop();
    const { name, content } = (await file) ?? {};
    expect(name).toBe('tcpviewer-host-1970-01-01-000000.pcapng');
    expect([...new Uint8Array((await content?.arrayBuffer()) ?? [])]).toEqual([1, 2, 3]);
    expect(store.running).toBe(false);
  });

  it('says why it failed, and makes no file', async () => {
    const store = new RecordingStore({ record: () => Promise.reject(new Error('a capture is played')) });
    expect(await store.record(WISH, 'host')).toBeUndefined();
    expect(store.problem).toBe('a capture is played');
    expect(store.running).toBe(false);
  });
});
