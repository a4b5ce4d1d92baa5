// Moves the comment form to the comment that is answered; without this script the form stays below all comments.
(function () {
  "use strict";
  var respond = document.getElementById("respond");
  if (!respond) return;
  var home = respond.parentNode;
  var title = document.getElementById("respond-title");
  var parent = respond.querySelector("input[name=parent]");
  var cancel = respond.querySelector(".cancel");
  var words = title.textContent;

  function answer(link) {
    parent.value = link.dataset.parent;
    title.textContent = link.getAttribute("aria-label");
    cancel.hidden = false;
    link.closest("article").after(respond);
    title.focus();
  }

  function leave() {
    parent.value = "";
    title.textContent = words;
    cancel.hidden = true;
    home.append(respond);
    title.focus();
  }

  document.addEventListener("click", function (event) {
    var link = event.target.closest("a.reply");
    if (link) {
      event.preventDefault();
      history.replaceState(null, "", "#" + link.id);
      answer(link);
    } else if (event.target === cancel) {
      event.preventDefault();
      history.replaceState(null, "", "#respond");
      leave();
    }
  });

  var named = /^#reply-\d+$/.test(location.hash) && document.getElementById(location.hash.slice(1));
  if (named) answer(named);
})();
