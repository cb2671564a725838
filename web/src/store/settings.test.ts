// Settings survive a reload, and nonsense in the storage does no harm.
import { beforeEach, describe, expect, it } from 'vitest';
import { SettingsStore } from './settings';

describe('SettingsStore', () => {
  beforeEach(() => {
    localStorage.clear();
  });

  it('finds again what was changed', () => {
    new SettingsStore(localStorage).change({ theme: 'dark', spanMinutes: 10 });
    expect(new SettingsStore(localStorage).settings).toEqual({ theme: 'dark', spanMinutes: 10 });
  });

  it.each(['', 'null', '[]', '{"theme":"pink","spanMinutes":3}', '{'])(
    'uses the defaults for %j',
    (stored) => {
      localStorage.setItem('tcpviewer.settings', stored);
      expect(new SettingsStore(localStorage).settings).toEqual(new SettingsStore(undefined).settings);
    },
  );
});
