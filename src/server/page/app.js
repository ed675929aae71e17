// The page: from what a person does to what is asked and shown.
import { chat, models, ServerError, useKey } from './api.js';
import * as conversation from './conversation.js';
import { find, make } from './dom.js';
import * as pictures from './pictures.js';

const question = find('question');
const model = find('model');
const alertBox = find('alert');
const kStages = { queue: 'Waiting for its turn', fetch: 'Getting the picture', decode: 'Opening the picture',
                  tower: 'Looking at the picture', prefill: 'Reading the question' };
let running;  // the AbortController of the answer that is being written

// ---- What is said beside the conversation ----

function complain(error) {
  const close = make('button', { type: 'button', ariaLabel: 'Close this message', onclick: () => alertBox.replaceChildren() }, '×');
  alertBox.replaceChildren(make('p', {}, error.message), close);
}

function update() {
  find('stop').disabled = running === undefined;
  find('ask').disabled = running !== undefined;
  find('welcome').hidden = !conversation.isEmpty();
  find('new').hidden = conversation.isEmpty();
}

const toEnd = () => scrollTo(0, document.documentElement.scrollHeight);

// ---- Asking ----

const numberOf = (id) => (find(id).value === '' ? undefined : Number(find(id).value));

async function ask(words, shown) {
  const turn = conversation.add(words, shown, { onEdit: edit, onRetry: retry });
  alertBox.replaceChildren();
  await answer(turn);
}

async function answer(turn) {
  running = new AbortController();
  update();
  turn.element.setAttribute('aria-busy', 'true');
  toEnd();
  conversation.wait(turn, 'Waiting for the model');
  const figures = { begun: performance.now() };
  try {
    const options = { model: model.value, messages: conversation.messages(), signal: running.signal,
                      temperature: numberOf('temperature'), tokens: numberOf('tokens') };
    for await (const event of chat(options)) show(turn, event, figures);
  } catch (error) {
    if (error.name !== 'AbortError') complain(error);
    figures.reason = error.name === 'AbortError' ? 'stopped' : 'error';
  }
  running = undefined;
  turn.element.removeAttribute('aria-busy');
  find('status').textContent = '';
  if (turn.answer === '' && figures.reason === 'error') {
    edit(turn);  // nothing was answered: the question goes back to where it can be changed
  } else {
    conversation.finish(turn, describe(figures));
    toEnd();
  }
  update();
  question.focus();
}

function show(turn, event, figures) {
  if (event.stage && turn.answer === '') {
    const share = event.total > 0 ? event.done / event.total : undefined;
    conversation.wait(turn, `${kStages[event.stage] ?? event.stage} …`, share);
  }
  if (event.thoughts) conversation.think(turn, event.thoughts);
  if (event.text) {
    figures.first ??= performance.now();
    // Follow the answer, but not away from what a person has scrolled to.
    const page = document.documentElement;
    const atEnd = page.scrollHeight - page.scrollTop - page.clientHeight < 120;
    conversation.write(turn, event.text);
    if (atEnd) toEnd();
  }
  Object.assign(figures, Object.fromEntries(Object.entries(event).filter(([, value]) => value)));
  if (figures.first) find('status').textContent = describe(figures);
}

function describe({ begun, first, usage, timings, reason }) {
  const words = [];
  if (reason === 'stopped') words.push('stopped');
  if (reason === 'length') words.push('cut at the longest length');
  if (usage) words.push(`${usage.prompt_tokens} + ${usage.completion_tokens} tokens`);
  if (first) words.push(`first after ${((first - begun) / 1000).toFixed(1)} s`);
  if (timings?.predicted_per_second) words.push(`${timings.predicted_per_second.toFixed(1)} tokens/s`);
  return words.join(' · ');
}

function submit() {
  const words = question.value.trim();
  if (running !== undefined || words === '') return;
  if (model.value === '') {
    complain(new ServerError('The server has no model.', 0));
    return;
  }
  const shown = pictures.current();
  question.value = '';
  grow();
  pictures.replace([]);
  ask(words, shown);
}

function edit(turn) {
  running?.abort();
  conversation.takeBack(turn);
  question.value = turn.question;
  pictures.replace(turn.pictures);
  grow();
  update();
  question.focus();
}

function retry(turn) {
  if (running !== undefined) return;
  conversation.takeBack(turn);
  ask(turn.question, turn.pictures);
}

// ---- Settings ----

async function loadModels() {
  try {
    const had = model.value;
    model.replaceChildren(...(await models()).map(({ id }) => make('option', { value: id }, id)));
    if (had !== '') model.value = had;
    if (alertBox.dataset.key === 'asked') alertBox.replaceChildren();
    alertBox.dataset.key = '';
  } catch (error) {
    alertBox.dataset.key = error.status === 401 ? 'asked' : '';
    if (error.status === 401) find('settings').open = true;
    complain(error);
  }
}

function grow() {
  question.style.height = '';
  question.style.height = `${question.scrollHeight}px`;
}

// ---- What a person does ----

function pick(from) {
  const files = find('files');
  files.toggleAttribute('capture', from === 'camera');
  files.click();
}

async function take(files) {
  const images = [...files].filter((file) => file.type === '' || file.type.startsWith('image/'));
  if (images.length < files.length) complain(new ServerError('Only pictures can be asked about.', 0));
  await pictures.addFiles(images).catch(complain);
  question.focus();
}

find('composer').addEventListener('submit', (event) => { event.preventDefault(); submit(); });
question.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
question.addEventListener('input', grow);
find('stop').addEventListener('click', () => running?.abort());
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && document.querySelector('dialog[open]') === null) running?.abort();
});
find('new').addEventListener('click', () => {
  running?.abort();
  conversation.clear();
  pictures.replace([]);
  update();
  question.focus();
});
for (const button of document.querySelectorAll('[data-pick]')) {
  button.addEventListener('click', () => pick(button.dataset.pick));
}
find('files').addEventListener('change', (event) => {
  const files = [...event.target.files];
  event.target.value = '';  // the same picture may be chosen again
  take(files);
});
document.addEventListener('paste', (event) => {
  if (event.clipboardData.files.length === 0) return;
  event.preventDefault();
  take(event.clipboardData.files);
});
document.addEventListener('dragover', (event) => { event.preventDefault(); document.body.classList.add('dragging'); });
document.addEventListener('dragleave', (event) => {
  if (event.relatedTarget === null) document.body.classList.remove('dragging');
});
document.addEventListener('drop', (event) => {
  event.preventDefault();
  document.body.classList.remove('dragging');
  if (event.dataTransfer.files.length > 0) take(event.dataTransfer.files);
});
find('address').addEventListener('click', () => find('address-dialog').showModal());
find('address-dialog').addEventListener('close', (event) => {
  const value = find('address-value').value.trim();
  if (event.target.returnValue === 'add' && value !== '') pictures.addAddress(value);
  find('address-value').value = '';
  event.target.returnValue = '';
});
find('key').addEventListener('change', () => {
  useKey(find('key').value);
  loadModels();
});
model.addEventListener('change', () => pictures.replace(pictures.current()));

pictures.startPictures({ model: () => model.value, change: update });
update();
loadModels();
