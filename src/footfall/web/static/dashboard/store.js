// What the page knows, in one place. Parts of the page name what they show, and are drawn again when that changes.

import { useEffect, useReducer, useRef } from "../vendor/htm-preact.js";

/** A state that is replaced, never changed: `set({…})` replaces some of its members. */
export function createStore(initial) {
  let state = initial;
  const listeners = new Set();
  return {
    get: () => state,
    set(members) {
      state = { ...state, ...members };
      for (const listener of [...listeners]) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export const store = createStore({
  link: { state: "connecting", retryAt: 0, reason: "" }, // connecting, live, waiting, refused
  overview: null,
  readings: {}, // by counter
  roots: null, // names at the top, or null if they are not known or too many to add up
  chosen: "", // a counter, or "" for all together
  samples: [], // [seconds, value] of what is chosen, of the last minutes
  owners: [], // ids of nodes, each at the place that is its colour; null where a place is free
  gone: {}, // nodes that are not heard any more: id → { node, since }
  dialog: null,
  winner: null, // a milestone that is being celebrated
  said: "", // for those who listen to the page
});

/** A part of the state; whoever uses it is drawn again when `select` gives something else. */
export function useStore(select) {
  const [, draw] = useReducer((times) => times + 1, 0);
  const selected = select(store.get());
  const latest = useRef();
  latest.current = { select, selected };
  useEffect(() => {
    const look = () => {
      if (latest.current.select(store.get()) !== latest.current.selected) draw();
    };
    look(); // it may have changed between drawing and now
    return store.subscribe(look);
  }, []);
  return selected;
}
