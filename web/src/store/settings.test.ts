// Settings survive a reload, and nonsense in the storage does no harm.
import { beforeEach, describe, expect, it } from 'vitest';
import { SettingsStore, withRecent } from './settings';

describe('SettingsStore', () => {
  beforeEach(() => {
    localStorage.clear();
  });

  it('finds again what was changed', () => {
    new SettingsStore(localStorage).change({ theme: 'dark', spanMinutes: 10 });
    expect(new SettingsStore(localStorage).settings).toMatchObject({ theme: 'dark', spanMinutes: 10 });
  });

  it.each(['', 'null', '[]', '{"theme":"pink","spanMinutes":3}', '{'])(
    'uses the defaults for %j',
    (stored) => {
      localStorage.setItem('tcpviewer.settings', stored);
      expect(new SettingsStore(localStorage).settings).toEqual(new SettingsStore(undefined).settings);
    },
  );

  it('keeps the filters used lately, each once and the newest first', () => {
    expect(withRecent(['a', 'b'], 'b')).toEqual(['b', 'a']);
    expect(withRecent(Array.from({ length: 30 }, String), 'new')).toHaveLength(20);
  });
});
