import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { VerdictCause, VerdictKind, VerdictSchema } from '../gen/tcpviewer/v1/verdict_pb';
import { toVerdict } from './convert-verdict';

describe('a verdict', () => {
  it('has words even where the stream leaves them out, as it does where nothing is wrong', () => {
    const brief = toVerdict(create(VerdictSchema, { kind: VerdictKind.IDLE }));
    expect(brief).toMatchObject({ kind: 'idle', cause: 'none', text: 'nothing is sent', evidence: [] });
  });

  it('has the words of the daemon where it sends some', () => {
    const told = create(VerdictSchema, {
      kind: VerdictKind.NETWORK,
      cause: VerdictCause.LOSS,
      text: 'packets are lost: 3.1 % sent again',
    });
    expect(toVerdict(told)?.text).toBe('packets are lost: 3.1 % sent again');
  });

  it('is absent until the daemon has one', () => {
    expect(toVerdict(undefined)).toBeUndefined();
  });
});
