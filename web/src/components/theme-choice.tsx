// Dark, light, or as the system has it.
import type { ReactElement } from 'react';
import { useChanges } from '../store/notifier';
import type { Theme } from '../store/settings';
import { useStores } from '../store/stores';
import { Button } from './button';
import type { IconName } from './icon';

const CHOICES: readonly { theme: Theme; icon: IconName; label: string }[] = [
  { theme: 'light', icon: 'sun', label: 'Light theme' },
  { theme: 'system', icon: 'screen', label: 'Theme of the system' },
  { theme: 'dark', icon: 'moon', label: 'Dark theme' },
];

export function ThemeChoice({ className }: { className: string | undefined }): ReactElement {
  const { settings } = useStores();
  useChanges(settings);
  return (
    <div className={className} role="group" aria-label="Theme">
      {CHOICES.map(({ theme, icon, label }) => (
        <Button
          key={theme}
          icon={icon}
          label={label}
          title={label}
          pressed={settings.settings.theme === theme}
          onClick={() => {
            settings.change({ theme });
          }}
        />
      ))}
    </div>
  );
}
