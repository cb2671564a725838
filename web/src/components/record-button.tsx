// Records packets into a capture file for Wireshark: pressed once it records, pressed again it hands the file over.
import type { ReactElement } from 'react';
import { formatBytes, formatPlural } from '../domain/format';
import { MOST_BYTES, MOST_MINUTES, type RecordingWish } from '../domain/recording';
import { useChanges } from '../store/notifier';
import type { RecordedFile } from '../store/recording';
import { useStores } from '../store/stores';
import { Button } from './button';
import styles from './record-button.module.css';

export function RecordButton({ wish }: { wish: RecordingWish }): ReactElement | null {
  const { recording, status } = useStores();
  useChanges(recording);
  useChanges(status);
  // A capture that is played is a file already.
  if (status.status?.captureFile !== '') {
    return null;
  }
  const { hostName } = status.status;
  const record = async (): Promise<void> => {
    const file = await recording.record(wish, hostName);
    if (file !== undefined) {
      save(file);
    }
  };
  return (
    <span className={styles.recording}>
      <span role="status" className={styles.words} data-testid="recording">
        {recording.running
          ? `${formatPlural(recording.packets, 'packet')}, ${formatBytes(recording.bytes)}${recording.lost > 0 ? `, ${formatPlural(recording.lost, 'packet')} lost` : ''}`
          : recording.problem}
      </span>
      <Button
        icon="download"
        pressed={recording.running}
        title={`Record these packets into a pcapng file: headers only, ${formatBytes(MOST_BYTES)} or ${MOST_MINUTES} minutes at most`}
        onClick={() => {
          if (recording.running) {
            recording.stop();
          } else {
            void record();
          }
        }}
      >
        {recording.running ? 'Stop and save' : 'Record pcapng'}
      </Button>
    </span>
  );
}

function save({ name, content }: RecordedFile): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => {
    URL.revokeObjectURL(url);
  }, 10_000);
}
