"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const stage = at("stage");
  const items = [...at("pictures").children];
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const element = (name, className, ...children) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...children);
    return made;
  };

  const FARTHEST = 8;
  let index = -1;
  let versions = []; // of the current picture: { label, image }
  let left = ""; // the chosen labels; a picture without one shows another, and the choice stays
  let right = "";
  let tiled = false;
  let cut = 50; // where the slider is, in percent
  const view = { zoom: 1, x: 0, y: 0 }; // a point p of the picture, 0..1, is shown at zoom * p + x

  // Pictures

  async function show(wanted) {
    const next = clamp(wanted, 0, items.length - 1);
    if (next === index) return;
    index = next;
    const held = items[index].querySelector("template").content.cloneNode(true);
    const found = [...held.querySelectorAll("figure")].map((figure) => ({
      label: figure.dataset.version, image: figure.querySelector("img"),
    }));
    mark();
    await Promise.allSettled(found.map(({ image }) => image.decode()));
    if (index !== next) return; // another picture was chosen before this one was ready
    versions = found;
    const { image } = versions[0];
    stage.style.setProperty("--aspect", image.getAttribute("width") / image.getAttribute("height"));
    zoomTo(1);
    draw();
  }

  function mark() {
    const { name, note } = items[index].dataset;
    at("name").replaceChildren(...name.split(/(?<=[_./-])/).flatMap((part) => [part, element("wbr")]));
    at("place").textContent = [`${index + 1} of ${items.length}`, note].filter(Boolean).join(" · ");
    items.forEach((item, each) => {
      const button = item.querySelector("button");
      if (each === index) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
    const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = items[index];
    const list = at("pictures"); // not scrollIntoView, which would scroll the page as well
    list.scrollTo({
      left: offsetLeft - list.offsetLeft - (list.clientWidth - offsetWidth) / 2,
      top: offsetTop - list.offsetTop - (list.clientHeight - offsetHeight) / 2,
    });
    at("previous").disabled = index === 0;
    at("next").disabled = index === items.length - 1;
  }

  // Versions

  const version = (label, otherwise) => versions.find((each) => each.label === label) ?? versions[otherwise];
  const leftVersion = () => version(left, 0);
  const rightVersion = () => version(right, 1);

  function chooseLeft(label) {
    if (label === rightVersion().label) right = leftVersion().label;
    left = label;
    draw();
  }

  function chooseRight(label) {
    if (label === leftVersion().label) left = rightVersion().label;
    right = label;
    draw();
  }

  function draw() {
    at("slider").setAttribute("aria-pressed", String(!tiled));
    at("tiles").setAttribute("aria-pressed", String(tiled));
    at("choice").hidden = tiled;
    const sliding = Boolean(document.activeElement?.closest(".handle"));
    at("left").replaceChildren(...versions.map(({ label }) => new Option(label, label)));
    at("left").value = leftVersion().label;
    at("versions").replaceChildren(...versions.map(chip));
    stage.replaceChildren(tiled ? tiles() : slider());
    arrange();
    if (sliding) stage.querySelector(".handle")?.focus();
    const chosen = at("versions").querySelector("[aria-pressed=true]");
    at("versions").scrollTo({ left: chosen.offsetLeft - (at("versions").clientWidth - chosen.offsetWidth) / 2 });
  }

  function chip({ label }, number) {
    const button = element("button", "", element("span", "digit", String(number + 1)), label);
    button.type = "button";
    button.dataset.version = label;
    button.setAttribute("aria-pressed", String(label === rightVersion().label));
    button.addEventListener("click", () => {
      chooseRight(label);
      at("versions").children[number].focus();
    });
    return button;
  }

  function tiles() {
    return element("div", "tiling", ...versions.map(({ label, image }, number) => {
      const caption = element("figcaption", "", element("span", "digit", String(number + 1)), label);
      return element("figure", "tile", element("div", "window", element("div", "layer", image)), caption);
    }));
  }

  function slider() {
    const side = (name, { label, image }) =>
      element("div", `side ${name}`, element("div", "layer", image), element("span", "tag", label));
    const handle = element("div", "handle");
    handle.append(at("grip").content.cloneNode(true));
    handle.tabIndex = 0;
    const facts = { role: "slider", "aria-label": "Divider", "aria-valuemin": 0, "aria-valuemax": 100 };
    for (const [name, value] of Object.entries(facts)) handle.setAttribute(name, value);
    handle.addEventListener("keydown", slideByKey);
    const made = element("div", "window", side("left", leftVersion()), side("right", rightVersion()), handle);
    queueMicrotask(() => slideTo(cut));
    return made;
  }

  function slideTo(percent) {
    cut = clamp(percent, 0, 100);
    stage.style.setProperty("--cut", `${cut}%`);
    const handle = stage.querySelector(".handle");
    handle?.setAttribute("aria-valuenow", Math.round(cut));
    handle?.setAttribute("aria-valuetext", `${Math.round(cut)} % ${leftVersion().label}, then ${rightVersion().label}`);
  }

  function slideByKey(event) {
    const to = {
      ArrowLeft: cut - 2, ArrowDown: cut - 2, ArrowRight: cut + 2, ArrowUp: cut + 2,
      PageDown: cut - 10, PageUp: cut + 10, Home: 0, End: 100,
    }[event.key];
    if (to === undefined || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    slideTo(to);
  }

  // Choose the number of columns that makes the tiles largest.
  function arrange() {
    if (!tiled || !versions.length) return;
    const aspect = Number(stage.style.getPropertyValue("--aspect"));
    const high = getComputedStyle(stage).containerType === "size" ? stage.clientHeight : innerHeight;
    let best = { width: 0 };
    for (let columns = 1; columns <= versions.length; columns++) {
      const rows = Math.ceil(versions.length / columns);
      const width = Math.min(stage.clientWidth / columns, (high / rows - 36) * aspect);
      if (width > best.width) best = { columns, rows, width };
    }
    stage.style.setProperty("--columns", best.columns ?? 1);
    stage.style.setProperty("--rows", best.rows ?? versions.length);
  }

  // Zoom, in step for all versions: they share the numbers that are set here.

  function zoomTo(zoom, px = 0.5, py = 0.5) {
    const next = clamp(zoom, 1, FARTHEST);
    const grown = next / view.zoom;
    view.zoom = next;
    moveTo(px - (px - view.x) * grown, py - (py - view.y) * grown);
  }

  function moveTo(x, y) {
    view.x = clamp(x, 1 - view.zoom, 0);
    view.y = clamp(y, 1 - view.zoom, 0);
    for (const [name, value] of Object.entries(view)) stage.style.setProperty(`--${name}`, value);
    stage.classList.toggle("zoomed", view.zoom > 1);
    at("zoom").textContent = `${Math.round(view.zoom * 100)}\u2009%`;
    at("out").disabled = view.zoom === 1;
    at("in").disabled = view.zoom === FARTHEST;
  }

  // The position of an event in its window, 0..1.
  function place(event, pane) {
    const box = pane.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  // Mouse, pen and fingers

  const touching = new Map(); // id -> its last event
  let drag = null; // the current drag: { pane, first, slides }

  stage.addEventListener("pointerdown", (event) => {
    const pane = event.target.closest(".window");
    if (!pane || event.button !== 0) return;
    touching.set(event.pointerId, event);
    pane.setPointerCapture(event.pointerId);
    const slides = !tiled && (view.zoom === 1 || Boolean(event.target.closest(".handle")));
    drag = { pane, first: event, slides: slides && touching.size === 1 };
    if (drag.slides && !mayScroll(event)) slideTo(100 * place(event, pane)[0]);
  });

  // A vertical swipe scrolls the page, and the browser cancels the pointer; a horizontal one moves the slider.
  function mayScroll(event) {
    if (event.pointerType !== "touch" || drag.first.target.closest(".handle")) return false;
    return Math.abs(event.clientX - drag.first.clientX) <= Math.abs(event.clientY - drag.first.clientY);
  }

  stage.addEventListener("pointermove", (event) => {
    const before = touching.get(event.pointerId);
    if (!before || !drag) return;
    const other = [...touching].find(([id]) => id !== event.pointerId)?.[1];
    const box = drag.pane.getBoundingClientRect();
    if (other) {
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      const [ax, ay] = place(event, drag.pane);
      const [bx, by] = place(other, drag.pane);
      zoomTo((view.zoom * apart(event)) / Math.max(1, apart(before)), (ax + bx) / 2, (ay + by) / 2);
    } else if (drag.slides) {
      if (!mayScroll(event)) slideTo(100 * place(event, drag.pane)[0]);
    } else {
      moveTo(view.x + (event.clientX - before.clientX) / box.width, view.y + (event.clientY - before.clientY) / box.height);
    }
    touching.set(event.pointerId, event);
  });

  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, (event) => {
      if (drag?.slides && end === "pointerup") slideTo(100 * place(event, drag.pane)[0]); // a tap
      touching.delete(event.pointerId);
      if (touching.size) drag.slides = false; // the rest of a pinch
      else drag = null;
    });
  }
  stage.addEventListener("mousedown", (event) => event.preventDefault()); // a drag neither selects text nor moves the focus

  stage.addEventListener("dblclick", (event) => {
    const pane = event.target.closest(".window");
    if (pane) zoomTo(view.zoom > 1 ? 1 : 2.5, ...place(event, pane));
  });

  stage.addEventListener("wheel", (event) => {
    const pane = event.target.closest(".window");
    if (!pane || !(event.ctrlKey || event.metaKey)) return; // the page scrolls
    event.preventDefault();
    zoomTo(view.zoom * Math.exp(-event.deltaY / (event.deltaMode ? 8 : 200)), ...place(event, pane));
  }, { passive: false });

  // Keys

  const layout = (wanted) => { tiled = wanted; draw(); };
  const swap = () => { [left, right] = [rightVersion().label, leftVersion().label]; draw(); };
  const closer = () => zoomTo(view.zoom * 1.5);
  const farther = () => zoomTo(view.zoom / 1.5);
  const PAN = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };
  const KEYS = {
    ArrowLeft: () => show(index - 1), ArrowRight: () => show(index + 1), Home: () => show(0), End: () => show(items.length - 1),
    "+": closer, "=": closer, "-": farther, 0: () => zoomTo(1), s: () => layout(!tiled), x: swap, "?": () => at("help").showModal(),
  };

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || at("help").open || event.target.closest("select")) return;
    const number = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1];
    const chosen = versions[number - 1]?.label;
    if (event.shiftKey && PAN[event.key]) {
      moveTo(view.x + PAN[event.key][0], view.y + PAN[event.key][1]);
    } else if (chosen) {
      tiled = false;
      (event.shiftKey ? chooseLeft : chooseRight)(chosen);
    } else if (event.key === "b" && !tiled) {
      stage.style.setProperty("--cut", "100%");
    } else if (KEYS[event.key]) {
      KEYS[event.key]();
    } else {
      return;
    }
    event.preventDefault();
  });
  addEventListener("keyup", (event) => { if (event.key === "b") slideTo(cut); });

  // Buttons

  const press = (id, action) => at(id).addEventListener("click", action);
  press("slider", () => layout(false));
  press("tiles", () => layout(true));
  press("in", closer);
  press("out", farther);
  press("fit", () => zoomTo(1));
  press("previous", () => show(index - 1));
  press("next", () => show(index + 1));
  press("keys", () => at("help").showModal());
  at("left").addEventListener("change", () => chooseLeft(at("left").value));
  items.forEach((item, each) => item.querySelector("button").addEventListener("click", () => show(each)));
  new ResizeObserver(arrange).observe(stage);

  const problems = at("problems");
  if (problems) {
    const link = element("a", "bad", problems.textContent.toLowerCase());
    link.href = "#problems";
    at("place").after(" · ", link);
  }
  at("viewer").hidden = items.length === 0;
  at("strip").hidden = at("steps").hidden = items.length < 2;
  document.querySelector(".compare").classList.toggle("single", items.length < 2);
  if (items.length) show(0);
})();
