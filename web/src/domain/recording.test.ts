// The name of a capture file says where and when.
import { describe, expect, it } from 'vitest';
import { recordingName } from './recording';

describe('recordingName', () => {
  it('has nothing in it that a file name must not have', () => {
    expect(recordingName('a/b host', Date.UTC(2026, 10, 23, 14, 3, 9))).toBe(
      'tcpviewer-a-b-host-2026-11-23-140309.pcapng',
    );
  });
});
