// What this page asks of its server, in the OpenAI dialect.
import { dataOf } from './sse.js';

// What went wrong, in words for the person who reads it.
export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

let key = '';
export function useKey(value) { key = value.trim(); }

async function request(path, body, signal) {
  const headers = key === '' ? {} : { authorization: `Bearer ${key}` };
  const options = { headers, signal, cache: 'no-store' };
  if (body !== undefined) {
    headers['content-type'] = 'application/json';
    options.method = 'POST';
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ServerError('The server does not answer.', 0);
  }
  if (response.ok) return response;
  throw await errorOf(response);
}

async function errorOf(response) {
  const text = await response.text().catch(() => '');
  let message = '';
  try {
    message = JSON.parse(text).error?.message ?? '';
  } catch {
    // Not ours: something between the page and the server has answered.
  }
  if (response.status === 401) message = 'This server asks for a key: put it into Settings.';
  return new ServerError(message || `The server answered ${response.status}.`, response.status);
}

// The models that the server has: [{id, …}], in its order.
export async function models() {
  return (await (await request('v1/models')).json()).data;
}

// What a model makes of a picture: its size, tokens and tiles. See /v1/images/inspect.
export async function inspect(model, url, signal) {
  return (await request('v1/images/inspect', { model, image_url: url }, signal)).json();
}

// Streams the answer to `messages`: objects {text} | {thoughts} | {stage, done, total} | {usage, timings, reason, seed}.
export async function* chat({ model, messages, temperature, tokens, signal }) {
  const body = {
    model, messages, stream: true, return_progress: true, timings_per_token: true,
    stream_options: { include_usage: true },
  };
  if (temperature !== undefined) body.temperature = temperature;
  if (tokens !== undefined) body.max_completion_tokens = tokens;
  const response = await request('v1/chat/completions', body, signal);
  for await (const data of dataOf(response.body)) {
    if (data === '[DONE]') return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new ServerError(chunk.error.message, response.status);
    const progress = chunk.prompt_progress;
    if (progress) yield { stage: progress.stage ?? 'prefill', done: progress.processed, total: progress.total };
    const choice = chunk.choices?.[0];
    if (choice?.delta?.reasoning_content) yield { thoughts: choice.delta.reasoning_content };
    if (choice?.delta?.content) yield { text: choice.delta.content };
    if (choice?.finish_reason || chunk.usage || chunk.timings) {
      yield { reason: choice?.finish_reason, usage: chunk.usage, timings: chunk.timings };
    }
  }
  throw new ServerError('The answer broke off: the connection was closed.', 0);
}
