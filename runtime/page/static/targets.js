// Targets side by side, each with the places that resemble it. What is chosen here waits for a confirmation.

import { $, make, refill, say } from "./dom.js";
import { post } from "./talk.js";
import { DASH, metres, percent, place } from "./words.js";

export class Targets {
  constructor(run, control) {
    this.run = run;
    this.control = control;
    this.uploads = [];
    this.shownCandidates = [];
    $("upload-form").onsubmit = (event) => this.upload(event);
  }

  show(message) {
    if (message.targets) this.uploads = message.targets;
    const pending = message.status?.pending_target ?? null;
    const cards = this.cards(pending);
    this.shownCandidates = pending ? pending.candidates : [];
    const key = JSON.stringify([cards, document.body.className.includes("may-control")]);
    refill($("target-cards"), key, () => cards.map((card) => this.card(card)));
    if (cards.length === 0) refill($("target-cards"), "none", () => [make("p", { textContent: "No target yet." })]);
  }

  // The uploads, and the target that waits where it came from the command line.
  cards(pending) {
    const cards = this.uploads.map((upload) => ({ ...upload, waits: Boolean(pending && upload.answer?.target_id === pending.target_id) }));
    if (pending && !cards.some((card) => card.waits)) {
      cards.push({ id: null, name: pending.target, gsd_m: null, answer: pending, waits: true });
    }
    return cards.reverse();
  }

  card(card) {
    const { answer } = card;
    const picture = card.id === null ? null
      : make("img", { src: `/target/${card.id}.jpg?run=${this.run}`, alt: `target ${card.name}`, className: "target" });
    return make("article", { className: card.waits ? "waits" : "" },
      make("header", {}, make("h3", { textContent: card.name }), make("p", {}, ...verdict(card))),
      make("div", { className: "strip" },
        picture ? make("figure", {}, picture, make("figcaption", {}, make("b", { textContent: "target" }),
          card.gsd_m ? ` ${card.gsd_m} m a pixel` : " scale by the file")) : null,
        ...(answer?.candidates ?? []).map((candidate, index) => this.candidate(candidate, index))),
      this.choice(card));
  }

  candidate(candidate, index) {
    const button = make("button", { textContent: "Choose this place", disabled: !this.control.may() });
    button.onclick = () => this.control.send({
      command: "target", latitude_deg: candidate.latitude_deg, longitude_deg: candidate.longitude_deg,
    }, "Chosen: it waits for your confirmation.");
    return make("figure", {},
      make("img", { src: `/keyframe/${candidate.keyframe}.jpg?px=320&run=${this.run}`, alt: `keyframe ${candidate.keyframe}`, loading: "lazy" }),
      make("figcaption", {}, make("b", { textContent: `${index + 1}` }), ` keyframe ${candidate.keyframe}, `,
        candidate.probability === null ? `similarity ${candidate.similarity.toFixed(2)}` : `right with ${percent(candidate.probability)}`,
        make("br"), place(candidate)),
      this.control.about.control ? button : null);
  }

  choice(card) {
    if (card.id === null || !card.answer || card.waits || !this.control.about.control) return null;
    const button = make("button", { textContent: "Look again, and make it the target", disabled: !this.control.may() });
    button.onclick = () => post(`/api/targets/${card.id}/locate`);
    return button;
  }

  async upload(event) {
    event.preventDefault();
    const file = $("upload-file").files[0];
    if (!file) return;
    say($("upload-answer"), "sending…");
    const scale = $("upload-gsd").value.trim().replace(",", ".");
    const query = new URLSearchParams({ name: file.name, ...(scale ? { gsd_m: scale } : {}) });
    const { ok, answer } = await post(`/api/targets?${query}`, file, file.type || "application/octet-stream");
    say($("upload-answer"), ok ? "" : answer.error ?? "it was refused.");
    $("upload-answer").className = "warning";
    if (ok) $("upload-file").value = "";
  }
}

function verdict({ answer, waits }) {
  if (!answer) return [make("b", { className: "news", textContent: "looking for it…" })];
  if (answer.error) return [make("b", { className: "warning", textContent: "not looked for: " }), answer.error];
  const sure = answer.probability === null ? DASH : percent(answer.probability);
  if (!answer.confirmable) {
    return [make("b", { className: "warning", textContent: "no place accepted: " }), `${answer.reason} (best: ${sure})`];
  }
  const known = answer.place.sigma_m ? `, ± ${metres(answer.place.sigma_m)}` : "";
  return [make("b", { className: "good", textContent: waits ? "found, waits for confirmation: " : "found: " }),
    `${place(answer.place)}${known}, right with ${sure}`];
}
