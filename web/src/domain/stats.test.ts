// Each group leads to its connections by a filter.
import { describe, expect, it } from 'vitest';
import { filterOfGroup, isGroupKind, type GroupKind } from './stats';

describe('groups', () => {
  it.each<[GroupKind, string, string | undefined]>([
    ['peer', '10.0.0.1', 'open and host 10.0.0.1'],
    ['port', '443', 'open and destination.port == 443'],
    ['process', 'ng"inx', 'open and process == "ng\\"inx"'],
    ['process', '(unknown)', 'open and not has process'],
    ['state', 'FIN_WAIT_1', 'open and state == fin-wait-1'],
    ['interface', 'eth0', 'open and interface == "eth0"'],
    ['peer', '(none)', undefined],
  ])('of the %s %s are found by %s', (kind, name, filter) => {
    expect(filterOfGroup(kind, name)).toBe(filter);
  });

  it('are of a few kinds', () => {
    expect([isGroupKind('unit'), isGroupKind('colour'), isGroupKind(null)]).toEqual([true, false, false]);
  });
});
