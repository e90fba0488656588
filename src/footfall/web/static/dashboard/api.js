// Asks the node. A token, if one was given, is kept for this tab alone, and goes nowhere but into a header.

import { parse } from "./numbers.js";

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

export const token = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (secret) => (secret ? sessionStorage.setItem(KEY, secret) : sessionStorage.removeItem(KEY)),
};

export const path = (...parts) => `/v1/${parts.map((part) => encodeURIComponent(part)).join("/")}`;

export function headers() {
  const secret = token.get();
  return secret ? { authorization: `Bearer ${secret}` } : {};
}

/** Why an answer is none, from its problem document. */
export async function refusal(response, withToken) {
  const problem = await response.json().catch(() => ({}));
  return new Refusal(response.status, problem.detail ?? `the node answered ${response.status}`, withToken);
}

/** The answer to a request, decoded. Throws a Refusal, or a TypeError if the node cannot be reached. */
export async function ask(method, where, body) {
  const sent = headers();
  const response = await fetch(where, {
    method,
    headers: sent,
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw await refusal(response, "authorization" in sent);
  return parse(await response.text());
}
