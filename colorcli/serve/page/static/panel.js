// The panel: the model, its options, the strength.
import { at, element } from "./elements.js";
import { text } from "./text.js";

const rounded = (value) => String(Math.round(value * 100) / 100);

const titled = (name) => name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");

// Where to get weights that are not on this computer
function elsewhere({ bytes, page }) {
  return page ? text("weights_page", { page }) : text("weights_hub", { size: Math.round(bytes / 1e6) });
}

export class Panel {
  // handlers: { change(apply), commit(), model(name) }: `apply` changes settings while a control moves, `commit` ends it
  constructor(models, handlers) {
    this.models = new Map(models.map((model) => [model.name, model]));
    this.handlers = handlers;
    const words = (model) => (model.here ? model.name : `${model.name} ↓`);
    at("model").replaceChildren(...models.map((model) => new Option(words(model), model.name)));
    at("compare").replaceChildren(new Option(text("original"), ""), ...models.map((model) => new Option(words(model), model.name)));
    at("model").addEventListener("change", () => {
      handlers.change((settings) => { settings.model = at("model").value; settings.seed = null; });
      handlers.commit();
    });
    this.follow(at("strength"), (settings) => { settings.strength = Number(at("strength").value); });
    this.follow(at("recolor"), (settings) => { settings.recolor = at("recolor").checked; });
  }

  follow(control, apply) {
    control.addEventListener("input", () => this.handlers.change(apply));
    control.addEventListener("change", () => { this.handlers.change(apply); this.handlers.commit(); });
  }

  show(settings, info) {
    const model = this.models.get(settings.model);
    const rebuild = at("model").value !== settings.model || !this.shown;
    at("model").value = settings.model;
    at("summary").textContent = model.here ? model.summary : `${model.summary} ${elsewhere(model)}`;
    at("strength").value = settings.strength;
    at("strength-value").textContent = `${Math.round(100 * settings.strength)}\u2009%`;
    at("recoloring").hidden = info?.tone !== "color";
    at("recolor").checked = settings.recolor;
    at("sampling").hidden = !model.samples;
    if (rebuild || this.shown !== model) this.build(model);
    this.shown = model;
    for (const option of model.options) this.set(option, settings.options[model.name]?.[option.name] ?? option.default);
  }

  build(model) {
    at("options").replaceChildren(...model.options.map((option) => {
      const id = `option-${option.name}`;
      const control = this.control(option, id);
      control.setAttribute("aria-describedby", `${id}-help`);
      const apply = (settings) => { (settings.options[model.name] ??= {})[option.name] = this.value(option, control); };
      this.follow(control, apply);
      return element(
        "div", { class: "setting" },
        element("label", { for: id }, titled(option.name)),
        ["number", "integer"].includes(option.kind) ? element("output", { for: id, id: `${id}-value` }) : "",
        control,
        element("p", { class: "muted small", id: `${id}-help` }, option.help),
      );
    }));
  }

  control(option, id) {
    if (option.kind === "choice") {
      const select = element("select", { id });
      select.replaceChildren(...option.choices.map((choice) => new Option(choice, choice)));
      return select;
    }
    if (option.kind === "switch") return element("input", { id, type: "checkbox" });
    if (option.kind === "text") return element("input", { id, type: "text", maxlength: option.maximum });
    const step = option.kind === "integer" ? 1 : "any";
    return element("input", { id, type: "range", min: option.minimum, max: option.maximum, step });
  }

  value(option, control) {
    if (option.kind === "switch") return control.checked;
    if (option.kind === "number") return Math.round(Number(control.value) * 1000) / 1000;
    return option.kind === "integer" ? Number(control.value) : control.value;
  }

  set(option, value) {
    const control = at(`option-${option.name}`);
    if (option.kind === "switch") control.checked = value;
    else control.value = value;
    const output = at(`option-${option.name}-value`);
    if (output) output.textContent = rounded(value);
  }
}
