import "./vendor/htm-preact.js";
