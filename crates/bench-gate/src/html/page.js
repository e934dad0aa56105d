"use strict";
// Filtering, links into closed cases, and printing. All of the content is there without it.
(() => {
  const form = document.getElementById("filter");

  // Rows of a figure close up when others go.
  const pictures = [...document.querySelectorAll("svg.figure")]
    .map((svg) => {
      const slots = [...svg.querySelectorAll(".slot")];
      const places = slots.map((slot) => slot.getAttribute("transform"));
      const y = (place) => Number(/ ([\d.]+)\)/.exec(place)[1]);
      const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
      const step = places.length > 1 ? y(places[1]) - y(places[0]) : 0;
      return { svg, slots, places, width, height, step };
    })
    .filter((picture) => picture.slots.length > 1);

  const closeUp = ({ svg, slots, places, width, height, step }) => {
    const shown = slots.filter((slot) => !slot.firstElementChild.classList.contains("filtered"));
    shown.forEach((slot, at) => slot.setAttribute("transform", places[at]));
    svg.setAttribute("viewBox", `0 0 ${width} ${height - step * (slots.length - shown.length)}`);
  };

  const apply = () => {
    const selects = [...form.querySelectorAll("select")];
    const chosen = selects.filter((select) => select.value !== "");
    for (const element of document.querySelectorAll(selects.map((select) => `[${select.name}]`).join())) {
      const other = (select) => element.hasAttribute(select.name) && element.getAttribute(select.name) !== select.value;
      element.classList.toggle("filtered", chosen.some(other));
    }
    pictures.forEach(closeUp);
    const cases = [...document.querySelectorAll(".tagged.case")];
    const shown = cases.filter((element) => !element.classList.contains("filtered"));
    form.querySelector("output").textContent = cases.length ? `${shown.length} of ${cases.length} cases` : "";
  };

  if (form) {
    form.hidden = false;
    form.addEventListener("change", apply);
    form.addEventListener("reset", () => setTimeout(apply));
    form.addEventListener("submit", (event) => event.preventDefault());
    apply();
  }

  const openTarget = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    // A link to a case that is filtered away shows it all the same.
    if (form && target.closest(".filtered")) {
      form.reset();
      setTimeout(() => target.scrollIntoView());
    }
    const details = target.closest("details.case");
    if (details) {
      details.open = true;
      details.querySelector("summary").focus({ preventScroll: true });
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", openTarget);
  if (location.hash) openTarget();

  addEventListener("beforeprint", () => {
    document.querySelectorAll("details.case").forEach((details) => (details.open = true));
  });
})();
