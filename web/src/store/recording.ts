// The recording of packets that is under way, and the file of the last one.
import { recordingName, type Recorder, type RecordingPart, type RecordingWish } from '../domain/recording';
import { Notifier } from './notifier';

export interface RecordedFile {
  readonly name: string;
  readonly content: Blob;
}

export class RecordingStore {
  readonly notifier = new Notifier();
  readonly #recorder: Recorder;
  readonly #now: () => number;
  #stop: AbortController | undefined;
  #parts: Uint8Array<ArrayBuffer>[] = [];
  #bytes = 0;
  #packets = 0;
  #lost = 0;
  #problem: string | undefined;

  constructor(recorder: Recorder, now: () => number = Date.now) {
    this.#recorder = recorder;
    this.#now = now;
  }

  get running(): boolean {
    return this.#stop !== undefined;
  }

  get packets(): number {
    return this.#packets;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Packets that are missing in the file. */
  get lost(): number {
    return this.#lost;
  }

  /** Why the last recording failed, in the daemon's words. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Records until it is stopped or a limit is reached; undefined where it failed. */
  async record(wish: RecordingWish, hostName: string): Promise<RecordedFile | undefined> {
    this.#stop?.abort();
    const stop = new AbortController();
    this.#stop = stop;
    this.#parts = [];
    [this.#bytes, this.#packets, this.#lost, this.#problem] = [0, 0, 0, undefined];
    this.notifier.changedNow();
    try {
      await this.#recorder.record(
        wish,
        (part) => {
          this.#add(part);
        },
        stop.signal,
      );
      return {
        name: recordingName(hostName, this.#now()),
        content: new Blob(this.#parts, { type: 'application/x-pcapng' }),
      };
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
      return undefined;
    } finally {
      this.#parts = [];
      if (this.#stop === stop) {
        this.#stop = undefined;
      }
      this.notifier.changedNow();
    }
  }

  stop(): void {
    this.#stop?.abort();
  }

  #add({ data, packets, lostInKernel, lostInStream, leftOut }: RecordingPart): void {
    this.#parts.push(data);
    this.#bytes += data.length;
    this.#packets = packets;
    this.#lost = lostInKernel + lostInStream + leftOut;
    this.notifier.changed();
  }
}
