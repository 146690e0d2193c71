// Confirm, engage, disengage. Buttons that would begin something are dead while the page is not live; the one that
// ends it never is.

import { $, make, refill, say } from "./dom.js";
import { command, post, token } from "./talk.js";
import { isAt, metres, place, seconds } from "./words.js";

export class Control {
  constructor(about) {
    this.about = about;
    this.status = null;
    this.live = false;
    this.trusted = false;
    $("control").classList.toggle("shown-only", !about.control);
    say($("control-note"), about.control
      ? "No mode is switched from here: the pilot's own switch starts a flight, and ends it."
      : "This page only shows. Control from here needs [page] control = true; on the computer itself: homing confirm, homing engage.");
    $("token-form").onsubmit = (event) => this.useToken(event);
    $("token-forget").onclick = () => this.forgetToken();
    $("engage").onclick = () => this.askToEngage();
    $("disengage").onclick = () => this.send({ command: "disengage" }, "Disengaged.");
    $("engage-dialog").onclose = () => this.engageIfYes();
    if (about.control && token.get()) this.tryToken();
    this.look();
  }

  show(status) {
    if (this.status && this.status.state !== status.state) say($("control-answer"), ""); // it was of another state
    this.status = status;
    const pending = status.pending_target;
    const confirmed = status.target;
    const key = JSON.stringify([pending?.target_id, pending?.confirmable, confirmed, this.trusted, this.live, this.about.control]);
    refill($("control-waiting"), key, () => [
      make("p", {}, make("b", { textContent: "Confirmed: " }), confirmed ? place(confirmed) : "no target"),
      pending && !isAt(pending.place, confirmed) ? this.waiting(pending) : null,
    ].filter(Boolean));
    this.look();
  }

  waiting(pending) {
    const button = make("button", { textContent: `Confirm ${pending.target_id}`, className: "go", id: "confirm" });
    button.disabled = !(pending.confirmable && this.may());
    button.onclick = () => this.send({ command: "confirm", target_id: pending.target_id }, "Confirmed.");
    const what = pending.confirmable ? place(pending.place) : `no place was accepted: ${pending.reason}`;
    return make("p", {}, make("b", { textContent: "Waits: " }), what, this.about.control ? button : null);
  }

  may() {
    return this.about.control && this.trusted && this.live;
  }

  setLive(live) {
    if (live === this.live) return;
    this.live = live;
    if (this.status) this.show(this.status);
    this.look();
  }

  look() {
    $("engage").disabled = !this.may();
    $("disengage").disabled = !(this.about.control && this.trusted);
    $("upload-form").hidden = !this.about.control;
    document.body.classList.toggle("trusted", this.trusted);
    document.body.classList.toggle("may-control", this.may());
  }

  askToEngage() {
    const { target, distance_m: away } = this.status;
    const where = target ? `to ${place(target)}, ${metres(away)} away` : "(no target is confirmed yet)";
    say($("engage-text"), `For ${seconds(this.about.consent_s)} the pilot's switch into the guided mode starts the flight ${where}.`);
    $("engage-dialog").returnValue = "no";
    $("engage-dialog").showModal();
  }

  engageIfYes() {
    if ($("engage-dialog").returnValue === "yes") this.send({ command: "engage" }, "Engaged: the pilot's switch is waited for.");
  }

  async send(request, said) {
    say($("control-answer"), "…");
    const { ok, status, answer } = await command(request);
    if (status === 401) this.setTrusted(false);
    say($("control-answer"), ok ? said : answer.error ?? "it was refused.");
    $("control-answer").className = ok ? "good" : "warning";
    return ok;
  }

  useToken(event) {
    event.preventDefault();
    token.set($("token").value.trim());
    $("token").value = "";
    this.tryToken();
  }

  async tryToken() {
    const { ok, status, answer } = await post("/api/token");
    if (status === 401) token.forget();
    this.setTrusted(ok);
    say($("control-answer"), ok ? "" : answer.error ?? "");
    $("control-answer").className = "warning";
  }

  forgetToken() {
    token.forget();
    this.setTrusted(false);
  }

  setTrusted(trusted) {
    this.trusted = trusted;
    if (this.status) this.show(this.status);
    this.look();
  }
}
