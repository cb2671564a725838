// How numbers are written: bytes, rates, times and endpoints. Always short, always with a unit,
// and an em dash for what was not measured.
import type { Endpoint } from './connection';

export const NOT_MEASURED = '—';

const BYTE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
const COUNT_UNITS = ['', 'k', 'M', 'G', 'T'];
const WHOLE_NUMBER = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** 1536 → "1.54 KB"; powers of 1000, three significant digits. */
export function formatBytes(bytes: number | undefined): string {
  if (bytes === undefined) {
    return NOT_MEASURED;
  }
  const { mantissa, step } = scale(bytes, BYTE_UNITS.length);
  return `${mantissa} ${BYTE_UNITS[step] ?? ''}`;
}

/** Bytes per second, for example "12.3 KB/s". */
export function formatByteRate(bytesPerSecond: number | undefined): string {
  return bytesPerSecond === undefined ? NOT_MEASURED : `${formatBytes(bytesPerSecond)}/s`;
}

/** Events per second without a unit of their own, for example "1.2k/s" or "0.4/s". */
export function formatRate(perSecond: number | undefined): string {
  if (perSecond === undefined) {
    return NOT_MEASURED;
  }
  if (perSecond > 0 && perSecond < 10 && !Number.isInteger(perSecond)) {
    return `${perSecond.toFixed(1)}/s`;
  }
  const { mantissa, step } = scale(Math.round(perSecond), COUNT_UNITS.length);
  return `${mantissa}${COUNT_UNITS[step] ?? ''}/s`;
}

/** A count with thousands separators. */
export function formatCount(count: number | undefined): string {
  return count === undefined ? NOT_MEASURED : WHOLE_NUMBER.format(count);
}

/** Microseconds in the unit that reads best: "87 µs", "1.24 ms", "2.1 s". */
export function formatMicroseconds(microseconds: number | undefined): string {
  if (microseconds === undefined) {
    return NOT_MEASURED;
  }
  if (microseconds < 1000) {
    return `${Math.round(microseconds)} µs`;
  }
  if (microseconds < 999_500) {
    return `${threeDigits(microseconds / 1000)} ms`;
  }
  return `${threeDigits(microseconds / 1_000_000)} s`;
}

/** A span of time that may be very short, such as the life of a connection that was refused: "57 µs", "3 m 05 s". */
export function formatLife(milliseconds: number): string {
  return milliseconds < 1000 ? formatMicroseconds(milliseconds * 1000) : formatDuration(milliseconds);
}

/** A span of time in at most two units: "0.4 s", "12 s", "3 m 05 s", "2 h 07 m", "4 d 03 h". */
export function formatDuration(milliseconds: number | undefined): string {
  if (milliseconds === undefined) {
    return NOT_MEASURED;
  }
  const tenths = Math.round(Math.max(0, milliseconds) / 100);
  if (tenths < 100) {
    return `${(tenths / 10).toFixed(1)} s`;
  }
  const seconds = Math.floor(tenths / 10);
  if (seconds < 60) {
    return `${seconds} s`;
  }
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) {
    return `${minutes} m ${twoPlaces(seconds % 60)} s`;
  }
  const hours = Math.floor(minutes / 60);
  if (hours < 24) {
    return `${hours} h ${twoPlaces(minutes % 60)} m`;
  }
  return `${Math.floor(hours / 24)} d ${twoPlaces(hours % 24)} h`;
}

/** The time of day in the browser's zone, with milliseconds: "14:03:09.482". */
export function formatClock(epochMs: number): string {
  const date = new Date(epochMs);
  const milliseconds = String(date.getMilliseconds()).padStart(3, '0');
  return `${twoPlaces(date.getHours())}:${twoPlaces(date.getMinutes())}:${twoPlaces(date.getSeconds())}.${milliseconds}`;
}

/** Date and time of day: "2026-11-23 14:03:09.482". */
export function formatTimestamp(epochMs: number | undefined): string {
  if (epochMs === undefined) {
    return NOT_MEASURED;
  }
  const date = new Date(epochMs);
  return `${date.getFullYear()}-${twoPlaces(date.getMonth() + 1)}-${twoPlaces(date.getDate())} ${formatClock(epochMs)}`;
}

export function formatPercent(percent: number | undefined): string {
  return percent === undefined ? NOT_MEASURED : `${percent.toFixed(1)} %`;
}

/** A share of the whole in per cent, small ones told apart: 0.0123 → "1.23 %", 0 → "0 %". */
export function formatShare(share: number | undefined): string {
  if (share === undefined) {
    return NOT_MEASURED;
  }
  const percent = share * 100;
  if (percent === 0) {
    return '0 %';
  }
  return percent < 0.01 ? '< 0.01 %' : `${threeDigits(percent)} %`;
}

/** "1 packet", "2 packets". */
export function formatPlural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** "10.0.0.1:443" or "[2001:db8::1]:443". */
export function formatEndpoint(endpoint: Endpoint): string {
  return `${formatHost(endpoint.address)}:${endpoint.port}`;
}

/** The address as it stands before ":port": IPv6 in brackets. */
export function formatHost(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

function scale(value: number, units: number): { mantissa: string; step: number } {
  let step = 0;
  let rest = value;
  while (rest >= 999.5 && step < units - 1) {
    rest /= 1000;
    step += 1;
  }
  return { mantissa: step === 0 ? String(Math.round(rest)) : threeDigits(rest), step };
}

function threeDigits(value: number): string {
  if (value >= 99.95) {
    return value.toFixed(0);
  }
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

function twoPlaces(value: number): string {
  return String(value).padStart(2, '0');
}
