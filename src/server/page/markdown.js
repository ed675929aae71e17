// The Markdown that models write, as elements: headings, lists, tables, quotes, code, emphasis, links.
// HTML in it stays text. A subset of CommonMark and GitHub's tables.
import { make } from './dom.js';

export function render(text) {
  const lines = text.replace(/\r\n?/g, '\n').split('\n');
  return blocks(lines);
}

const kFence = /^ {0,3}(```+|~~~+)\s*([\w+-]*)/;
const kHeading = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const kItem = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const kRule = /^ {0,3}([-*_])\s*(\1\s*){2,}$/;
const kTableRule = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

function blocks(lines) {
  const out = [];
  for (let i = 0; i < lines.length;) {
    const line = lines[i];
    const fence = kFence.exec(line);
    const heading = kHeading.exec(line);
    if (line.trim() === '') {
      ++i;
    } else if (fence) {
      let end = i + 1;
      while (end < lines.length && !lines[end].trimStart().startsWith(fence[1])) ++end;
      out.push(make('pre', { tabIndex: 0 }, make('code', {}, lines.slice(i + 1, end).join('\n'))));
      i = end + 1;
    } else if (heading) {
      // The page's own headings are of the first two levels.
      out.push(make(`h${Math.min(6, heading[1].length + 2)}`, {}, ...inline(heading[2])));
      ++i;
    } else if (kRule.test(line)) {
      out.push(make('hr'));
      ++i;
    } else if (line.trimStart().startsWith('>')) {
      const end = endOf(lines, i, (l) => l.trimStart().startsWith('>'));
      out.push(make('blockquote', {}, ...blocks(lines.slice(i, end).map((l) => l.replace(/^\s*> ?/, '')))));
      i = end;
    } else if (kItem.test(line)) {
      const end = endOf(lines, i, (l) => kItem.test(l) || /^\s+\S/.test(l));
      out.push(list(lines.slice(i, end)));
      i = end;
    } else if (line.includes('|') && i + 1 < lines.length && lines[i + 1].includes('-') && kTableRule.test(lines[i + 1])) {
      const end = endOf(lines, i + 2, (l) => l.includes('|'));
      out.push(table(line, lines.slice(i + 2, end)));
      i = end;
    } else {
      const end = endOf(lines, i + 1, (l) => l.trim() !== '' && !kFence.test(l) && !kHeading.test(l) && !kItem.test(l));
      const paragraph = make('p');
      lines.slice(i, end).forEach((l, n) => paragraph.append(...(n > 0 ? [make('br')] : []), ...inline(l)));
      out.push(paragraph);
      i = end;
    }
  }
  return out;
}

function endOf(lines, from, belongs) {
  let end = from;
  while (end < lines.length && belongs(lines[end])) ++end;
  return end;
}

function list(lines) {
  const [, indent, mark] = kItem.exec(lines[0]);
  const ordered = /\d/.test(mark);
  const items = [];
  for (const line of lines) {
    const item = kItem.exec(line);
    if (item && item[1].length <= indent.length + 1) items.push([item[3]]);
    else items.at(-1).push(line.slice(Math.min(line.search(/\S/), indent.length + 2)));
  }
  const out = make(ordered ? 'ol' : 'ul');
  if (ordered && parseInt(mark, 10) !== 1) out.start = parseInt(mark, 10);
  for (const [first, ...rest] of items) out.append(make('li', {}, ...inline(first), ...blocks(rest)));
  return out;
}

function table(head, rows) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, '').split('|').map((cell) => cell.trim());
  const row = (line, tag) => make('tr', {}, ...cells(line).map((cell) => make(tag, {}, ...inline(cell))));
  return make('table', {}, make('thead', {}, row(head, 'th')), make('tbody', {}, ...rows.map((line) => row(line, 'td'))));
}

// Code first, for nothing is marked inside it.
const kInline = /(`+)(.+?)\1|\*\*(?=\S)(.+?)\*\*|__(?=\S)(.+?)__|\*(?=\S)([^*]+?)\*|(?<!\w)_(?=\S)([^_]+?)_(?!\w)|~~(.+?)~~|\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)/;

function inline(text) {
  const found = kInline.exec(text);
  if (!found) return text === '' ? [] : [text];
  const [whole, , code, strong, strong2, em, em2, struck, label, href] = found;
  const inner = strong ?? strong2 ?? em ?? em2 ?? struck ?? label;
  let element;
  if (code !== undefined) element = make('code', {}, code);
  else if (href !== undefined) element = make('a', { href, rel: 'noopener noreferrer', target: '_blank' }, ...inline(inner));
  else element = make((strong ?? strong2) !== undefined ? 'strong' : struck !== undefined ? 's' : 'em', {}, ...inline(inner));
  const before = text.slice(0, found.index);
  return [...(before === '' ? [] : [before]), element, ...inline(text.slice(found.index + whole.length))];
}
