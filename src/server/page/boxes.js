// Boxes in an answer, drawn on the picture they speak of.
//
// Read are `[x1, y1, x2, y2]` alone or as "bbox", "bbox_2d" or "box" of a JSON object with its "label". Numbers up to 1
// are shares of the picture as the model sees it (LLaVA); others are pixels of the original.
import { make, makeSvg } from './dom.js';

const kNumber = String.raw`\s*(\d+(?:\.\d+)?)\s*`;
const kBox = new RegExp(String.raw`\[${kNumber},${kNumber},${kNumber},${kNumber}\]`, 'g');
const kLabel = /"label"\s*:\s*"((?:[^"\\]|\\.){0,80})"/;

// The boxes of `text`: [{label, corners: [x1, y1, x2, y2]}].
export function boxesOf(text) {
  const found = [];
  for (const match of text.matchAll(kBox)) {
    const corners = match.slice(1, 5).map(Number);
    if (corners[0] >= corners[2] || corners[1] >= corners[3]) continue;
    // The label of the object that the box stands in.
    const from = text.lastIndexOf('{', match.index);
    const until = text.indexOf('}', match.index);
    const object = from >= 0 && until > 0 && text.lastIndexOf('}', match.index) < from ? text.slice(from, until) : '';
    found.push({ label: kLabel.exec(object)?.[1] ?? '', corners });
  }
  return found;
}

// The corners in pixels of the original. `seen` is what /v1/images/inspect said of it, or nothing.
export function inPixels(corners, size, seen) {
  if (corners.some((value) => value > 1)) return corners;
  const frame = seen?.transform;
  // Original pixel = (pixel of the model's picture - offset) / scale.
  const place = frame
    ? (value, axis) => (value * seen.used[axis === 0 ? 'width' : 'height'] - frame.offset[axis]) / frame.scale[axis]
    : (value, axis) => value * (axis === 0 ? size.width : size.height);
  return corners.map((value, i) => place(value, i % 2));
}

// The picture with its boxes, and their names as text.
export function drawn(picture, boxes) {
  const { width, height } = picture.size;
  const svg = makeSvg('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  const names = [];
  for (const { label, corners } of boxes) {
    const [x1, y1, x2, y2] = inPixels(corners, picture.size, picture.seen);
    svg.append(makeSvg('rect', { x: x1, y: y1, width: x2 - x1, height: y2 - y1 }, makeSvg('title', {}, label)));
    names.push(`${label || 'Box'} at ${[x1, y1, x2, y2].map(Math.round).join(', ')}`);
  }
  const image = make('img', { src: picture.preview, alt: `${picture.name} with ${boxes.length} marked` });
  return make('figure', {}, make('span', { class: 'boxed' }, image, svg), make('figcaption', { class: 'caption' }, names.join(' · ')));
}
