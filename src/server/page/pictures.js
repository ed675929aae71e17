// The pictures of the next question: how they come in, the strip that shows them, what each costs.
import { inspect } from './api.js';
import { find, make } from './dom.js';

// A picture: {name, url (what is sent), preview (what is shown, or ''), size, seen (see api.js), facts (a promise of seen)}.
const strip = find('strip');
let pictures = [];
let modelOf = () => '';
let onChange = () => {};

export function startPictures(options) {
  modelOf = options.model;
  onChange = options.change;
}

export const current = () => pictures;

export function replace(next) {
  pictures = [...next];
  draw();
}

export async function addFiles(files) {
  const added = await Promise.all([...files].map(fromFile));
  replace([...pictures, ...added]);
}

export function addAddress(url) {
  replace([...pictures, { name: url, url, preview: '' }]);
}

async function fromFile(file) {
  const url = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error(`${file.name || 'The picture'} cannot be read.`));
    reader.readAsDataURL(file);
  });
  const preview = URL.createObjectURL(file);
  const size = await sizeOf(preview);
  return { name: file.name || 'Picture', url, preview: size ? preview : '', size };
}

// The size as a browser shows it, upright; nothing where it cannot show the format.
function sizeOf(source) {
  return new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve({ width: image.naturalWidth, height: image.naturalHeight });
    image.onerror = () => resolve(undefined);
    image.src = source;
  });
}

function draw() {
  strip.replaceChildren(...pictures.map(card));
  onChange();
}

function card(picture) {
  const cost = make('button', { type: 'button', class: 'cost', onclick: () => show(picture) }, 'What the model sees');
  const remove = make('button', {
    type: 'button', ariaLabel: `Remove ${picture.name}`, title: 'Remove',
    onclick: () => replace(pictures.filter((other) => other !== picture)),
  }, '×');
  facts(picture).then((seen) => { if (seen) cost.textContent = `${seen.tokens} tokens · look`; });
  return make('li', {}, make('div', { class: 'thumb' }, imageOf(picture), remove), cost);
}

export function imageOf(picture) {
  if (picture.preview !== '') return make('img', { src: picture.preview, alt: picture.name });
  return make('span', { class: 'address' }, picture.name.slice(0, 60));
}

// What the model makes of it, asked once for every model; nothing when the server cannot say.
export function facts(picture) {
  // The server gets a picture by its address only to answer about it.
  if (!picture.url.startsWith('data:')) {
    picture.problem = 'A picture by its address is looked at when the question is asked.';
    return Promise.resolve(undefined);
  }
  const model = modelOf();
  if (picture.factsFor !== model) {
    picture.factsFor = model;
    picture.facts = inspect(model, picture.url).then(
      (seen) => { picture.seen = seen; return seen; },
      (error) => { picture.problem = error.message; return undefined; });
  }
  return picture.facts;
}

async function show(picture) {
  const body = find('seen-body');
  body.replaceChildren(make('p', {}, 'Looking …'));
  find('seen').showModal();
  const seen = await facts(picture);
  if (!seen) {
    body.replaceChildren(make('p', {}, picture.problem ?? 'The server cannot say.'));
    return;
  }
  const rows = {
    Picture: `${seen.width} × ${seen.height} pixels, ${seen.format}`,
    'As the model sees it': `${seen.used.width} × ${seen.used.height} pixels`,
    Cost: `${seen.tokens} tokens`,
  };
  const list = make('dl');
  for (const [term, value] of Object.entries(rows)) list.append(make('dt', {}, term), make('dd', {}, value));
  const tiles = seen.tiles.map((tile, i) => make('li', {}, make('img', { src: tile.image, alt: `Tile ${i + 1} of ${seen.tiles.length}` })));
  body.replaceChildren(list, make('ul', { class: tiles.length === 1 ? 'tiles one' : 'tiles' }, ...tiles));
}
