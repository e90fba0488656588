// Events of the node, for as long as they are wanted. EventSource cannot send a token, so the stream is read with fetch;
// what it does else is done here: it comes back after a break, and says which event it had last.

import { createParser } from "../vendor/eventsource-parser.js";
import { headers, refusal, Refusal } from "./api.js";

const RETRY_S = [1, 2, 4, 8, 10];
const ANSWER_MAX_MS = 10_000; // a line that leads nowhere, as after a phone's sleep, is said to be one
const SILENCE_MAX_MS = 35_000; // two heartbeats and a little

export class Stream {
  /**
   * `on.event(name, text)` gets what comes, `on.open(date)` and `on.waiting(seconds, reason)` how the connection is,
   * `on.refused(refusal)` that the node will not.
   */
  constructor(on) {
    this.on = on;
    this.lastId = "";
    this.where = "";
    this.control = null;
    this.wake = null;
  }

  /** Read events from there, instead of where they were read from until now. */
  open(where) {
    this.close();
    this.where = where;
    this.control = new AbortController();
    this.run(where, this.control.signal);
  }

  close() {
    this.control?.abort();
    this.wake?.();
  }

  /** Do not wait any longer. */
  hurry() {
    if (this.wake) this.wake();
    else this.open(this.where); // also after it was refused
  }

  async run(where, signal) {
    let failures = 0;
    const opened = (date) => {
      failures = 0;
      this.on.open(date);
    };
    while (!signal.aborted) {
      let reason = "";
      try {
        await this.read(where, signal, opened);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Refusal && [401, 403].includes(error.status)) return this.on.refused(error);
        if (error instanceof Refusal) reason = error.message;
      }
      if (signal.aborted) return;
      const seconds = RETRY_S[Math.min(failures++, RETRY_S.length - 1)];
      this.on.waiting(seconds, reason);
      await this.wait(seconds);
    }
  }

  wait(seconds) {
    return new Promise((done) => {
      const timer = setTimeout(done, seconds * 1_000);
      this.wake = () => {
        clearTimeout(timer);
        done();
      };
    }).finally(() => (this.wake = null));
  }

  async read(where, signal, opened) {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    signal.addEventListener("abort", stop);
    let watchdog = 0;
    const within = (time) => {
      clearTimeout(watchdog);
      watchdog = setTimeout(stop, time);
    };
    within(ANSWER_MAX_MS);
    try {
      const sent = headers();
      const resumed = this.lastId ? { "last-event-id": this.lastId } : {};
      const response = await fetch(where, { headers: { ...sent, ...resumed }, signal: attempt.signal, cache: "no-store" });
      if (!response.ok) throw await refusal(response, "authorization" in sent);
      within(SILENCE_MAX_MS);
      opened(response.headers.get("date"));
      const parser = createParser({
        onEvent: ({ id, event, data }) => {
          if (id) this.lastId = id;
          this.on.event(event, data);
        },
      });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        within(SILENCE_MAX_MS);
        parser.feed(part.value);
      }
    } finally {
      clearTimeout(watchdog);
      signal.removeEventListener("abort", stop);
    }
  }
}
