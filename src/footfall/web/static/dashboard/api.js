// Asks the node. A token, if one was given, is kept for this tab alone, and goes nowhere but into a header.

import { parse, sentence } from "./numbers.js";

const KEY = "footfall-token";
const TIMEOUT_MS = 10_000;

/** The node answered that it will not: `message` is for people. */
export class Refusal extends Error {
  constructor(status, message, withToken) {
    super(message);
    this.status = status;
    this.withToken = withToken; // whether a token was shown
  }
}

/** Does something with the storage; where that is barred, nothing. */
function stored(action) {
  try {
    return action(sessionStorage);
  } catch {
    return null; // a token lasts as long as the page
  }
}

let secret = stored((storage) => storage.getItem(KEY)) ?? "";

export const token = {
  get: () => secret,
  set(given) {
    secret = given;
    stored((storage) => (given ? storage.setItem(KEY, given) : storage.removeItem(KEY)));
  },
};

export const path = (...parts) => `/v1/${parts.map((part) => encodeURIComponent(part)).join("/")}`;

export function headers() {
  return secret ? { authorization: `Bearer ${secret}` } : {};
}

/** Why an answer is none, from its problem document. */
export async function refusal(response, withToken) {
  if (response.status === 401 && !withToken) return new Refusal(401, "This needs a token.", false);
  const problem = await response.json().catch(() => ({}));
  return new Refusal(response.status, sentence(problem.detail ?? `the node answered ${response.status}`), withToken);
}

/** The answer to a request, decoded. Throws a Refusal, or another error if none came; its message is for people, too. */
export async function ask(method, where, body) {
  const sent = headers();
  const response = await fetch(where, {
    method,
    headers: sent,
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(() => {
    throw new Error("The node does not answer: try again."); // browsers say it each in their way
  });
  if (!response.ok) throw await refusal(response, "authorization" in sent);
  return parse(await response.text());
}
