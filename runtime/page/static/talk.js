// What is sent to the daemon: only with the token, in a header that no other site's page can add.

const KEY = "homing-token";

export const token = {
  get: () => localStorage.getItem(KEY) ?? "",
  set: (text) => localStorage.setItem(KEY, text),
  forget: () => localStorage.removeItem(KEY),
};

// {ok, answer}: `answer.error` is the sentence of a refusal.
export async function post(path, body = null, type = "application/json") {
  const headers = { "x-homing-token": token.get() };
  if (body !== null) headers["content-type"] = type;
  try {
    const response = await fetch(path, { method: "POST", headers, body });
    const text = await response.text();
    return { ok: response.ok, status: response.status, answer: parsed(text) };
  } catch {
    return { ok: false, status: 0, answer: { error: "the daemon was not reached; nothing was sent." } };
  }
}

export const command = (request) => post("/api/command", JSON.stringify(request));

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return { error: text.trim() };
  }
}
