// What the comment form can do with a script: it moves to the comment that is answered, keeps a draft in the tab, and
// remembers its writer's details in this browser if asked to. Without a script the form stays below all comments.
(function () {
  "use strict";
  const respond = document.getElementById("respond");
  if (!respond) return;
  const form = respond.querySelector("form");
  const field = (name) => form.querySelector(`[name="${name}"]`);
  const [parent, token, text] = ["parent", "token", "text"].map(field);

  // Storage may be switched off; then nothing is kept.
  function load(storage, key) {
    try {
      return JSON.parse(window[storage].getItem(key));
    } catch {
      return null;
    }
  }

  function save(storage, key, value) {
    try {
      if (value) window[storage].setItem(key, JSON.stringify(value));
      else window[storage].removeItem(key);
    } catch {
      // As if it had not been asked for.
    }
  }

  // --- The place of the form ---

  const home = respond.nextSibling;
  const section = respond.parentNode;
  const title = document.getElementById("respond-title");
  const cancel = respond.querySelector(".cancel");
  const words = title.textContent;

  function answer(link) {
    parent.value = link.dataset.parent;
    title.textContent = link.getAttribute("aria-label");
    cancel.hidden = false;
    link.closest("article").after(respond);
  }

  function leave() {
    parent.value = "";
    title.textContent = words;
    cancel.hidden = true;
    section.insertBefore(respond, home);
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.reply");
    const plain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    if (!plain || !(link || event.target === cancel)) return;
    event.preventDefault();
    history.replaceState(null, "", "#" + (link ? link.id : respond.id));
    if (link) answer(link);
    else leave();
    keepDraft();
    title.focus();
  });

  // --- The draft, kept until its comment is saved or the tab is closed ---

  const draftKey = "comment-draft " + location.pathname;

  function keepDraft() {
    save("sessionStorage", draftKey, text.value && { text: text.value, parent: parent.value });
  }

  function restoreDraft() {
    const draft = load("sessionStorage", draftKey);
    if (!draft) return;
    text.value = text.value || draft.text;
    const link = draft.parent && document.getElementById("reply-" + draft.parent);
    if (link) answer(link);
  }

  text.addEventListener("input", keepDraft);

  // --- The writer's details ---

  const remember = document.getElementById("comment-remember");
  const details = ["name", "email", "website"].map(field);
  const detailsKey = "comment-details";

  function fillDetails() {
    const known = load("localStorage", detailsKey);
    remember.closest("p").hidden = false;
    remember.checked = Boolean(known);
    for (const input of known ? details : []) input.value = input.value || known[input.name] || "";
  }

  function keepDetails() {
    const given = Object.fromEntries(details.map((input) => [input.name, input.value]));
    save("localStorage", detailsKey, remember.checked && given);
  }

  remember.addEventListener("change", keepDetails);

  // --- The token, which says when the form was begun ---

  const refused = respond.querySelector(".refused");
  let asked = false;
  let asking = null;

  async function askToken() {
    try {
      const answered = await fetch(form.dataset.token, { cache: "no-store", signal: AbortSignal.timeout(3000) });
      const begun = await answered.json();
      token.value = begun.token || "";
      refused.textContent = begun.closed || "";
      refused.hidden = !begun.closed;
    } catch {
      // Without a token the next page asks to confirm.
    }
  }

  form.addEventListener("focusin", () => {
    if (asked || !form.dataset.token) return;
    asked = true;
    asking = askToken().finally(() => (asking = null));
  });

  // --- Sending, once ---

  const longest = text.maxLength;
  let sent = false;

  // A text that is cut when it is pasted is lost; one that is too long can be shortened.
  function checkLength() {
    const over = text.value.length - longest;
    text.setCustomValidity(over > 0 ? `Please shorten the comment by ${over} characters.` : "");
  }

  text.removeAttribute("maxlength");
  text.addEventListener("input", checkLength);

  form.addEventListener("submit", (event) => {
    if (sent || asking) event.preventDefault();
    if (sent) return;
    sent = true;
    keepDetails();
    const button = event.submitter;
    asking?.then(() => {
      sent = false;
      form.requestSubmit(button);
    });
  });

  // A page that the browser kept is a new form: what it sent was another comment.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    sent = asked = false;
    token.value = "";
  });

  // --- Comments of this reader, which may be deleted for a while ---

  const own = document.getElementById("own-comment");
  const receiptsKey = "comment-receipts";

  // A page that is opened with a receipt shows a comment that was saved. The receipt leaves the address, which may be
  // copied and shown to others.
  function takeReceipt() {
    const here = new URL(location.href);
    const receipt = here.searchParams.get("receipt");
    if (!receipt) return;
    save("sessionStorage", draftKey);
    here.searchParams.delete("receipt");
    history.replaceState(null, "", here);
    if (!own) return;
    const until = Date.now() + own.dataset.minutes * 60000;
    const known = load("sessionStorage", receiptsKey) || [];
    save("sessionStorage", receiptsKey, [{ receipt, anchor: here.hash.slice(1), until }, ...known].slice(0, 20));
  }

  function showOwn() {
    for (const { receipt, anchor, until } of load("sessionStorage", receiptsKey) || []) {
      const comment = /^comment-\d+$/.test(anchor) && document.getElementById(anchor);
      if (!comment || until < Date.now() || comment.querySelector(".delete")) continue;
      const copy = document.importNode(own.content, true);
      copy.querySelector("a").search = new URLSearchParams({ receipt });
      comment.querySelector(".answer").append(copy);
    }
  }

  const named = /^#reply-\d+$/.test(location.hash) && document.getElementById(location.hash.slice(1));
  token.value = "";
  takeReceipt();
  restoreDraft();
  fillDetails();
  checkLength();
  if (own) showOwn();
  if (named) {
    answer(named);
    history.replaceState(null, "", "#" + title.id); // or the browser would move on to the link
    title.focus();
  }
})();
