// The turns: what was asked and answered, and the elements that show it.
import { boxesOf, drawn } from './boxes.js';
import { find, make } from './dom.js';
import { render } from './markdown.js';
import { imageOf } from './pictures.js';

// A turn: {question, pictures, answer, element}.
const log = find('log');
let turns = [];

export const isEmpty = () => turns.length === 0;

export function clear() {
  turns = [];
  log.replaceChildren();
}

// Takes back the turn and all after it.
export function takeBack(turn) {
  const at = turns.indexOf(turn);
  for (const gone of turns.splice(at)) gone.element.remove();
}

// The conversation so far as messages of the OpenAI dialect; pictures stand before the words of their turn.
export function messages() {
  return turns.flatMap((turn) => {
    const content = [...turn.pictures.map((picture) => ({ type: 'image_url', image_url: { url: picture.url } })),
                     { type: 'text', text: turn.question }];
    const asked = { role: 'user', content };
    return turn.answer === '' ? [asked] : [asked, { role: 'assistant', content: turn.answer }];
  });
}

// All pictures that the conversation has shown, the latest last.
const shown = () => turns.flatMap((turn) => turn.pictures);

export function add(question, pictures, { onEdit, onRetry }) {
  const turn = { question, pictures, answer: '' };
  turn.body = make('div', { class: 'body' });
  turn.thoughts = make('p');
  turn.thinking = make('details', { class: 'thoughts', hidden: true }, make('summary', {}, 'Thoughts'), turn.thoughts);
  turn.facts = make('span', { class: 'facts' });
  turn.tools = make('div', { class: 'tools' },
    make('button', { type: 'button', onclick: () => navigator.clipboard?.writeText(turn.answer) }, 'Copy'),
    make('button', { type: 'button', onclick: () => onRetry(turn) }, 'Try again'),
    make('button', { type: 'button', onclick: () => onEdit(turn) }, 'Edit question'), turn.facts);
  turn.tools.hidden = true;
  const images = make('ul', { class: 'pictures' }, ...pictures.map((picture) => make('li', {}, imageOf(picture))));
  turn.element = make('article', { class: 'turn' },
    make('div', { class: 'turn question' }, make('h2', {}, 'You'), ...(pictures.length > 0 ? [images] : []), make('p', {}, question)),
    make('div', { class: 'answer' }, make('h2', {}, 'Answer'), turn.thinking, turn.body, turn.tools));
  turns.push(turn);
  log.append(turn.element);
  return turn;
}

// Before the first word: what is being done.
export function wait(turn, words, share) {
  const children = [make('p', { class: 'waiting' }, words)];
  if (share !== undefined) children.push(make('progress', { max: 1, value: share, ariaLabel: words }));
  turn.body.replaceChildren(...children);
}

// What the model thinks before it answers: no part of the conversation.
export function think(turn, text) {
  turn.thinking.hidden = false;
  turn.thoughts.textContent += text;
  if (turn.answer === '') wait(turn, 'Thinking …');
}

export function write(turn, text) {
  turn.answer += text;
  turn.body.replaceChildren(...render(turn.answer));
}

// The answer is over: tools, figures, and its boxes on the latest picture.
export function finish(turn, figures) {
  if (turn.answer === '') turn.body.replaceChildren(make('p', { class: 'caption' }, 'No answer.'));
  turn.facts.textContent = figures;
  turn.tools.hidden = false;
  const boxes = boxesOf(turn.answer);
  const picture = shown().findLast((one) => one.size);
  if (boxes.length > 0 && picture) turn.body.append(drawn(picture, boxes));
}
