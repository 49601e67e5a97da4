"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const survey = JSON.parse(at("survey").textContent);
  const sections = ["intro", "trial", "pause", "end"];
  const BLANK = 600; // milliseconds between two pictures
  const answers = [];
  let participant = "";
  let group = 0;
  let current = null; // the picture on the stage: { id, picture, start, hidden, answered }

  const show = (name) => sections.forEach((each) => { at(each).hidden = each !== name; });
  const wait = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });
  const pressed = (button) => new Promise((done) => { button.addEventListener("click", done, { once: true }); });
  const painted = () => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); });

  // Randomness that repeats for the same participant in the same test

  function hash(text) { // FNV-1a
    let value = 0x811c9dc5;
    for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193);
    return value >>> 0;
  }

  function chance(seed) { // mulberry32
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let value = Math.imul(state ^ (state >>> 15), 1 | state);
      value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
      return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
    };
  }

  function shuffled(items, random) {
    const mixed = [...items];
    for (let last = mixed.length - 1; last > 0; last -= 1) {
      const other = Math.floor(random() * (last + 1));
      [mixed[last], mixed[other]] = [mixed[other], mixed[last]];
    }
    return mixed;
  }

  // One picture

  async function ask(id, place, done) {
    const picture = new Image();
    picture.alt = place; // a description would be a hint
    picture.src = `data:image/jpeg;base64,${survey.pictures[id]}`;
    at("place").textContent = place;
    at("progress").value = done;
    at("verdict").hidden = true;
    at("answers").hidden = false;
    at("stage").replaceChildren();
    await Promise.all([picture.decode(), wait(BLANK)]);
    at("stage").replaceChildren(picture);
    await painted();
    return new Promise((answered) => {
      current = { id, picture, start: performance.now(), hidden: null, answered };
      if (survey.seconds) setTimeout(hide, survey.seconds * 1000, current);
    });
  }

  function hide(asked) {
    if (asked !== current) return; // answered already
    current.hidden = performance.now();
    const question = document.createElement("p");
    question.textContent = "Real, or colored by a computer?";
    at("stage").replaceChildren(question);
  }

  function answer(what) {
    if (!current) return;
    const now = performance.now();
    const { id, picture, start, hidden, answered } = current;
    current = null;
    at("stage").replaceChildren(...(id in survey.solutions ? [picture] : [])); // after practice, look at it once more
    answered({
      picture: id, answer: what, milliseconds: Math.round(now - start), shown: Math.round((hidden ?? now) - start),
    });
  }

  // The test

  async function run() {
    const random = chance(hash(`${survey.test} ${participant}`));
    const practice = shuffled(survey.practice[group], random);
    const pictures = shuffled(survey.groups[group], random);
    show("trial");
    for (const [index, id] of practice.entries()) {
      const place = `Practice ${index + 1} of ${practice.length}`;
      const given = await ask(id, place, index / practice.length);
      at("feedback").textContent = `${given.answer === survey.solutions[id] ? "Right" : "Wrong"}: `
        + (survey.solutions[id] === "real" ? "the colors are real." : "a computer colored this picture.");
      at("answers").hidden = true;
      at("verdict").hidden = false;
      at("next").focus();
      await pressed(at("next"));
    }
    if (practice.length) {
      show("pause");
      at("start").focus();
      await pressed(at("start"));
      show("trial");
    }
    for (const [index, id] of pictures.entries()) {
      answers.push(await ask(id, `Picture ${index + 1} of ${pictures.length}`, index / pictures.length));
    }
    finish();
  }

  function finish() {
    const result = {
      format: survey.format, test: survey.test, participant, group, finished: new Date().toISOString(), answers,
    };
    const text = JSON.stringify(result, null, 1);
    at("result").value = text;
    at("save").href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    at("save").download = `turing-${survey.test}-${participant.replace(/[^\p{L}\p{N}_-]+/gu, "-")}.json`;
    show("end");
    at("thanks").focus();
  }

  async function copy() {
    const box = at("result");
    try {
      await navigator.clipboard.writeText(box.value);
    } catch { // some browsers do not allow this for pages opened from a file
      box.select();
      if (!document.execCommand("copy")) {
        at("copied").textContent = "Select the text below and copy it.";
        return;
      }
    }
    at("copied").textContent = "Copied.";
    stay(false);
  }

  const warn = (event) => event.preventDefault();
  const stay = (wanted) => (wanted ? addEventListener : removeEventListener)("beforeunload", warn);

  at("participant").value = new URLSearchParams(`id=${location.hash.slice(1)}`).get("id"); // page.html#17: participant 17
  at("begin").addEventListener("submit", (event) => {
    event.preventDefault();
    participant = at("participant").value.trim();
    if (!participant) return;
    const count = survey.groups.length;
    group = /^\d+$/.test(participant) ? Number(BigInt(participant) % BigInt(count)) : hash(participant) % count;
    stay(true); // the answers exist only in this page
    run();
  });
  at("answers").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) answer(button.dataset.answer);
  });
  addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === "r" || key === "arrowleft") answer("real");
    if (key === "c" || key === "arrowright") answer("colored");
  });
  at("save").addEventListener("click", () => stay(false));
  at("copy").addEventListener("click", copy);
})();
