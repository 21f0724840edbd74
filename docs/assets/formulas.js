// Sets what pymdownx.arithmatex marked, by the copy of KaTeX beside this file; nothing is loaded from elsewhere.
function setFormulas() {
  for (const element of document.querySelectorAll(".arithmatex:not(.set)")) {
    const shown = element.textContent.trim();
    katex.render(shown.slice(2, -2), element, { displayMode: shown.startsWith("\\["), throwOnError: false });
    element.classList.add("set");
  }
}
if (typeof document$ !== "undefined") {
  document$.subscribe(setFormulas);
} else {
  document.addEventListener("DOMContentLoaded", setFormulas);
}
