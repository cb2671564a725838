// How numbers, times and endpoints are written.
import { describe, expect, it } from 'vitest';
import {
  formatByteRate,
  formatBytes,
  formatDuration,
  formatEndpoint,
  formatMicroseconds,
  formatPlural,
  formatRate,
} from './format';

describe('format', () => {
  it.each([
    [undefined, '—'],
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 KB'],
    [1536, '1.54 KB'],
    [99_960, '100 KB'],
    [999_499, '999 KB'],
    [999_500, '1.00 MB'],
    [12_345_678, '12.3 MB'],
    [2 ** 53, '9.01 PB'],
  ])('writes %s bytes as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it.each([
    [undefined, '—'],
    [0, '0/s'],
    [0.4, '0.4/s'],
    [12, '12/s'],
    [1234, '1.23k/s'],
  ])('writes a rate of %s as %s', (rate, text) => {
    expect(formatRate(rate)).toBe(text);
  });

  it.each([
    [undefined, '—'],
    [0, '0 µs'],
    [87, '87 µs'],
    [999, '999 µs'],
    [1240, '1.24 ms'],
    [999_400, '999 ms'],
    [999_500, '1.00 s'],
    [2_100_000, '2.10 s'],
  ])('writes %s microseconds as %s', (microseconds, text) => {
    expect(formatMicroseconds(microseconds)).toBe(text);
  });

  it.each([
    [undefined, '—'],
    [-50, '0.0 s'],
    [400, '0.4 s'],
    [9_949, '9.9 s'],
    [9_950, '10 s'],
    [59_999, '1 m 00 s'],
    [185_000, '3 m 05 s'],
    [7_620_000, '2 h 07 m'],
    [4 * 86_400_000 + 3 * 3_600_000, '4 d 03 h'],
  ])('writes a span of %s ms as %s', (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });

  it('puts IPv6 addresses in brackets', () => {
    expect(formatEndpoint({ address: '10.0.0.1', port: 443 })).toBe('10.0.0.1:443');
    expect(formatEndpoint({ address: '2001:db8::1', port: 443 })).toBe('[2001:db8::1]:443');
  });

  it('writes what is not measured as a dash and never as nought', () => {
    expect(formatByteRate(undefined)).toBe('—');
    expect(formatByteRate(0)).toBe('0 B/s');
  });

  it('uses the singular for one', () => {
    expect(formatPlural(1, 'packet')).toBe('1 packet');
    expect(formatPlural(1200, 'packet')).toBe('1,200 packets');
  });
});
