// Passkeys: the only script. It shows what needs passkeys in browsers that have them, asks the browser for the answer
// to the options that the server makes, and sends it with the form. Without it, everything else works.
"use strict";

const known = window.PublicKeyCredential
  && typeof PublicKeyCredential.parseRequestOptionsFromJSON === "function"
  && typeof PublicKeyCredential.parseCreationOptionsFromJSON === "function";

async function ask(form) {
  const response = await fetch(form.dataset.options, { method: "POST", headers: { Accept: "application/json" } });
  if (response.redirected || !response.ok) {
    // The session has ended, or the person must first confirm: the server says so in place of this page.
    form.submit();
    return false;
  }
  const { options, challenge } = await response.json();
  const creates = form.dataset.passkey === "create";
  const credential = creates
    ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
    : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  form.elements.credential.value = JSON.stringify(credential.toJSON());
  form.elements.challenge.value = challenge;
  return true;
}

function explain(error) {
  if (error.name === "InvalidStateError") return "This device already has a passkey for this account.";
  if (error.name === "NotAllowedError") return "The browser got no answer. Try again, and follow what it asks for.";
  return "The browser cannot use a passkey here. Sign in another way.";
}

function enable(form) {
  const problem = form.querySelector('[role="alert"]');
  const button = form.querySelector("button");
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    button.disabled = true;
    try {
      if (await ask(form)) form.submit();
    } catch (error) {
      problem.textContent = explain(error);
      problem.hidden = false;
      button.disabled = false;
    }
  });
}

if (known) {
  document.querySelectorAll("[data-passkey]").forEach(enable);
  document.querySelectorAll("[data-passkeys]").forEach((part) => { part.hidden = false; });
  document.querySelectorAll("[data-no-passkeys]").forEach((part) => { part.hidden = true; });
}
