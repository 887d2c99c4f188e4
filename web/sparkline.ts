import type { Series } from '../src/status/history.ts';
import { svg } from './element.ts';

const slots = 60;
const height = 20;

/** Accepted requests upward in one colour, the refused ones on top of them in another. */
export function drawSparkline({ accepted, refused }: Series): SVGElement {
  const most = Math.max(1, ...accepted.map((value, step) => value + (refused[step] ?? 0)));
  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  const drawing = svg('svg', {
    class: 'spark',
    viewBox: `0 0 ${slots} ${height}`,
    preserveAspectRatio: 'none',
    role: 'img',
    'aria-label': `${total(accepted)} accepted, ${total(refused)} refused`,
  });
  for (const [step, good] of accepted.entries()) {
    const x = `${slots - accepted.length + step}`;
    const goodHeight = (good / most) * height;
    const badHeight = ((refused[step] ?? 0) / most) * height;
    if (goodHeight > 0) drawing.append(bar('accepted', x, height - goodHeight, goodHeight));
    if (badHeight > 0) drawing.append(bar('refused', x, height - goodHeight - badHeight, badHeight));
  }
  return drawing;
}

function bar(kind: string, x: string, y: number, tall: number): SVGElement {
  return svg('rect', { class: kind, x, y: y.toFixed(2), width: '0.9', height: tall.toFixed(2) });
}
